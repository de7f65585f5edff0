import type pg from 'pg';
import { exitCodes, FactlineError } from '../foundation/index.ts';
import {
  awaitAnswer,
  awaitRetry,
  durationText,
  type PersonsRequest,
  type RetryOutcome,
  sendRequest,
} from '../operations/index.ts';
import { type ActName, type Actor, perform } from '../replay/index.ts';
import { actorOf } from './actor.ts';
import type { CommandContext, CommandOption, JsonField } from './command.ts';
import { jsonText } from './json-text.ts';
import { duration } from './parse.ts';
import { printable } from './style.ts';

/** Options of every command that asks a running process for something. */
export const waitOptions: readonly CommandOption[] = [
  { name: 'wait', negated: true, help: 'Do not wait for the process that carries it out.' },
  { name: 'within', value: 'TIME', help: 'How long to wait. Default: 30s.' },
];

export const answerFields: readonly JsonField[] = [
  { name: 'requests[]', help: '{ request, id, consumer, verb, state, outcome, answer }' },
  { name: 'requests[].state', help: 'done, or open with --no-wait.' },
  {
    name: 'requests[].outcome',
    help: 'Of a retry: handled, failed (again), or pending; otherwise null.',
  },
  { name: 'requests[].answer', help: 'What the owner of the lane answered; null while open.' },
];

/** What people may ask of a running process, and what each is on record. */
const actOf = {
  retry: 'quarantine.retry',
  discard: 'quarantine.discard',
  restore: 'quarantine.restore',
  'effect-happened': 'quarantine.resolve',
  'effect-did-not-happen': 'quarantine.resolve',
  rebuild: 'projection.rebuild',
  pause: 'consumer.pause',
  resume: 'consumer.resume',
  accept: 'consumer.accept',
} as const satisfies Readonly<Record<string, ActName>>;
export type RequestVerb = keyof typeof actOf;
export type KnownRequest = PersonsRequest & { readonly verb: RequestVerb };

interface Carried {
  readonly request: number;
  readonly id: number | null;
  readonly consumer: string;
  readonly verb: string;
  readonly state: 'open' | 'done';
  readonly outcome: RetryOutcome['outcome'] | null;
  readonly answer: Readonly<Record<string, unknown>> | null;
}

/**
 * Sends the requests in order and, unless --no-wait was given, waits until each is carried out before the next.
 * The exit code is 1 when an event failed again.
 */
export const carryOut = async (
  context: CommandContext,
  pool: pg.Pool,
  requests: readonly KnownRequest[],
): Promise<number> => {
  const actor = await actorOf(context, pool);
  const carried: Carried[] = [];
  for (const request of requests) {
    // What follows an interruption was not asked for yet, and is not.
    if (context.signal.aborted) break;
    carried.push(await carryOutOne(context, { pool, actor }, request));
  }
  if (context.json) context.terminal.out(jsonText({ requests: carried }));
  if (context.signal.aborted) return exitCodes.interrupted;
  return carried.some(({ outcome }) => outcome === 'failed') ? 1 : 0;
};

const carryOutOne = async (
  context: CommandContext,
  { pool, actor }: { readonly pool: pg.Pool; readonly actor: Actor },
  request: KnownRequest,
): Promise<Carried> => {
  const { given, clock, signal, terminal, json } = context;
  const withinMs = duration(given, 'within', '30s');
  const id = await askOnRecord(pool, actor, request);
  const known = {
    request: id,
    id: request.parkedId ?? null,
    consumer: request.consumer.name,
    verb: request.verb,
  };
  const leaveOpen = (): Carried => {
    if (!json) terminal.out(`asked for as request ${id}; the process that works the lane carries it out`);
    return { ...known, state: 'open', outcome: null, answer: null };
  };
  if (given.has('no-wait')) return leaveOpen();
  const answered = await awaitAnswer(pool, { id, request, withinMs, clock, signal }).catch(
    (error: unknown) => {
      if (signal.aborted && FactlineError.is(error, 'STOPPED')) return null;
      throw error;
    },
  );
  if (answered === null) return leaveOpen();
  const { answer } = answered;
  const retried = request.verb === 'retry' ? await awaitRetry(pool, { id, withinMs, clock, signal }) : null;
  if (!json) terminal.out(carriedLine(context, { request, answer, retried }));
  return { ...known, state: 'done', outcome: retried?.outcome ?? null, answer };
};

/** The request and the record of it commit together. */
const askOnRecord = (pool: pg.Pool, actor: Actor, request: KnownRequest): Promise<number> => {
  const { consumer, verb, parkedId, reason } = request;
  const target = parkedId === undefined ? `consumer ${consumer.name}` : `quarantine ${parkedId}`;
  const part = partOf(request);
  const details = (id: number): Record<string, unknown> => ({
    consumer: consumer.name,
    verb,
    request: id,
    ...(part === null ? {} : { part }),
  });
  return perform(pool, { actor, act: actOf[verb], target, reason, details }, (client) =>
    sendRequest(client, request),
  );
};

/** Of a pause: the type or key that is meant; null: all of the consumer. */
const partOf = ({ arguments: given = {} }: PersonsRequest): string | null => {
  if (typeof given['type'] === 'string') return `type ${given['type']}`;
  return typeof given['key'] === 'string' ? `key ${given['key']}` : null;
};

interface CarriedFacts {
  readonly request: PersonsRequest;
  readonly answer: Readonly<Record<string, unknown>>;
  readonly retried: RetryOutcome | null;
}

const carriedLine = (
  { style, given }: CommandContext,
  { request, answer, retried }: CarriedFacts,
): string => {
  const subject = request.parkedId === undefined ? request.consumer.name : `#${request.parkedId}`;
  const done = style.green('✓');
  if (retried?.outcome === 'failed') {
    const next = retried.nextTryMs === null ? '' : ` (next try in ${durationText(retried.nextTryMs)})`;
    return `${style.red('✗')} ${subject} failed again: ${printable(retried.message)}${next}`;
  }
  if (retried?.outcome === 'pending') {
    return `${style.yellow('…')} ${subject} waits for its turn (looked for ${given.text('within') ?? '30s'})`;
  }
  switch (request.verb) {
    case 'retry':
      return `${done} ${subject} handled`;
    case 'discard':
      return `${done} ${subject} discarded; what waits behind it goes on`;
    case 'restore':
      return `${done} ${subject} is in quarantine again`;
    case 'pause':
      return `${done} ${subject}${partText(request)} paused${untilText(answer)}`;
    case 'resume':
      return answer['was'] === false
        ? `${done} ${subject} was not paused; it goes on as before`
        : `${done} ${subject}${partText(request)} goes on`;
    case 'rebuild':
      return `${done} build ${answer['build']} of ${subject} is being filled${lanesText(answer)}; see: factline projection list`;
    case 'accept':
      return `${done} ${subject} no longer handles ${[answer['dropped']].flat().join(', ')}`;
    default:
      return `${done} ${subject}: ${request.verb} on record`;
  }
};

const partText = (request: PersonsRequest): string => {
  const part = partOf(request);
  return part === null ? '' : `: ${printable(part)}`;
};

const untilText = ({ until }: Readonly<Record<string, unknown>>): string =>
  typeof until === 'string' ? ` until ${until.slice(0, 19)}Z` : '';

const lanesText = ({ shards, because }: Readonly<Record<string, unknown>>): string => {
  if (Number(shards) > 1) return ` by ${shards} lanes`;
  return because === null ? '' : ` by one lane, since ${because}`;
};
