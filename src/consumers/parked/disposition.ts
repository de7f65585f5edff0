import { lockNotAvailable, sqlState } from '../../postgres/index.ts';
import type { ParkedFailureClass } from './failure-class.ts';
import { chainOf, memberOf } from './reading-errors.ts';

/**
 * What a failure asks of people:
 * - schema: the stored payload and the contract do not fit. - authorisation: the other side does not let us in.
 * - timeout: it took too long. - dependency: something outside is away, or refuses for now.
 * - invariant: a rule of the business or the database was broken. - poison: this event breaks the code, or nobody knows more.
 * That it is systemic (not this event's fault at all) is seen only from many keys: `operations/triage/groups.ts`.
 */
export type Disposition = 'schema' | 'authorisation' | 'timeout' | 'dependency' | 'invariant' | 'poison';

type Said = {
  readonly code: string;
  readonly name: string;
  readonly status: number;
  readonly sqlState: string;
};

const saidBy = (link: unknown): Said => {
  const [code, name] = [memberOf(link, 'code'), memberOf(link, 'name')];
  const response = memberOf(link, 'response');
  const status = [memberOf(link, 'status'), memberOf(link, 'statusCode'), memberOf(response, 'status')];
  return {
    code: typeof code === 'string' ? code : '',
    name: typeof name === 'string' ? name : '',
    status: status.find((each) => typeof each === 'number') ?? 0,
    sqlState: typeof code === 'string' ? (sqlState({ code }) ?? '') : '',
  };
};

/** In this order, the first that holds decides; each looks at one error of the chain. */
const rules: readonly (readonly [Disposition, (said: Said) => boolean])[] = [
  [
    'authorisation',
    ({ code, status, sqlState: state }) =>
      status === 401 ||
      status === 403 ||
      /^(?:28|42501)/.test(state) ||
      /^(?:EACCES|EPERM|FORBIDDEN|UNAUTHORI[SZ]ED|ACCESS_DENIED)$/i.test(code),
  ],
  [
    'timeout',
    ({ code, name, status, sqlState: state }) =>
      status === 408 ||
      status === 504 ||
      state === '57014' ||
      state === lockNotAvailable ||
      /TIMEOUT|TIMEDOUT/.test(code) ||
      /^(?:TimeoutError|AbortError)$/.test(name),
  ],
  [
    'invariant',
    ({ code, name, sqlState: state }) =>
      state.startsWith('23') ||
      code === 'PERMANENT_FAILURE' ||
      code === 'ERR_ASSERTION' ||
      name === 'AssertionError',
  ],
  ['dependency', ({ status }) => status === 429 || status >= 500],
];

/** The rules over the error and its causes, from the outside in. Never throws. */
export const dispositionOf = (error: unknown, failureClass: ParkedFailureClass): Disposition => {
  if (failureClass === 'schema') return 'schema';
  if (failureClass === 'poison') return 'poison';
  for (const link of chainOf(error)) {
    const said = saidBy(link);
    const rule = rules.find(([, holds]) => holds(said));
    if (rule !== undefined) return rule[0];
  }
  return failureClass === 'transient' || failureClass === 'systemic' ? 'dependency' : 'poison';
};
