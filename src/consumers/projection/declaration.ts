import {
  type EventContract,
  isCommandContract,
  isEventContract,
  type Many,
  manyContracts,
} from '../../contracts/index.ts';
import { type Duration, FactlineError, type Issue, toMilliseconds } from '../../foundation/index.ts';
import type { ConsumerDefinition } from '../definition.ts';
import { declaredReads, readsIssues } from '../reads.ts';
import { describeValue } from './columns.ts';
import { nameIssues } from './table.ts';

/** What both forms of a projection declare. */
export interface SharedDeclaration {
  readonly name: string;
  readonly owner?: string;
  readonly version?: number;
  readonly on: Many<EventContract>;
  readonly reads?: unknown;
  readonly formerly?: readonly string[];
  readonly slo?: { readonly handledWithin: Duration; readonly errorBudget?: number };
}

const sharedOptions = ['name', 'owner', 'version', 'on', 'reads', 'formerly', 'slo'] as const;

const issue = (
  path: string,
  message: string,
  [expected, actual]: readonly [expected: string, actual: unknown],
): Issue => ({ path, expected, actual: describeValue(actual), message });

const contractIssues = (on: unknown): Issue[] => {
  const given: readonly unknown[] = Array.isArray(on)
    ? on
    : isEventContract(on)
      ? [on]
      : Object.values(on ?? {});
  const contracts = given.filter(isEventContract);
  if (contracts.length === 0)
    return [issue('on', 'a projection needs events', ['one or more contracts made by defineEvent', on])];
  const wrong = Array.isArray(on) ? on.filter((value) => !isEventContract(value)) : [];
  const types = contracts.map((contract) => contract.type);
  const commands = contracts.filter(isCommandContract);
  const twice = types.find((type, index) => types.indexOf(type) !== index);
  return [
    ...wrong.map((value) => issue('on', 'this is not a contract', ['a contract made by defineEvent', value])),
    // What was asked for is not what happened: it may have been refused.
    ...commands.map(({ type }) =>
      issue('on', 'a command is for its one handler alone', ['events, such as its replies', type]),
    ),
    ...(twice === undefined ? [] : [issue('on', 'a type is listed twice', ['each contract once', twice])]),
  ];
};

const sloIssues = (slo: SharedDeclaration['slo']): Issue[] => {
  if (slo === undefined) return [];
  try {
    toMilliseconds(slo.handledWithin, 'slo.handledWithin');
  } catch (error) {
    if (!FactlineError.is(error)) throw error;
    return [issue('slo.handledWithin', 'not a duration', ["a duration like '30s'", slo?.handledWithin])];
  }
  const { errorBudget } = slo;
  if (errorBudget === undefined || (errorBudget >= 0 && errorBudget <= 1)) return [];
  return [issue('slo.errorBudget', 'not a share', ['a share between 0 and 1', errorBudget])];
};

/** Everything wrong with what both forms share, and every option that neither the shared nor the `own` ones explain. */
export const declarationIssues = (options: SharedDeclaration, own: readonly string[]): Issue[] => {
  if (typeof options !== 'object' || options === null)
    return [issue('', 'the declaration is missing', ['an object', options])];
  const known = new Set<string>([...sharedOptions, ...own]);
  const unknown = Object.keys(options).filter((name) => !known.has(name));
  const { version, formerly, owner } = options;
  const issues = [
    ...nameIssues(options.name),
    ...contractIssues(options.on),
    ...(contractIssues(options.on).length > 0 ? [] : readsIssues(options.reads, typesOf(options))),
    ...sloIssues(options.slo),
    ...unknown.map((name) => issue(name, 'there is no such option', [[...known].join(', '), name])),
  ];
  if (owner !== undefined && (typeof owner !== 'string' || owner === ''))
    issues.push(issue('owner', 'not a name', ['the name of a team', owner]));
  if (version !== undefined && !(Number.isSafeInteger(version) && version >= 1))
    issues.push(issue('version', 'not a version', ['an integer from 1', version]));
  if (
    formerly !== undefined &&
    !(Array.isArray(formerly) && formerly.every((name) => typeof name === 'string'))
  )
    issues.push(issue('formerly', 'not a list of names', ['a list of names', formerly]));
  return issues;
};

const typesOf = ({ on }: SharedDeclaration): readonly string[] => manyContracts(on).map(({ type }) => type);

/**
 * The part of the definition that both forms fill alike. One lane: two lanes that fold one row would lose updates.
 * `readByEngine`: the fields that are read beside those that the user's functions read.
 */
export const sharedFields = (
  options: SharedDeclaration,
  readByEngine: readonly string[] = [],
): Omit<ConsumerDefinition, 'class' | 'ordering'> & { readonly class: 'projection' } => ({
  class: 'projection',
  name: options.name,
  ...(options.owner === undefined ? {} : { owner: options.owner }),
  contracts: Object.freeze([...manyContracts(options.on)]),
  types: new Set(typesOf(options)),
  upcasters: [],
  reads: declaredReads(options.reads, typesOf(options), readByEngine),
  lanes: 1,
  startAt: 'beginning',
  formerly: Object.freeze([...(options.formerly ?? [])]),
  ...(options.slo === undefined ? {} : { slo: Object.freeze({ ...options.slo }) }),
  version: options.version ?? 1,
});
