import { FactlineError } from '../../foundation/index.ts';
import { checkPredicate, type Predicate } from './predicate.ts';

/** A part of the log. It always ends: at a position, at a time that has passed, or with the events that are named. */
export interface LogSelection {
  readonly source: 'log';
  /** Positions, both included. */
  readonly from: number;
  readonly to: number | null;
  /** Times of recording, ISO 8601; `since` included, `until` not. */
  readonly since: string | null;
  readonly until: string | null;
  /** Null: every type that the consumer reads. */
  readonly types: readonly string[] | null;
  /** As they are stored: `orderId=A1`. */
  readonly keys: readonly string[] | null;
  readonly where: Predicate | null;
  readonly ids: readonly string[] | null;
}

/** What waits in quarantine with one failure, of the replay's consumer, when it is frozen. */
export interface GroupSelection {
  readonly source: 'quarantine';
  /** From `quarantine groups`. */
  readonly fingerprint: string;
}

export type Selection = LogSelection | GroupSelection;

const idsMax = 10_000;
const keysMax = 10_000;
const typesMax = 1_000;
const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
/** With a zone: a time without one would mean another moment on another machine. */
const instant = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d)$/;

type Loose = Readonly<Record<string, unknown>>;

export const manifestInvalid = (field: string, expected: string, actual: unknown): FactlineError =>
  new FactlineError('REPLAY_MANIFEST_INVALID', {
    field,
    expected,
    actual: actual === null || actual === undefined ? 'missing' : JSON.stringify(actual).slice(0, 80),
  });

/** @throws FactlineError REPLAY_MANIFEST_INVALID for the first member that nobody knows. */
export const refuseUnknown = (given: object, known: readonly string[], field: string): void => {
  const stranger = Object.keys(given).find((name) => !known.includes(name));
  if (stranger !== undefined)
    throw manifestInvalid(
      field === '' ? stranger : `${field}.${stranger}`,
      `one of ${known.join(', ')}`,
      stranger,
    );
};

/**
 * Takes a selection from a manifest.
 * @throws FactlineError REPLAY_MANIFEST_INVALID, REPLAY_UNBOUNDED
 */
export const checkSelection = (given: unknown): Selection => {
  if (typeof given !== 'object' || given === null) throw manifestInvalid('selection', 'an object', given);
  const { source } = given as Loose;
  if (source === 'log') return checkLogSelection(given as Loose);
  if (source === 'quarantine') return checkGroupSelection(given as Loose);
  throw manifestInvalid('selection.source', 'log or quarantine', source);
};

const fingerprint = /^[0-9a-f]{16}$/;

const checkGroupSelection = (given: Loose): GroupSelection => {
  refuseUnknown(given, ['source', 'fingerprint'], 'selection');
  const value = given['fingerprint'];
  if (typeof value === 'string' && fingerprint.test(value))
    return { source: 'quarantine', fingerprint: value };
  throw manifestInvalid(
    'selection.fingerprint',
    'the fingerprint of a group: npx factline quarantine groups',
    value,
  );
};

const logMembers = ['source', 'from', 'to', 'since', 'until', 'types', 'keys', 'where', 'ids'] as const;

const checkLogSelection = (given: Loose): LogSelection => {
  refuseUnknown(given, logMembers, 'selection');
  const selection: LogSelection = {
    source: 'log',
    from: position(given['from'] ?? 1, 'from'),
    to: optional(given['to'], (value) => position(value, 'to')),
    since: optional(given['since'], (value) => time(value, 'since')),
    until: optional(given['until'], (value) => time(value, 'until')),
    types: optional(given['types'], (value) => texts(value, 'types', typesMax)),
    keys: optional(given['keys'], (value) => texts(value, 'keys', keysMax)),
    where: optional(given['where'], (value) => checkPredicate(value, 'selection.where')),
    ids: optional(given['ids'], ids),
  };
  const { from, to, since, until } = selection;
  if (to === null && until === null && selection.ids === null) throw new FactlineError('REPLAY_UNBOUNDED');
  if (to !== null && to < from) throw manifestInvalid('selection.to', `a position from ${from} on`, to);
  if (since !== null && until !== null && Date.parse(until) <= Date.parse(since))
    throw manifestInvalid('selection.until', `a time after ${since}`, until);
  return selection;
};

const optional = <T>(value: unknown, check: (value: unknown) => T): T | null =>
  value === undefined || value === null ? null : check(value);

const position = (value: unknown, name: string): number => {
  if (Number.isSafeInteger(value) && (value as number) >= 1) return value as number;
  throw manifestInvalid(`selection.${name}`, 'a position of the log: a whole number from 1 on', value);
};

const time = (value: unknown, name: string): string => {
  if (typeof value === 'string' && instant.test(value) && !Number.isNaN(Date.parse(value))) return value;
  throw manifestInvalid(`selection.${name}`, 'a time with its zone, like 2030-01-31T09:00:00Z', value);
};

const texts = (value: unknown, name: string, max: number): readonly string[] => {
  const good =
    Array.isArray(value) &&
    value.length > 0 &&
    value.length <= max &&
    value.every(
      (each) => typeof each === 'string' && each !== '' && each.isWellFormed() && !each.includes('\u0000'),
    );
  if (good) return [...new Set(value as string[])].sort();
  throw manifestInvalid(`selection.${name}`, `1 to ${max} texts`, value);
};

const ids = (value: unknown): readonly string[] => {
  const found = texts(value, 'ids', idsMax);
  const wrong = found.find((each) => !uuid.test(each));
  if (wrong === undefined) return found;
  throw manifestInvalid('selection.ids', 'ids of events', wrong);
};
