import type pg from 'pg';
import { FactlineError } from '../../foundation/index.ts';
import { loadQueries, type Queryable, run, sqlState } from '../../postgres/index.ts';
import type { Actor } from '../authority/actor.ts';
import type { ActName } from '../authority/acts.ts';
import { perform } from '../authority/perform.ts';
import { hasEnded, nextState, type ReplayState, type ReplayStep, stepsFrom } from './lifecycle.ts';

const sql = loadQueries<'lock_state' | 'move' | 'busy_with'>(new URL('./lifecycle.sql', import.meta.url));

export interface Move {
  readonly id: number;
  readonly step: ReplayStep;
  /** Of a pause: who decided it, and why. Of a request: who asks. */
  readonly by?: string;
  readonly reason?: string | undefined;
  readonly pausedBy?: 'person' | 'guard';
}

/** What a transition was, as it goes on record. */
export interface Moved {
  readonly from: ReplayState;
  readonly to: ReplayState;
  readonly revision: number;
  readonly digest: string | null;
  /** The number of the latest estimate. */
  readonly freeze: number;
}

/**
 * One transition, in the transaction of its record. The row stays locked to the commit, so steps come one after the other.
 * @throws FactlineError REPLAY_UNKNOWN, REPLAY_STEP_REFUSED, REPLAY_NOT_APPROVED, REPLAY_CHANGED, REPLAY_CONSUMER_BUSY
 */
export const moveReplay = async (client: Queryable, move: Move): Promise<Moved> => {
  const { id, step, by = null, reason = null, pausedBy = 'person' } = move;
  const [row] = await run(client, sql.lock_state, [id]);
  if (row === undefined) throw new FactlineError('REPLAY_UNKNOWN', { replay: id });
  const from = row['state'] as ReplayState;
  const to = nextState(from, step);
  if (to === null) throw stepRefused(id, from, step);
  const [moved] = await run(client, sql.move, [id, to, pausedBy, by, reason, hasEnded(to)]);
  const digest = row['digest'] as string | null;
  return { from, to, revision: Number(row['revision']), digest, freeze: Number(moved?.['freeze_number']) };
};

export const stepRefused = (id: number, state: ReplayState, step: ReplayStep): FactlineError =>
  new FactlineError('REPLAY_STEP_REFUSED', {
    replay: id,
    state: state.replaceAll('_', ' '),
    step: commandOf[step] ?? step,
    possible:
      [...new Set(stepsFrom(state).flatMap((each) => commandOf[each] ?? []))].join(', ') ||
      'nothing: it has ended',
  });

/** What people call the steps that they take; the others follow by themselves. */
const commandOf: Readonly<Partial<Record<ReplayStep, string>>> = {
  edit: 'plan --revise',
  estimate: 'estimate',
  request: 'request',
  approve: 'approve',
  reject: 'reject',
  begin_canary: 'run',
  begin: 'run',
  pause: 'pause',
  resume_canary: 'resume',
  resume: 'resume',
  abort: 'abort',
};

export interface ActOnReplay extends Omit<Move, 'by'> {
  readonly actor: Actor;
  readonly act: ActName;
  readonly details?: Readonly<Record<string, unknown>>;
}

/**
 * A person's or the engine's transition, with its record. `work` goes into the same transaction, before the transition.
 * @throws FactlineError FORBIDDEN, and as `moveReplay`
 */
export const actOnReplay = async (
  pool: pg.Pool,
  action: ActOnReplay,
  work?: (client: pg.PoolClient) => Promise<void>,
): Promise<Moved> => {
  const { actor, act, id, reason, details } = action;
  const onRecord = {
    actor,
    act,
    target: `replay ${id}`,
    reason,
    details: (moved: Moved) => ({ ...details, ...moved }),
  };
  try {
    return await perform(pool, onRecord, async (client) => {
      await work?.(client);
      return moveReplay(client, { ...action, by: actor.name });
    });
  } catch (error) {
    throw await explainRefusal(pool, id, error);
  }
};

/** What the database itself refuses about a replay, as errors of the catalogue. */
export const explainRefusal = async (on: Queryable, id: number, error: unknown): Promise<unknown> => {
  const { message, detail, constraint } = error as { message: string; detail?: string; constraint?: string };
  const state = sqlState(error);
  if (state === 'FL007') {
    const [row] = await run(on, sql.lock_state, [id]);
    return new FactlineError(
      'REPLAY_NOT_APPROVED',
      { replay: id, given: detail, required: row?.['approvals_required'] },
      { cause: error },
    );
  }
  if (state === 'FL008' || state === 'FL009')
    return new FactlineError('REPLAY_CHANGED', { replay: id, what: message }, { cause: error });
  if (constraint === 'replays_one_under_way') {
    const [row] = await run(on, sql.lock_state, [id]);
    const [other] = await run(on, sql.busy_with, [row?.['consumer']]);
    const details = { consumer: row?.['consumer'], other: other?.['id'] };
    return new FactlineError('REPLAY_CONSUMER_BUSY', details, { cause: error });
  }
  return error;
};
