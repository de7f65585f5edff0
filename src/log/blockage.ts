import type { Background, Clock, Telemetry } from '../foundation/index.ts';
import { describeBlocker, type TailBlocked } from './holder-report.ts';
import type { Settling } from './settling.ts';
import type { TailSession } from './tail-session.ts';

/** One that ends sooner is ordinary traffic. */
const shownAfterMs = 500;
const refreshMs = 2000;

export interface BlockageOptions {
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  readonly session: TailSession;
  readonly background: Background;
}

/** What one pass found at the end of what is settled. */
export interface PassFacts {
  readonly state: Settling | null;
  /** The position that a later visible one waits for. */
  readonly gap: number | null;
  /** The next position was given and is neither visible nor dead. */
  readonly unfinished: boolean;
}

/** Keeps account of the position that is waited for: since when, over how many reads, for whom. */
export class Blockage {
  readonly #options: BlockageOptions;
  #open: { readonly position: number; readonly since: number; reads: number } | null = null;
  #shown: TailBlocked | null = null;
  #emitted = false;
  #describedAt = Number.NEGATIVE_INFINITY;

  constructor(options: BlockageOptions) {
    this.#options = options;
  }

  /** Passes in a row that ended before the same unfinished position. */
  get reads(): number {
    return this.#open?.reads ?? 0;
  }

  /** Whom the tail has been waiting for; null when it has not, or not for long. */
  get shown(): TailBlocked | null {
    return this.#shown;
  }

  note(facts: PassFacts): void {
    const now = this.#options.clock.monotonic();
    const position = (facts.state?.settled ?? 0) + 1;
    if (!facts.unfinished) this.#open = null;
    else if (this.#open?.position === position) this.#open.reads += 1;
    else this.#open = { position, since: now, reads: 1 };
    const ageMs = this.#open === null ? 0 : now - this.#open.since;
    const seconds = facts.gap === null ? 0 : ageMs / 1000;
    this.#options.telemetry.metrics.set('factline_tail_blocked_seconds', {}, seconds);
    if (this.#open !== null && ageMs >= shownAfterMs) this.#show(facts, position, ageMs);
    else this.#clear();
  }

  #show(facts: PassFacts, position: number, ageMs: number): void {
    const { clock, session, background } = this.#options;
    const current = { position, ageMs, visibleBehind: facts.gap !== null };
    if (this.#shown !== null) this.#shown = { ...this.#shown, ...current };
    if (facts.state === null || clock.monotonic() - this.#describedAt < refreshMs) return;
    this.#describedAt = clock.monotonic();
    const { state } = facts;
    background.run(async () => {
      const blocked = await describeBlocker(session, state, current);
      // The answer may come after the transaction has ended.
      if (this.#open?.position !== position) return;
      this.#shown = blocked;
      if (!this.#emitted && blocked.visibleBehind) this.#emit(blocked);
    });
  }

  #emit({ pid, query, ageMs, position }: TailBlocked): void {
    this.#emitted = true;
    this.#options.telemetry.emit('tail.blocked', { pid, query, ageMs, position });
  }

  #clear(): void {
    const shown = this.#shown;
    this.#shown = null;
    this.#describedAt = Number.NEGATIVE_INFINITY;
    if (!this.#emitted) return;
    this.#emitted = false;
    this.#options.telemetry.emit('tail.unblocked', { blockedMs: shown?.ageMs ?? 0 });
  }
}
