import type { Replay } from './replay.ts';

/** What somebody has to do before a replay begins. */
export interface WaitingFor {
  /** Its estimate, that approval of it is asked for, that others approve it, or that somebody begins it. */
  readonly step: 'estimate' | 'request' | 'approval' | 'run';
  readonly approvals: { readonly required: number; readonly given: readonly string[] };
  /** Who may not approve it: they planned it, asked for it, or have approved it. */
  readonly notBy: readonly string[];
  /** Until when what was frozen holds; ISO 8601. Null before the estimate. */
  readonly expiresAt: string | null;
  /** It holds no longer: it has to be estimated anew. */
  readonly expired: boolean;
}

const stepOf = {
  draft: 'estimate',
  estimating: 'estimate',
  estimated: 'request',
  pending_approval: 'approval',
  approved: 'run',
} as const satisfies Partial<Record<Replay['state'], WaitingFor['step']>>;

const hasNotBegun = (state: Replay['state']): state is keyof typeof stepOf => Object.hasOwn(stepOf, state);

/** Null for a replay that has begun, or has ended without that. */
export const waitingFor = (replay: Replay): WaitingFor | null => {
  const { state, frozen, approvals, plannedBy, requestedBy } = replay;
  if (!hasNotBegun(state)) return null;
  const expired = frozen?.expired === true;
  const given = approvals.given.map(({ approver }) => approver);
  return {
    step: expired ? 'estimate' : stepOf[state],
    approvals: { required: approvals.required, given },
    notBy: [...new Set([plannedBy, ...(requestedBy === null ? [] : [requestedBy]), ...given])],
    expiresAt: frozen?.expiresAt ?? null,
    expired,
  };
};
