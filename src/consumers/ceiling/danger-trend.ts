import type { LiveDanger } from './live-danger.ts';

/** How far ahead is looked: the time until the next decision, and what was handed over before it still needs. */
const aheadSeconds = 1.25;

interface Look {
  readonly consumer: string | null;
  readonly danger: number;
  /** Seconds of any clock. */
  readonly at: number;
}

/**
 * Danger as it will be when the next decision is made, so that a burst is answered before it hurts: the present one and what its
 * growth since the last look adds. An event gets no older than a second in a second, whatever two looks say.
 */
export class DangerTrend {
  #last: Look | null = null;

  /** @example trend.ahead({ consumer: 'payment', danger: 0.3, promisedMs: 4_000 }, seconds) // 0.61 when it was 0 two looks ago */
  ahead({ consumer, danger, promisedMs }: LiveDanger, at: number): number {
    const last = this.#last;
    this.#last = { consumer, danger, at };
    if (promisedMs === undefined || last === null || at <= last.at) return danger;
    // Another consumer is the worst off now: where it stood then nobody has looked.
    const before = last.consumer === consumer ? last.danger : 0;
    const growth = Math.min((danger - before) / (at - last.at), 1_000 / promisedMs);
    return danger + Math.max(growth, 0) * aheadSeconds;
  }
}
