import type { StoredEvent } from '../../log/index.ts';
import { classifyDatabaseError } from '../../postgres/index.ts';
import type { RunnerServices } from '../runner.ts';
import type { BatchWriter, PreparedBatch } from './batch-writer.ts';
import type { Projection } from './definition.ts';
import { isLaneLost, type LaneStore, type Move } from './lane-store.ts';
import type { ParkedKeys } from './parked-keys.ts';
import { failedEvent } from './parking.ts';
import type { ProjectionStep } from './steps.ts';

/** A lane whose batch PostgreSQL has refused for good. */
export interface HalvedLane {
  readonly projection: Projection;
  readonly store: LaneStore;
  readonly writer: BatchWriter;
  readonly parked: ParkedKeys;
  readonly services: RunnerServices;
  position(): number;
  /** Back to what the database knows. */
  load(): Promise<void>;
  committed(batch: PreparedBatch, move: Move): void;
  step(name: ProjectionStep): Promise<void>;
}

/**
 * Commits the events up to `to` in halves, so that only the event to blame is parked: of 2,000 events with one bad one,
 * 11 commits are refused. Starts from what the database knows.
 */
export const commitInHalves = async (
  lane: HalvedLane,
  events: readonly StoredEvent[],
  to: number,
): Promise<void> => {
  const left = events.filter(({ position }) => position > lane.position());
  const refusal = await tryCommit(lane, left, to);
  if (refusal === null) return;
  await lane.load();
  const [only] = left;
  if (only === undefined) throw refusal.error;
  if (left.length === 1) return parkAlone(lane, { stored: only, error: refusal.error, to });
  const half = left.length >> 1;
  await commitInHalves(lane, left.slice(0, half), (left[half - 1] as StoredEvent).position);
  await commitInHalves(lane, left.slice(half), to);
};

const tryCommit = async (
  lane: HalvedLane,
  events: readonly StoredEvent[],
  to: number,
): Promise<{ readonly error: unknown } | null> => {
  const move = { from: lane.position(), to };
  const batch = await lane.writer.prepare(events);
  try {
    await lane.step('projection.before-commit');
    await lane.writer.commit(batch, move);
  } catch (error) {
    if (classifyDatabaseError(error) !== 'permanent' || isLaneLost(error)) throw error;
    return { error };
  }
  lane.committed(batch, move);
  return null;
};

/** Parks one event that was not handled, and moves the checkpoint past it. */
export const parkAlone = async (
  lane: HalvedLane,
  { stored, error, to }: { readonly stored: StoredEvent; readonly error: unknown; readonly to: number },
): Promise<void> => {
  const { projection, store, writer, services, parked } = lane;
  const keys = writer.keysOf(stored);
  const event = failedEvent(projection, { stored, keys, error, attemptsBefore: 0 }, services.randomness);
  const move = { from: lane.position(), to };
  await store.transaction((client) => store.park(client, [event]), store.moveStatement(move));
  const dueAt = event.delayMs === null ? null : services.clock.monotonic() + event.delayMs;
  for (const key of keys) parked.append(key, { position: stored.position, state: event.state, dueAt });
  lane.committed({ events: [stored], parks: [event], handled: 0 }, move);
};
