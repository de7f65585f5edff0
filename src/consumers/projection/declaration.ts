import { type EventContract, isEventContract, type Many, manyContracts } from '../../contracts/index.ts';
import { type Duration, FactlineError, type Issue, toMilliseconds } from '../../foundation/index.ts';
import type { ConsumerDefinition } from '../definition.ts';
import { describeValue } from './columns.ts';
import { nameIssues } from './table.ts';

/** What both forms of a projection declare. */
export interface SharedDeclaration {
  readonly name: string;
  readonly version?: number;
  readonly on: Many<EventContract>;
  readonly formerly?: readonly string[];
  readonly slo?: { readonly handledWithin: Duration; readonly errorBudget?: number };
}

const sharedOptions = ['name', 'version', 'on', 'formerly', 'slo'] as const;

const issue = (path: string, expected: string, actual: unknown, message: string): Issue => ({
  path,
  expected,
  actual: describeValue(actual),
  message,
});

const contractIssues = (on: unknown): Issue[] => {
  const given: readonly unknown[] = Array.isArray(on)
    ? on
    : isEventContract(on)
      ? [on]
      : Object.values(on ?? {});
  const contracts = given.filter(isEventContract);
  if (contracts.length === 0)
    return [issue('on', 'one or more contracts made by defineEvent', on, 'a projection needs events')];
  const wrong = Array.isArray(on) ? on.filter((value) => !isEventContract(value)) : [];
  const types = contracts.map((contract) => contract.type);
  const twice = types.find((type, index) => types.indexOf(type) !== index);
  return [
    ...wrong.map((value) => issue('on', 'a contract made by defineEvent', value, 'this is not a contract')),
    ...(twice === undefined ? [] : [issue('on', 'each contract once', twice, 'a type is listed twice')]),
  ];
};

const sloIssues = (slo: SharedDeclaration['slo']): Issue[] => {
  if (slo === undefined) return [];
  try {
    toMilliseconds(slo.handledWithin, 'slo.handledWithin');
  } catch (error) {
    if (!FactlineError.is(error)) throw error;
    return [issue('slo.handledWithin', "a duration like '30s'", slo?.handledWithin, 'not a duration')];
  }
  const { errorBudget } = slo;
  if (errorBudget === undefined || (errorBudget >= 0 && errorBudget <= 1)) return [];
  return [issue('slo.errorBudget', 'a share between 0 and 1', errorBudget, 'not a share')];
};

/** Everything wrong with what both forms share, and every option that neither the shared nor the `own` ones explain. */
export const declarationIssues = (options: SharedDeclaration, own: readonly string[]): Issue[] => {
  if (typeof options !== 'object' || options === null)
    return [issue('', 'an object', options, 'the declaration is missing')];
  const known = new Set<string>([...sharedOptions, ...own]);
  const unknown = Object.keys(options).filter((name) => !known.has(name));
  const { version, formerly } = options;
  const issues = [
    ...nameIssues(options.name),
    ...contractIssues(options.on),
    ...sloIssues(options.slo),
    ...unknown.map((name) => issue(name, [...known].join(', '), name, 'there is no such option')),
  ];
  if (version !== undefined && !(Number.isSafeInteger(version) && version >= 1))
    issues.push(issue('version', 'an integer from 1', version, 'not a version'));
  if (
    formerly !== undefined &&
    !(Array.isArray(formerly) && formerly.every((name) => typeof name === 'string'))
  )
    issues.push(issue('formerly', 'a list of names', formerly, 'not a list of names'));
  return issues;
};

/** The part of the definition that both forms fill alike. One lane: two lanes that fold one row would lose updates. */
export const sharedFields = (
  options: SharedDeclaration,
): Omit<ConsumerDefinition, 'class' | 'ordering'> & { readonly class: 'projection' } => ({
  class: 'projection',
  name: options.name,
  contracts: Object.freeze([...manyContracts(options.on)]),
  types: new Set(manyContracts(options.on).map((contract) => contract.type)),
  lanes: 1,
  startAt: 'beginning',
  formerly: Object.freeze([...(options.formerly ?? [])]),
  ...(options.slo === undefined ? {} : { slo: Object.freeze({ ...options.slo }) }),
  version: options.version ?? 1,
});
