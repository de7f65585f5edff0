import type { RunnerServices } from '../runner.ts';
import { type SuspectGate, suspectGateOf } from '../suspect-gate.ts';
import { deathsMax, type InstanceStore, type Suspect } from './instance-store.ts';

export interface SuspectsOptions {
  readonly services: RunnerServices;
  readonly store: InstanceStore;
  /** For the report of failures. */
  readonly unit: string;
  readonly freeSlots: () => number;
  readonly isAtWork: (id: number) => boolean;
  /** Has the instances run, as far as they are due; resolves when each has recorded something, or is gone. */
  readonly run: (instances: readonly number[]) => Promise<void>;
}

const failedMs = 1_000;

/**
 * What may have ended the process that had it in memory. All of it runs side by side first, with the attempt on record: most processes
 * end for other reasons. What is a suspect again after that runs alone, one at a time in the whole process, until it has recorded
 * something; an instance over which three processes have ended so is parked.
 */
export class Suspects {
  readonly #options: SuspectsOptions;
  readonly #gate: SuspectGate;
  readonly #suspects = new Map<number, Suspect>();

  constructor(options: SuspectsOptions) {
    this.#options = options;
    this.#gate = suspectGateOf(options.services.database);
  }

  get size(): number {
    return this.#suspects.size;
  }

  get ids(): readonly number[] {
    return [...this.#suspects.keys()];
  }

  add(suspect: Suspect): void {
    this.#suspects.set(suspect.id, suspect);
  }

  forget(lanes: readonly number[]): void {
    for (const { id, held } of [...this.#suspects.values()])
      if (lanes.includes(held.lane)) this.#suspects.delete(id);
  }

  /** Resolves when there are none left. */
  async run(): Promise<void> {
    const { signal } = new AbortController();
    while (this.#suspects.size > 0) {
      const turn = {};
      await this.#gate.enter(turn, signal);
      try {
        const group = this.#next();
        await this.#untilRun(group);
        for (const suspect of group)
          if (this.#suspects.get(suspect.id) === suspect) this.#suspects.delete(suspect.id);
      } finally {
        this.#gate.leave(turn);
      }
    }
  }

  /** As many as there are slots of those that nobody has died over yet; then the others, one by one. */
  #next(): readonly Suspect[] {
    const suspects = [...this.#suspects.values()];
    const together = suspects.filter(({ alone }) => !alone);
    if (together.length === 0) return suspects.slice(0, 1);
    return together.slice(0, Math.max(this.#options.freeSlots(), 1));
  }

  /** Suspects that could not be recorded are not forgotten. */
  async #untilRun(group: readonly Suspect[]): Promise<void> {
    const { services, unit, isAtWork } = this.#options;
    for (;;) {
      const held = group.filter(({ id, held: { dropped } }) => !dropped && !isAtWork(id));
      if (held.length === 0) return;
      try {
        return await this.#begin(held);
      } catch (error) {
        services.telemetry.emit('engine.error', { unit, error });
        await services.clock.sleep(failedMs);
      }
    }
  }

  async #begin(group: readonly Suspect[]): Promise<void> {
    const { store, run } = this.#options;
    const deaths = await store.beginSuspects(group, { together: group.length > 1 });
    const harmless: number[] = [];
    for (const { id, held } of group) {
      const died = deaths.get(id);
      if (died === undefined || held.dropped) continue;
      if (died < deathsMax) harmless.push(id);
      else await store.parkKiller(id, held);
    }
    if (harmless.length > 0) await run(harmless);
  }
}
