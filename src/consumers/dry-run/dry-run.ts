import { type Clock, FactlineError, type Issue, systemClock } from '../../foundation/index.ts';
import type { StoredEvent } from '../../log/index.ts';
import { type Database, lockNotAvailable, type TableChange } from '../../postgres/index.ts';
import { type ConsumerDefinition, contractSetOf } from '../definition.ts';
import type { ReplayTerms } from '../operational/entry.ts';
import type { Handler } from '../operational/handler.ts';
import { describeFailure, type ParkedFailureClass } from '../parked/index.ts';
import { chainOf, memberOf } from '../parked/reading-errors.ts';
import type { FoldingProjection } from '../projection/definition.ts';
import type { SqlProjection } from '../projection/sql-definition.ts';
import { findLive } from '../registration/register.ts';
import type { PublishedInRehearsal, Rehearsal, Rehearse, RowDifference } from './rehearsal.ts';
import { rehearseHandler } from './rehearse-handler.ts';
import { rehearseProjection } from './rehearse-projection.ts';

export interface DryRunOptions {
  /** As the app has it: with its upcasters. */
  readonly consumer: ConsumerDefinition;
  /** Each is handled by itself: what one would have changed the next does not see. */
  readonly events: readonly StoredEvent[];
  readonly database: Database;
  /** The app's name: the source of what would be published. */
  readonly source: string;
  /** A handler sees that this replay delivers them again, and on which terms. Default: as in life. */
  readonly replay?: ReplayTerms;
  readonly clock?: Clock;
  readonly onOutcome?: (outcome: DryRunOutcome) => void;
  /** Ends it before the next event. */
  readonly signal?: AbortSignal;
}

/**
 * What handling one event again, now and with this code, would come to.
 * would-change: rows or events. no-op: nothing. effect-attempted: it got as far as the effects named. error: it would be parked.
 */
export interface DryRunOutcome {
  readonly position: number;
  readonly eventId: string;
  /** As it stands in the log. */
  readonly type: string;
  readonly outcome: 'would-change' | 'no-op' | 'effect-attempted' | 'error';
  /** Those that were not carried out. */
  readonly effects: readonly string[];
  /** Those that were answered from the record of an earlier attempt. */
  readonly reusedEffects: readonly string[];
  readonly published: readonly PublishedInRehearsal[];
  readonly changes: readonly TableChange[];
  /** Of a folding projection. */
  readonly rows?: readonly RowDifference[];
  readonly error?: DryRunError;
  readonly elapsedMs: number;
}

export interface DryRunError {
  readonly code: string;
  readonly message: string;
  readonly failureClass: ParkedFailureClass;
  /** The same as in the quarantine. */
  readonly fingerprint: string;
}

/**
 * Handles events with the consumer's own current code and takes everything back: each in a transaction that is rolled back, with
 * its effects closed; nothing is published, recorded or parked, no lane is touched. What a handler does beside its context (a
 * pool of its own, `fetch`) is beyond this: that happens. Sequences are not rolled back by PostgreSQL.
 * @throws FactlineError when the database cannot be reached, or the table of a projection is missing
 * @example
 * const outcomes = await dryRun({ consumer: payment, events, database, source: 'shop' })
 */
export const dryRun = async (options: DryRunOptions): Promise<readonly DryRunOutcome[]> => {
  const { consumer, events, clock = systemClock, onOutcome, signal } = options;
  const rehearseOne = await rehearsalOf(options, clock);
  const outcomes: DryRunOutcome[] = [];
  for (const event of events) {
    signal?.throwIfAborted();
    const begun = clock.monotonic();
    const rehearsal = await patiently(() => rehearseOne(event), clock);
    const outcome = outcomeOf(rehearsal, { consumer, event, elapsedMs: clock.monotonic() - begun });
    outcomes.push(outcome);
    onOutcome?.(outcome);
  }
  return outcomes;
};

const rehearsalOf = async (options: DryRunOptions, clock: Clock): Promise<Rehearse> => {
  const { consumer, database, source, replay = null } = options;
  const stage = { database, clock, source, replay, stored: await findLive(database.operations, consumer) };
  return consumer.class === 'operational'
    ? rehearseHandler(consumer as Handler, stage)
    : rehearseProjection(consumer as FoldingProjection | SqlProjection, stage);
};

/** How often rows that are locked are tried for, and the pause between. */
const busyAttemptsMax = 5;
const busyPauseMs = 50;

const patiently = async (work: () => Promise<Rehearsal>, clock: Clock): Promise<Rehearsal> => {
  for (let attempt = 1; ; attempt += 1) {
    const rehearsal = await work();
    if (rehearsal.failure === null || !isBusy(rehearsal.failure.thrown)) return rehearsal;
    if (attempt >= busyAttemptsMax) return rehearsal;
    await clock.sleep(busyPauseMs);
  }
};

const isBusy = (thrown: unknown): boolean =>
  chainOf(thrown).some((each) => memberOf(each, 'code') === lockNotAvailable);

interface Handled {
  readonly consumer: ConsumerDefinition;
  readonly event: StoredEvent;
  readonly elapsedMs: number;
}

const outcomeOf = (rehearsal: Rehearsal, { consumer, event, elapsedMs }: Handled): DryRunOutcome => {
  const { failure, refusedEffects, reusedEffects, published, changes, rows } = rehearsal;
  const known = {
    position: event.position,
    eventId: event.id,
    type: event.type,
    effects: refusedEffects,
    reusedEffects,
    published,
    changes,
    ...(rows === null ? {} : { rows }),
    elapsedMs,
  };
  if (refusedEffects.length > 0) return { ...known, outcome: 'effect-attempted' };
  if (failure !== null)
    return { ...known, outcome: 'error', error: errorOf(failure, { consumer, event, elapsedMs }) };
  // A fold may write a row again as it was.
  const written = rows === null ? changes.length : rows.length;
  return { ...known, outcome: written + published.length > 0 ? 'would-change' : 'no-op' };
};

const errorOf = (
  { thrown, failureClass: known }: NonNullable<Rehearsal['failure']>,
  { consumer, event }: Handled,
): DryRunError => {
  if (FactlineError.is(thrown, 'DATABASE_UNREACHABLE')) throw thrown;
  const error = isBusy(thrown)
    ? new FactlineError('DRY_RUN_BUSY', { consumer: consumer.name, eventId: event.id }, { cause: thrown })
    : thrown;
  const redact = contractSetOf(consumer).redactionOf(event);
  const { code, message, failureClass, fingerprint } = describeFailure(error, known, redact);
  const issues = issuesText(thrown);
  return { code, message: issues === null ? message : redact(issues), failureClass, fingerprint };
};

/** What a schema said, without the values: outcomes go into build logs. Null: it was no schema. */
const issuesText = (thrown: unknown): string | null => {
  if (!FactlineError.is(thrown)) return null;
  const { issues } = thrown.details;
  if (!Array.isArray(issues)) return thrown.cause === undefined ? null : issuesText(thrown.cause);
  const lines = (issues as readonly Issue[]).map(({ path, message }) =>
    path === '' ? message : `${path}: ${message}`,
  );
  return lines.join('; ');
};
