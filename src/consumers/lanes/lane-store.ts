import { type Database, engineTransaction, loadQueries, run, runArrays } from '../../postgres/index.ts';
import type { LaneLease } from '../runner.ts';
import type { LaneRef } from './plan-lanes.ts';

const sql = loadQueries<
  | 'take_lanes'
  | 'read_checkpoints'
  | 'release_lanes'
  | 'lock_consumer'
  | 'next_generation'
  | 'lock_lanes_at_barrier'
  | 'remove_lanes'
  | 'remove_checkpoints'
  | 'insert_lanes'
  | 'insert_checkpoints'
  | 'lead_generation'
  | 'discard_dropped'
>(new URL('./lanes.sql', import.meta.url));

/** A lease without what only the engine knows of the generation and the tail. */
export type TakenLane = Omit<LaneLease, 'types' | 'laneCount' | 'settledAtTakeover'>;

const columns = (lanes: readonly LaneRef[]): [number[], number[], number[]] => [
  lanes.map((lane) => lane.consumerId),
  lanes.map((lane) => lane.lane),
  lanes.map((lane) => lane.token),
];

/**
 * Takes all of the lanes, of any number of consumers, that nobody else has taken since they were looked at. Two
 * statements: the checkpoints are read in a new snapshot, after the takeover has committed.
 */
export const takeLanes = async (
  database: Database,
  processId: number,
  wanted: readonly LaneRef[],
): Promise<readonly TakenLane[]> => {
  if (wanted.length === 0) return [];
  const rows = await run(database.operations, sql.take_lanes, [processId, ...columns(wanted)]);
  const taken = rows.map((row) => ({
    consumerId: row['consumer_id'] as number,
    lane: row['lane'] as number,
    generation: row['generation'] as number,
    token: row['token'] as number,
    stopAt: row['stop_at'] as number,
    clean: row['clean'] as boolean,
  }));
  if (taken.length === 0) return [];
  const checkpoints = new Map<string, { readonly position: number; readonly dispatchLimit: number }>();
  const read = (await runArrays(database.operations, sql.read_checkpoints, columns(taken))) as number[][];
  for (const [consumerId, lane, position = 0, dispatchLimit = 0] of read) {
    checkpoints.set(`${consumerId}/${lane}`, { position, dispatchLimit });
  }
  return taken.flatMap((lane) => {
    const checkpoint = checkpoints.get(`${lane.consumerId}/${lane.lane}`);
    return checkpoint === undefined ? [] : [{ ...lane, ...checkpoint }];
  });
};

/** Gives lanes up and wakes who may want them. `clean`: nothing was left half done. */
export const releaseLanes = async (
  database: Database,
  lanes: readonly LaneRef[],
  { clean }: { readonly clean: boolean },
): Promise<void> => {
  if (lanes.length > 0) await run(database.operations, sql.release_lanes, [...columns(lanes), clean]);
};

export interface HandedOver {
  readonly generation: number;
  readonly barrier: number;
}

/**
 * Lets the next generation of a consumer lead: one transaction replaces its lanes by new ones at the barrier. Null when
 * there is nothing to hand over (any more): somebody else did it, works a lane, or a lane is not there yet.
 */
export const handOverGeneration = async (
  database: Database,
  consumerId: number,
  dead: readonly number[],
): Promise<HandedOver | null> => {
  const { value } = await engineTransaction(database.operations, async (client) => {
    const [consumer] = await run(client, sql.lock_consumer, [consumerId]);
    if (consumer === undefined) return null;
    const [next] = await run(client, sql.next_generation, [consumerId, consumer['generation']]);
    if (next === undefined) return null;
    const barrier = next['barrier'] as number;
    const lanes = await run(client, sql.lock_lanes_at_barrier, [consumerId, dead, barrier]);
    if (!lanes.every((lane) => lane['ready'] === true)) return null;
    // Tokens only rise, also for a lane number that was not there for a while.
    const token = Math.max(0, ...lanes.map((lane) => lane['token'] as number)) + 1;
    const released = lanes.every((lane) => lane['released'] === true);
    const generation = next['generation'] as number;
    const count = next['lanes'] as number;
    await run(client, sql.remove_lanes, [consumerId]);
    await run(client, sql.remove_checkpoints, [consumerId]);
    await run(client, sql.insert_lanes, [consumerId, generation, count, token, released]);
    await run(client, sql.insert_checkpoints, [consumerId, count, barrier]);
    const { accepted_by: by, accepted_because: because } = next;
    if (by !== null) {
      const reason = because ?? 'its type was dropped';
      await run(client, sql.discard_dropped, [consumerId, next['types'], by, reason]);
    }
    await run(client, sql.lead_generation, [
      consumerId,
      generation,
      next['types'],
      next['key_version'],
      count,
    ]);
    return { generation, barrier };
  });
  return value;
};
