import type pg from 'pg';
import { FactlineError } from '../../foundation/index.ts';
import { loadQueries, type Queryable, run } from '../../postgres/index.ts';
import { type Actor, engineActor } from '../authority/actor.ts';
import { perform } from '../authority/perform.ts';
import { nextState } from '../lifecycle/lifecycle.ts';
import {
  actOnReplay,
  explainRefusal,
  type Moved,
  moveReplay,
  stepRefused,
} from '../lifecycle/move-replay.ts';
import { reasonMin } from '../request/manifest.ts';
import { type Replay, readReplay } from '../request/replay.ts';

const sql = loadQueries<'insert_approval' | 'count_approvals'>(new URL('./approval.sql', import.meta.url));

export interface Decision {
  readonly actor: Actor;
  readonly id: number;
  readonly reason?: string | undefined;
}

/**
 * Asks for approval of what was estimated. Where the policy asks for nobody else, it is approved with that.
 * @throws FactlineError REPLAY_STEP_REFUSED, REPLAY_CHANGED, FORBIDDEN
 */
export const requestReplay = async (pool: pg.Pool, { actor, id, reason }: Decision): Promise<Replay> => {
  await expireIfDue(pool, await readReplay(pool, id));
  await actOnReplay(pool, { actor, act: 'replay.request', id, step: 'request', reason });
  const { state, approvals } = await readReplay(pool, id);
  if (state === 'pending_approval' && approvals.required === 0) {
    const policy = engineActor('policy');
    const why = 'the policy asks for nobody else';
    await actOnReplay(pool, { actor: policy, act: 'replay.approve', id, step: 'approve', reason: why });
  }
  return readReplay(pool, id);
};

export interface ApprovalDecision extends Decision {
  /** The beginning of the digest that the approver has seen, at least eight characters. */
  readonly digest: string;
  /** Alone, in an emergency: loudly on record, with a reason of at least 15 characters. */
  readonly breakGlass?: boolean;
}

export const digestPrefixMin = 8;

/**
 * Approves exactly what has this digest. It begins to hold when enough other people than who planned and asked have
 * approved, which the database checks again.
 * @throws FactlineError DUTIES_NOT_SEPARATE, REPLAY_APPROVED_ALREADY, REPLAY_CHANGED, REPLAY_STEP_REFUSED, FORBIDDEN
 */
export const approveReplay = async (pool: pg.Pool, decision: ApprovalDecision): Promise<Replay> => {
  const { actor, id, reason, breakGlass = false } = decision;
  const replay = await readReplay(pool, id);
  await expireIfDue(pool, replay);
  if (nextState(replay.state, 'approve') === null) throw stepRefused(id, replay.state, 'approve');
  assertDigest(replay, decision.digest);
  if (breakGlass && (reason ?? '').trim().length < reasonMin) {
    const expected = `a reason of at least ${reasonMin} characters, since nobody else approves`;
    throw new FactlineError('OPTION_INVALID', { option: '--reason', expected, actual: reason ?? 'nothing' });
  }
  const act = {
    actor,
    act: breakGlass ? 'replay.break-glass' : 'replay.approve',
    target: `replay ${id}`,
    reason,
    details: (moved: Moved | null) => ({
      revision: replay.revision,
      digest: replay.frozen?.digest,
      ...moved,
    }),
  } as const;
  try {
    await perform(pool, act, async (client) => {
      await insertApproval(client, replay, { ...decision, breakGlass });
      const [row] = await run(client, sql.count_approvals, [id]);
      const enough = row?.['glass'] === true || Number(row?.['given']) >= Number(row?.['required']);
      return enough ? moveReplay(client, { id, step: 'approve' }) : null;
    });
  } catch (error) {
    throw await explainRefusal(pool, id, error);
  }
  return readReplay(pool, id);
};

const assertDigest = ({ id, frozen }: Replay, seen: string): void => {
  const digest = frozen?.digest ?? '';
  if (seen.length >= digestPrefixMin && digest.startsWith(seen)) return;
  throw new FactlineError('REPLAY_CHANGED', {
    replay: id,
    what: `its digest is ${digest.slice(0, 12)}, not ${seen}`,
  });
};

const insertApproval = async (
  client: Queryable,
  { id, revision, frozen, plannedBy, approvals }: Replay,
  { actor, breakGlass = false, reason = '' }: ApprovalDecision,
): Promise<void> => {
  const values = [id, revision, frozen?.digest, actor.name, breakGlass, reason === '' ? null : reason];
  try {
    await run(client, sql.insert_approval, values);
  } catch (error) {
    const { constraint } = error as { constraint?: string };
    const details = { actor: actor.name, replay: id };
    if (
      constraint === 'replay_approvals_not_by_requester' ||
      constraint === 'replay_approvals_not_by_planner'
    ) {
      const did =
        constraint === 'replay_approvals_not_by_planner' || plannedBy === actor.name
          ? 'planned'
          : 'requested';
      throw new FactlineError('DUTIES_NOT_SEPARATE', { ...details, did }, { cause: error });
    }
    if (constraint === 'replay_approvals_once') {
      const missing = approvals.required - approvals.given.length;
      throw new FactlineError('REPLAY_APPROVED_ALREADY', { ...details, missing }, { cause: error });
    }
    throw error;
  }
};

/** @throws FactlineError REPLAY_STEP_REFUSED, FORBIDDEN */
export const rejectReplay = async (pool: pg.Pool, { actor, id, reason }: Decision): Promise<Replay> => {
  await actOnReplay(pool, { actor, act: 'replay.reject', id, step: 'reject', reason });
  return readReplay(pool, id);
};

/** What was frozen too long ago expires when somebody wants to go on with it. @throws FactlineError REPLAY_CHANGED */
export const expireIfDue = async (pool: pg.Pool, { id, state, frozen }: Replay): Promise<void> => {
  if (frozen === null || !frozen.expired || nextState(state, 'expire') === null) return;
  await actOnReplay(pool, { actor: engineActor('clock'), act: 'replay.advance', id, step: 'expire' });
  const what = `it was frozen at ${frozen.at} and has expired; plan it anew`;
  throw new FactlineError('REPLAY_CHANGED', { replay: id, what });
};
