import type pg from 'pg';
import type { Decision } from './approval/approve.ts';
import { actOnReplay } from './lifecycle/move-replay.ts';
import { type Replay, readReplay } from './request/replay.ts';

/** Stops handing events over; what is being handled ends. @throws FactlineError REPLAY_STEP_REFUSED, FORBIDDEN */
export const pauseReplay = async (pool: pg.Pool, { actor, id, reason }: Decision): Promise<Replay> => {
  await actOnReplay(pool, { actor, act: 'replay.pause', id, step: 'pause', reason });
  return readReplay(pool, id);
};

/** Goes on where it was: in its canary until that is through. @throws FactlineError REPLAY_STEP_REFUSED, FORBIDDEN */
export const resumeReplay = async (pool: pg.Pool, { actor, id, reason }: Decision): Promise<Replay> => {
  const { manifest, mode, run } = await readReplay(pool, id);
  const step = mode !== 'shadow' && run.released < (manifest.canary.at(-1) ?? 0) ? 'resume_canary' : 'resume';
  await actOnReplay(pool, { actor, act: 'replay.resume', id, step, reason });
  return readReplay(pool, id);
};

/** Ends it for good where it is; what was handled stays handled. @throws FactlineError REPLAY_STEP_REFUSED, FORBIDDEN */
export const abortReplay = async (pool: pg.Pool, { actor, id, reason }: Decision): Promise<Replay> => {
  await actOnReplay(pool, { actor, act: 'replay.abort', id, step: 'abort', reason });
  return readReplay(pool, id);
};
