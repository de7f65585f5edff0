import { loadQueries, run } from '../../postgres/index.ts';
import { type ParkedHead, parkedHeads, parkedPositionsAbove } from '../parked/index.ts';
import type { LaneLease, RunnerServices } from '../runner.ts';

const sql = loadQueries<'write_checkpoints' | 'prune_inbox' | 'inbox_above' | 'forget_handled'>(
  new URL('./checkpoints.sql', import.meta.url),
);

/** What a new owner has to know before it works its lanes. */
export interface TakenState {
  /** Positions above the lowest checkpoint that are handled or parked already. */
  readonly known: Set<number>;
  readonly heads: readonly ParkedHead[];
}

/** Loads inbox and parked keys of newly taken lanes; the takeover has committed, so nothing changes under us. */
export const loadTakenState = async (
  services: RunnerServices,
  leases: readonly LaneLease[],
): Promise<TakenState> => {
  const { database, consumer } = services;
  const scope = { consumerId: consumer.id, replayId: 0 };
  const laneCount = leases[0]?.laneCount ?? 1;
  const lanes = leases.map(({ lane }) => lane);
  const after = Math.min(...leases.map(({ position }) => position));
  const fences = leases.map(({ lane, token }) => ({ lane, token, position: 0 }));
  await run(database.operations, sql.forget_handled, [consumer.id, JSON.stringify(fences), laneCount]);
  const inbox = await run(database.operations, sql.inbox_above, [consumer.id, laneCount, lanes, after]);
  const parked = await parkedPositionsAbove(database.operations, scope, { laneCount, lanes, after });
  const heads = await parkedHeads(database.operations, scope, { laneCount, lanes });
  return { known: new Set([...inbox.map((row) => Number(row['position'])), ...parked]), heads };
};
