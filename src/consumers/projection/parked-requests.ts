import { FactlineError } from '../../foundation/index.ts';
import { findDiscarded, findParkedRows, obstacleToRestoring } from '../parked/index.ts';
import type { OwnerAnswer, OwnerRequest, RunnerServices } from '../runner.ts';
import type { LaneStore } from './lane-store.ts';
import type { LaneWorker } from './lane-worker.ts';

/** The lane as far as people's decisions about parked events need it. */
export interface RequestedLane {
  readonly worker: LaneWorker;
  readonly store: LaneStore;
  readonly services: RunnerServices;
}

/** Part of the release of a group: its events may run again. What became of each is seen by who asked. */
export const releaseEvents = async (lane: RequestedLane, request: OwnerRequest): Promise<OwnerAnswer> => {
  const { worker, store, services } = lane;
  const given = request.arguments['ids'];
  const ids = (Array.isArray(given) ? given : [request.parkedId]).filter((id) => Number.isSafeInteger(id));
  const found = await findParkedRows(services.database.operations, ids);
  const own = found.filter(
    ({ consumerId, state }) => consumerId === services.consumer.id && state === 'quarantined',
  );
  const positions = [...new Set(own.map(({ position }) => position))].sort((a, b) => a - b);
  await worker.between(async () => {
    const keys = new Set<string>();
    for (const position of positions) for (const key of await store.release(position)) keys.add(key);
    await worker.refreshHeads([...keys]);
  });
  return { state: 'done', answer: { asked: ids.length, released: positions.length } };
};

/**
 * A discarded event goes back into quarantine, before what of its keys was not handled since.
 * @throws FactlineError QUARANTINE_NOT_FOUND, RESTORE_REFUSED
 */
export const restoreEvent = async (lane: RequestedLane, request: OwnerRequest): Promise<OwnerAnswer> => {
  const { worker, store, services } = lane;
  const id = request.parkedId ?? 0;
  const force = request.arguments['force'] === true;
  const keys = await worker.between(async () => {
    const found = await findDiscarded(services.database.operations, id);
    if (found === null || found.consumerId !== services.consumer.id)
      throw new FactlineError('QUARANTINE_NOT_FOUND', { id });
    const obstacle = obstacleToRestoring(found, { projection: true, force });
    if (obstacle !== null) throw new FactlineError('RESTORE_REFUSED', { id, ...obstacle });
    const restored = await store.restore(id);
    await worker.refreshHeads(restored);
    return restored;
  });
  return { state: 'done', answer: { id, keys, force } };
};
