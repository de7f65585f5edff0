import type pg from 'pg';
import { loadQueries, run } from '../postgres/index.ts';
import { engineActor } from './authority/actor.ts';
import { actOnReplay, type Moved } from './lifecycle/move-replay.ts';

const sql = loadQueries<'note_outcome'>(new URL('./run-port.sql', import.meta.url));

/** A step that follows by itself; on record as the engine's. */
export const advanceState = (
  pool: pg.Pool,
  {
    id,
    step,
    reason,
  }: { readonly id: number; readonly step: 'ramp' | 'verify' | 'fail' | 'pause'; readonly reason: string },
): Promise<Moved> =>
  actOnReplay(pool, {
    actor: engineActor('replay'),
    act: 'replay.advance',
    id,
    step,
    reason,
    pausedBy: 'guard',
  });

/** The end: the outcome is stored with the transition. */
export const finishReplay = (
  pool: pg.Pool,
  {
    id,
    outcome,
    failures,
  }: { readonly id: number; readonly outcome: Readonly<Record<string, unknown>>; readonly failures: boolean },
): Promise<Moved> =>
  actOnReplay(
    pool,
    {
      actor: engineActor('replay'),
      act: 'replay.advance',
      id,
      step: failures ? 'finish_with_failures' : 'finish',
      details: { outcome },
    },
    async (client) => {
      await run(client, sql.note_outcome, [id, JSON.stringify(outcome)]);
    },
  );
