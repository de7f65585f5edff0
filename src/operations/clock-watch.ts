import type { Clock } from '../foundation/index.ts';
import { loadQueries, type Queryable, run } from '../postgres/index.ts';
import type { ConsumerFacts } from './facts.ts';
import { clockToleranceMs } from './limits.ts';

const sql = loadQueries<'note_jump'>(new URL('./objectives.sql', import.meta.url));

/** Two clocks that both go right differ by less than this share of the time that passed. */
const driftShare = 0.000_5;

interface Seen {
  readonly atMs: number;
  readonly nowMs: number;
}

interface Jump {
  readonly atMs: number;
  readonly byMs: number;
  readonly head: number;
}

/**
 * Watches the database's clock against the monotonic one of this process, which can't jump: from one measurement to the next both
 * move alike. A jump is remembered here and stored for processes that begin to look later.
 */
export class ClockWatch {
  readonly #clock: Clock;
  #last: Seen | null = null;
  #jump: Jump | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The same facts with the jump that this process has seen. `atMs`: when the measurement began. */
  async examine(on: Queryable, consumers: readonly ConsumerFacts[], atMs: number): Promise<ConsumerFacts[]> {
    const [any] = consumers;
    if (any === undefined) return [];
    const byMs = this.#drift({ atMs, nowMs: any.databaseClock.nowMs });
    if (byMs !== 0) {
      this.#jump = { atMs, byMs, head: any.head };
      // Where it can't be stored (a role that may only look) it is known here all the same.
      await run(on, sql.note_jump, [byMs, any.head]).catch(() => undefined);
    }
    return consumers.map((facts) => this.#withJump(facts));
  }

  /** Milliseconds by which the database's clock moved too far since the last look; 0 when it goes right. */
  #drift(seen: Seen): number {
    const last = this.#last;
    this.#last = seen;
    if (last === null) return 0;
    const passedMs = seen.atMs - last.atMs;
    const byMs = Math.round(seen.nowMs - last.nowMs - passedMs);
    return Math.abs(byMs) > clockToleranceMs + passedMs * driftShare ? byMs : 0;
  }

  #withJump(facts: ConsumerFacts): ConsumerFacts {
    const jump = this.#jump;
    if (jump === null) return facts;
    const { databaseClock } = facts;
    const agoMs = this.#clock.monotonic() - jump.atMs;
    if (databaseClock.jump !== null && databaseClock.jump.agoMs >= 0 && databaseClock.jump.agoMs < agoMs)
      return facts;
    return {
      ...facts,
      databaseClock: { ...databaseClock, jump: { agoMs, byMs: jump.byMs, head: jump.head } },
    };
  }
}
