import type { WorkflowJournal } from '../consumers/index.ts';
import { keyLevelOf, maskOf, type Redact, redaction } from '../contracts/index.ts';
import {
  type InstanceDetail,
  type InstanceSummary,
  masked,
  type ReceivedEvent,
  readReceivedEvents,
  type StoredDifference,
  type TimelineEntry,
  type VerifiedJournal,
} from '../operations/index.ts';
import type { Queryable } from '../postgres/index.ts';
import type { LoadedApp } from './configuration.ts';
import { type Rules, redactedValue, rulesOfTypes } from './event-masking.ts';

/* What contracts hide of the events that an instance has got is hidden in everything that is shown of it: its key, the results
   of its steps, its errors. Of an event whose contract nobody has declared nothing is shown, and nothing of what it led to. */

interface Veil {
  /** Null: nothing may be shown, since nobody says what is hidden. */
  readonly redact: Redact | null;
  readonly keyLevel: string | undefined;
}

const unknownText = maskOf('no contract known');

const veilOf = (events: readonly ReceivedEvent[], rules: ReadonlyMap<string, Rules>): Veil => {
  const redactions: Redact[] = [];
  for (const { type, data } of events) {
    const { key, sensitivity } = rules.get(type) ?? { key: [], sensitivity: null };
    if (sensitivity === null) return { redact: null, keyLevel: 'no contract known' };
    redactions.push(redaction({ key, sensitivity }, [data]));
  }
  const start = events.find(({ started }) => started);
  const terms = start === undefined ? undefined : rules.get(start.type);
  const keyLevel =
    terms === undefined || terms.sensitivity === null
      ? undefined
      : keyLevelOf({ key: terms.key, sensitivity: terms.sensitivity });
  return { redact: (text) => redactions.reduce((shown, redact) => redact(shown), text), keyLevel };
};

const veiled = <T>(value: T, { redact }: Veil): T => {
  if (redact !== null) return redactedValue(value, redact);
  return (value === null || value === undefined ? value : unknownText) as T;
};

const veiledSummary = <Instance extends InstanceSummary>(instance: Instance, veil: Veil): Instance => ({
  ...instance,
  key: veil.keyLevel === undefined ? veiled(instance.key, veil) : maskOf(veil.keyLevel),
  problem: veiled(instance.problem, veil),
  lastCall:
    instance.lastCall === null ? null : { ...instance.lastCall, name: veiled(instance.lastCall.name, veil) },
});

/** Instances of a list as they may be shown. */
export const maskedSummaries = async (
  on: Queryable,
  app: LoadedApp | null,
  instances: readonly InstanceSummary[],
): Promise<readonly InstanceSummary[]> => {
  const ids = instances.map(({ id }) => id);
  const received = await readReceivedEvents(on, { ids, withWaits: false });
  const rules = await rulesOfTypes(
    on,
    app,
    [...received.values()].flat().map(({ type }) => type),
  );
  return instances.map((instance) => {
    const events = received.get(instance.id);
    return events === undefined ? instance : veiledSummary(instance, veilOf(events, rules));
  });
};

type Event = Pick<ReceivedEvent, 'type' | 'data'>;

const isEvent = (value: unknown): value is Event =>
  typeof value === 'object' &&
  value !== null &&
  typeof (value as { type?: unknown }).type === 'string' &&
  'data' in value &&
  'position' in value;

/** What hides the values of everything that an instance has got. */
export interface InstanceMask {
  /** What the instance got: an event by the rules of its contract, anything else without the values that those hide. */
  value<T>(value: T): T;
  key(key: string): string;
}

/** Shows everything: for those who may. */
export const openMask: InstanceMask = { value: (value) => value, key: (key) => key };

