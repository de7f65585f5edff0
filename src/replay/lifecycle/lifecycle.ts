/**
 * The life of a replay. One table, one function; every transition is stored together with its record in one transaction
 * (`move-replay.ts`), so a process that dies anywhere leaves a replay in exactly one of these states.
 *
 * A draft is written, its selection frozen and what it would do estimated; its requester asks for approval; enough other people
 * approve exactly that (revision and digest); it runs, first in canary steps, yields or is paused, verifies that every selected event has
 * reached a handled state, and ends. Any edit, and any new estimate, begins again without approvals. What was
 * frozen expires. Whatever has not ended can be aborted.
 *
 *   draft ──▶ estimating ──▶ estimated ──▶ pending_approval ──▶ approved ──▶ canary ──▶ running ──▶ verifying ──▶ done
 *     ▲           │ ▲            │                │  │              │          ▲ │       ▲  │         │  └──▶ done_with_failures
 *     └── edit ───┴─┴── estimate ┴────────────────┘  └▶ rejected ◀──┤          │ ▼       ▼  │         └─────▶ failed
 *                                                                   └▶ expired └── paused ──┘
 */
const table = {
  draft: { edit: 'draft', estimate: 'estimating', abort: 'aborted' },
  // A process that died while it estimated leaves this state: estimating begins again from here.
  estimating: { edit: 'draft', estimate: 'estimating', estimated: 'estimated', abort: 'aborted' },
  estimated: {
    edit: 'draft',
    estimate: 'estimating',
    request: 'pending_approval',
    expire: 'expired',
    abort: 'aborted',
  },
  pending_approval: {
    edit: 'draft',
    estimate: 'estimating',
    approve: 'approved',
    reject: 'rejected',
    expire: 'expired',
    abort: 'aborted',
  },
  approved: {
    edit: 'draft',
    estimate: 'estimating',
    reject: 'rejected',
    expire: 'expired',
    begin_canary: 'canary',
    begin: 'running',
    abort: 'aborted',
  },
  canary: { ramp: 'running', pause: 'paused', verify: 'verifying', fail: 'failed', abort: 'aborted' },
  running: { pause: 'paused', verify: 'verifying', fail: 'failed', abort: 'aborted' },
  paused: { resume_canary: 'canary', resume: 'running', fail: 'failed', abort: 'aborted' },
  verifying: {
    finish: 'done',
    finish_with_failures: 'done_with_failures',
    fail: 'failed',
    abort: 'aborted',
  },
  done: {},
  done_with_failures: {},
  aborted: {},
  failed: {},
  rejected: {},
  expired: {},
} as const satisfies Readonly<Record<string, Readonly<Record<string, string>>>>;

export type ReplayState = keyof typeof table;

type StepsOf<State extends ReplayState> = State extends ReplayState ? keyof (typeof table)[State] : never;
export type ReplayStep = StepsOf<ReplayState>;

export const replayStates = Object.keys(table) as readonly ReplayState[];

/** What follows from a step in a state; null where that step is not possible. */
export const nextState = (state: ReplayState, step: ReplayStep): ReplayState | null => {
  const steps: Readonly<Record<string, ReplayState>> = table[state];
  return Object.hasOwn(steps, step) ? (steps[step] ?? null) : null;
};

/** The steps that are possible in a state. */
export const stepsFrom = (state: ReplayState): readonly ReplayStep[] =>
  Object.keys(table[state]) as ReplayStep[];

/** Nothing follows. */
export const hasEnded = (state: ReplayState): boolean => stepsFrom(state).length === 0;

/** It works on its consumer: no other replay of that consumer may begin. */
export const isUnderWay = (state: ReplayState): boolean =>
  state === 'canary' || state === 'running' || state === 'paused' || state === 'verifying';
