import { describeValue, isEventContract } from '../../contracts/index.ts';
import { type Duration, type Issue, toMilliseconds } from '../../foundation/index.ts';

type Loose = Readonly<Record<string, unknown>>;

const namePattern = /^[a-z0-9][a-z0-9._-]{0,99}$/;
const known = [
  'name',
  'version',
  'owner',
  'on',
  'key',
  'onDuplicate',
  'waits',
  'input',
  'concurrency',
  'retry',
  'slo',
  'formerly',
  'lanes',
  'run',
];
const yearMs = 366 * 86_400_000;

const issue = (path: string, expected: string, value: unknown): Issue => ({
  path,
  expected,
  actual: describeValue(value),
  message: `is not ${expected}`,
});

const isWhole = (value: unknown, min: number, max: number): boolean =>
  Number.isInteger(value) && (value as number) >= min && (value as number) <= max;

const isDuration = (value: unknown): boolean => {
  try {
    const ms = toMilliseconds(value as Duration);
    return ms >= 1 && ms <= yearMs;
  } catch {
    return false;
  }
};

const isName = (value: unknown): boolean => typeof value === 'string' && namePattern.test(value);

const isContracts = (value: unknown): boolean => {
  if (isEventContract(value)) return true;
  if (typeof value !== 'object' || value === null) return false;
  return Array.isArray(value)
    ? value.length > 0 && value.every(isEventContract)
    : Object.values(value).some(isEventContract);
};

const isSchema = (value: unknown): boolean =>
  (typeof value === 'object' || typeof value === 'function') && value !== null && '~standard' in value;

/** Of each optional field: what it must be, and whether it is. */
const fields: Readonly<Record<string, readonly [expected: string, holds: (value: unknown) => boolean]>> = {
  version: ['a whole number from 1', (value) => isWhole(value, 1, 1_000_000)],
  owner: ['the name of a team', (value) => typeof value === 'string' && value !== ''],
  on: ['contracts made by defineEvent', isContracts],
  waits: ['contracts made by defineEvent', isContracts],
  key: ['a function', (value) => typeof value === 'function'],
  onDuplicate: ['reject, join or queue', (value) => ['reject', 'join', 'queue'].includes(value as string)],
  input: ['a schema', isSchema],
  concurrency: ['a whole number from 1 to 10000', (value) => isWhole(value, 1, 10_000)],
  lanes: ['a whole number from 1 to 1024', (value) => isWhole(value, 1, 1_024)],
  formerly: ['a list of names', (value) => Array.isArray(value) && value.every(isName)],
};

/** What is wrong with the retry of a workflow or of a step. */
export const retryIssues = (retry: unknown): readonly Issue[] => {
  if (retry === undefined) return [];
  if (typeof retry !== 'object' || retry === null) return [issue('retry', 'an object', retry)];
  return Object.entries(retry).flatMap(([name, value]): readonly Issue[] => {
    const path = `retry.${name}`;
    if (value === undefined) return [];
    switch (name) {
      case 'attempts':
        return isWhole(value, 1, 1_000) ? [] : [issue(path, 'a whole number from 1 to 1000', value)];
      case 'factor':
        return typeof value === 'number' && value >= 1 && value <= 100
          ? []
          : [issue(path, 'a number from 1 to 100', value)];
      case 'firstDelay':
      case 'maxDelay':
        return isDuration(value) ? [] : [issue(path, "a duration like '500ms', '30s' or '5m'", value)];
      default:
        return [issue(path, 'one of attempts, firstDelay, factor, maxDelay', name)];
    }
  });
};

const sloIssues = (slo: unknown): readonly Issue[] => {
  if (slo === undefined) return [];
  const { handledWithin, errorBudget } = (slo ?? {}) as Loose;
  const issues: Issue[] = [];
  if (!isDuration(handledWithin)) issues.push(issue('slo.handledWithin', 'a duration', handledWithin));
  const isShare = typeof errorBudget === 'number' && errorBudget > 0 && errorBudget < 1;
  if (errorBudget !== undefined && !isShare)
    issues.push(issue('slo.errorBudget', 'a share between 0 and 1', errorBudget));
  return issues;
};

/** Everything that is wrong with a declaration. */
export const checkWorkflow = (declaration: Loose): readonly Issue[] => {
  const issues: Issue[] = [];
  const { name, run, on, key, input, formerly } = declaration;
  if (!isName(name))
    issues.push(issue('name', 'a name of a-z, 0-9, "-", "_" and "." (at most 100 characters)', name));
  if (typeof run !== 'function') issues.push(issue('run', 'a function', run));
  for (const [field, [expected, holds]] of Object.entries(fields)) {
    const value = declaration[field];
    if (value !== undefined && !holds(value)) issues.push(issue(field, expected, value));
  }
  if (on !== undefined && input !== undefined)
    issues.push(issue('input', 'left out: the event of `on` is the input', input));
  if (on === undefined && key !== undefined)
    issues.push(issue('key', 'left out: app.startWorkflow gives the key', key));
  if (Array.isArray(formerly) && formerly.includes(name))
    issues.push(issue('formerly', 'another name than the present one', name));
  issues.push(...retryIssues(declaration['retry']), ...sloIssues(declaration['slo']));
  for (const field of Object.keys(declaration)) {
    if (!known.includes(field)) issues.push(issue(field, `one of ${known.join(', ')}`, field));
  }
  return issues;
};
