/*
 * The release of a group, as it stands in `quarantine_releases`:
 *
 *   (asked for) ──canary given──► canary ──all of the canary handled──► releasing ──all ended──► done
 *        │                          │ one failed, or is gone               │ too many failed again
 *        └──without canary──► releasing                                    │
 *                                   └──────────────► stopped ◄─────────────┘
 *        canary, releasing ──a person──► cancelled
 *
 * What was not sent when it stopped stays in quarantine. What was sent ends by itself: nothing is taken back.
 */
export type ReleaseState = 'canary' | 'releasing' | 'done' | 'stopped' | 'cancelled';

/** Items of the selection by what has become of them. */
export interface ReleaseCounts {
  /** Not sent yet. */
  readonly selected: number;
  /** Sent, and neither handled nor failed. */
  readonly sent: number;
  /** The consumer says so: the event's parked rows went with the proof that it was handled. */
  readonly handled: number;
  /** In quarantine again. */
  readonly failed: number;
  /** Discarded, or otherwise gone, before their turn. */
  readonly gone: number;
}

export interface ReleaseFacts {
  readonly state: ReleaseState;
  readonly canary: ReleaseCounts;
  readonly rest: ReleaseCounts;
  /** Failures of the rest after which nothing more is sent. */
  readonly stopAfter: number;
  /** The consumer is no longer there to answer. */
  readonly retired: boolean;
}

export interface ReleaseStep {
  readonly state: ReleaseState;
  readonly reason: string | null;
}

const open = ({ selected, sent }: ReleaseCounts): number => selected + sent;

/** What follows from what the consumer has confirmed: the only place that changes a release's state. */
export const nextReleaseState = (facts: ReleaseFacts): ReleaseStep => {
  const { state, canary, rest, stopAfter, retired } = facts;
  const stay = { state, reason: null };
  if (state !== 'canary' && state !== 'releasing') return stay;
  if (retired) return { state: 'stopped', reason: 'the consumer was retired' };
  if (state === 'canary') {
    if (canary.failed > 0) return { state: 'stopped', reason: `${canary.failed} of the canary failed again` };
    if (open(canary) > 0) return stay;
    if (canary.handled === 0) return { state: 'stopped', reason: 'nothing is left of the canary' };
    return open(rest) > 0 ? { state: 'releasing', reason: null } : { state: 'done', reason: null };
  }
  if (rest.failed >= stopAfter) return { state: 'stopped', reason: `${rest.failed} failed again` };
  return open(rest) > 0 ? stay : { state: 'done', reason: null };
};