export const instanceMask = async (
  on: Queryable,
  app: LoadedApp | null,
  id: number,
): Promise<InstanceMask> => {
  const received = (await readReceivedEvents(on, { ids: [id], withWaits: true })).get(id) ?? [];
  const rules = await rulesOfTypes(
    on,
    app,
    received.map(({ type }) => type),
  );
  const veil = veilOf(received, rules);
  return {
    value: (value) =>
      isEvent(value)
        ? (maskedEvent(value, rules.get(value.type), veil) as typeof value)
        : veiled(value, veil),
    key: (key) => (veil.keyLevel === undefined ? veiled(key, veil) : maskOf(veil.keyLevel)),
  };
};

const maskedEvent = (event: Event, rules: Rules | undefined, veil: Veil): unknown => {
  const { key = [], sensitivity = null } = rules ?? {};
  const data = masked(event.data, { sensitivity });
  // Of an event without a contract the envelope stays, since it says what would be needed.
  const shown = veil.redact === null ? { ...event } : redactedValue({ ...event, data: null }, veil.redact);
  const level = sensitivity === null ? 'no contract known' : keyLevelOf({ key, sensitivity });
  return level === undefined
    ? { ...shown, data }
    : { ...shown, data, key: maskOf(level), subject: maskOf(level) };
};

/** Everything of an instance as it may be shown. */
export const maskedDetail = (detail: InstanceDetail, mask: InstanceMask): InstanceDetail => ({
  ...detail,
  key: mask.key(detail.key),
  problem: mask.value(detail.problem),
  lastCall: detail.lastCall === null ? null : { ...detail.lastCall, name: mask.value(detail.lastCall.name) },
  difference: maskedDifference(detail.difference, mask),
  input: mask.value(detail.input),
  result: { ...detail.result, value: mask.value(detail.result.value) },
  failure: maskedFailure(detail.failure, mask),
  calls: detail.calls.map((entry) => maskedEntry(entry, mask)),
  undos: detail.undos.map((entry) => maskedEntry(entry, mask)),
  repairs: detail.repairs.map((repair) => ({ ...repair, detail: maskedMembers(repair.detail, mask) })),
});

const maskedMembers = <Members extends object>(members: Members, mask: InstanceMask): Members =>
  Object.fromEntries(Object.entries(members).map(([name, value]) => [name, mask.value(value)])) as Members;

type Failure = InstanceDetail['failure'];

const maskedFailure = (failure: Failure, mask: InstanceMask): Failure =>
  failure === null
    ? null
    : {
        ...failure,
        message: mask.value(failure.message),
        stack: mask.value(failure.stack),
        details: failure.details === null ? null : maskedMembers(failure.details, mask),
      };

const maskedEntry = (entry: TimelineEntry, mask: InstanceMask): TimelineEntry => ({
  ...entry,
  name: mask.value(entry.name),
  value: mask.value(entry.value),
  error: maskedFailure(entry.error, mask),
  waitsFor: entry.waitsFor === null ? null : { ...entry.waitsFor, key: mask.value(entry.waitsFor.key) },
});

const maskedDifference = (
  difference: StoredDifference | null,
  mask: InstanceMask,
): StoredDifference | null =>
  difference === null
    ? null
    : {
        ordinal: difference.ordinal,
        recorded: difference.recorded.map(mask.value),
        called: difference.called.map(mask.value),
      };

/** What was found of a living instance, as it may be shown: names of steps may be made of anything. */
export const maskedVerification = (verified: VerifiedJournal, mask: InstanceMask): VerifiedJournal => ({
  ...verified,
  reason: mask.value(verified.reason),
  difference: maskedDifference(verified.difference, mask),
});

/** A journal that may be kept in a repository. The names of calls stay: the code compares them. */
export const maskedJournal = (journal: WorkflowJournal, mask: InstanceMask): WorkflowJournal => ({
  ...journal,
  key: mask.key(journal.key),
  input: mask.value(journal.input),
  entries: journal.entries.map((entry) => ({
    ...entry,
    value: mask.value(entry.value),
    error: maskedFailure(entry.error, mask),
  })),
});
