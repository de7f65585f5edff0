import type { Clock, Timer } from '../../foundation/index.ts';
import { LiveCost, type LiveDelays, type LiveListener, preciseMs } from '../ceiling/index.ts';

/** It evens out what was handed over, and makes up for rests; how fast a replay is has been decided there. */
const headroom = 1.5;
/** So long an event of a replay waits at most for a moment in which no live one is being handled; never longer than a step. */
const gapMsMax = 20;
/** What came late is caught up by so much at once, since no timer is exact. */
const lateMsMax = 5;
/** While live events come it rests for a part of each round, to see how they fare without it. No multiple of anybody's beat. */
const roundMs = 1_730;
const restMs = 350;
/** Before a rest is quiet, what has begun ends. */
const quietAfterMs = 50;
/** Live events come, or the replay goes on, if the last one was less than so long ago. */
const recentMs = 1_000;

/**
 * When the next event of a replay may begin, so that live events hardly feel it: one by one in even steps instead of a lot at
 * once, and in gaps between live events where there are any. What they feel all the same, and those of other consumers of the
 * process, is measured.
 *
 *   ◄──────────── round ────────────►
 *   rest │ ·  ·  ·  ·  ·  ·  ·  ·  ·  rest │ ·  ·  ·      a step between events; shorter than the rate asks for
 */
export class RedeliveryPace {
  readonly #clock: Clock;
  readonly #liveDelays: LiveDelays;
  readonly #onMayBegin: () => void;
  readonly #cost = new LiveCost();
  /** Between two events; nothing begins before somebody has allowed it. */
  #stepMs = Infinity;
  /** On the monotonic clock, as all here but the rounds: not before. */
  #nextAt = -Infinity;
  /** Since when it has waited for a gap. */
  #waitingSince: number | null = null;
  #begunAt = -Infinity;
  #liveAt = -Infinity;
  #inFlight = 0;
  #timer: Timer | null = null;

  constructor(
    { clock, liveDelays }: { readonly clock: Clock; readonly liveDelays: LiveDelays },
    onMayBegin: () => void,
  ) {
    this.#clock = clock;
    this.#liveDelays = liveDelays;
    this.#onMayBegin = onMayBegin;
  }

  /** Events of the replay that run. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** Events a second that the whole replay is allowed now; 0: nothing begins. */
  allow(perSecond: number): void {
    const stepMs = perSecond <= 0 ? Infinity : 1_000 / (perSecond * headroom);
    const faster = stepMs < this.#stepMs;
    this.#stepMs = stepMs;
    if (!faster) return;
    this.#nextAt = Math.min(this.#nextAt, this.#clock.monotonic() + stepMs);
    // Who was told to wait need not wait that long any more.
    this.#stopTimer();
    this.#onMayBegin();
  }

  /** False: not now; it says when to ask again. */
  mayBegin(liveInFlight: number): boolean {
    if (this.#stepMs === Infinity) return false;
    const now = this.#clock.monotonic();
    const { since } = this.#round;
    if (now - this.#liveAt < recentMs && since < restMs) return this.#later(restMs - since);
    if (now < this.#nextAt) return this.#later(this.#nextAt - now);
    if (liveInFlight === 0) return true;
    this.#waitingSince ??= now;
    const left = this.#waitingSince + Math.min(gapMsMax, this.#stepMs) - now;
    return left <= 0 || this.#later(left);
  }

  began(): void {
    const now = this.#clock.monotonic();
    this.#inFlight += 1;
    this.#liveDelays.listen(this.#onLive);
    this.#begunAt = now;
    this.#waitingSince = null;
    this.#nextAt = Math.max(this.#nextAt, now - lateMsMax) + this.#stepMs;
  }

  ended(): void {
    this.#inFlight -= 1;
  }

  /** Heard from the first event of a replay on until a while after the last. */
  readonly #onLive: LiveListener = (consumer, recordedAt) => {
    const now = this.#clock.monotonic();
    this.#liveAt = now;
    if (now - this.#begunAt > 2 * recentMs) return this.#liveDelays.forget(this.#onLive);
    const { since, round } = this.#round;
    const alone = this.#inFlight === 0 && since >= quietAfterMs && since < restMs;
    if (!alone && since < restMs + quietAfterMs) return;
    // How far the database's clock is from ours does not matter: delays are only compared with each other.
    this.#cost.note({ consumer, ms: now - preciseMs(recordedAt), alone, round, now });
  };

  /** Live events take longer beside it. Once answered it is measured anew: about another pace. */
  takeFelt(): boolean {
    const { felt } = this.#cost;
    if (felt) this.#cost.begin();
    return felt;
  }

  stop(): void {
    this.#liveDelays.forget(this.#onLive);
    this.#stopTimer();
  }

  #stopTimer(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  /** By the wall clock: processes that share a machine or a server rest together. */
  get #round(): { readonly round: number; readonly since: number } {
    const wall = this.#clock.wall().getTime();
    return { round: Math.floor(wall / roundMs), since: wall % roundMs };
  }

  #later(ms: number): false {
    this.#timer ??= this.#clock.timer(
      ms,
      () => {
        this.#timer = null;
        this.#onMayBegin();
      },
      { unref: true },
    );
    return false;
  }
}
