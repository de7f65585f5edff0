import type { StoredEvent } from '../../log/index.ts';
import type { HeldPart } from '../runner.ts';

/** The types and keys that a person has paused: their events wait in `parked`, and what comes behind them in their keys. */
export class Holds {
  #types: ReadonlySet<string> = new Set();
  #keys: ReadonlySet<string> = new Set();

  /** Answers whether anything may go on that was held before. */
  set(parts: readonly HeldPart[]): boolean {
    const types = new Set(parts.filter(({ scope }) => scope === 'type').map(({ value }) => value));
    const keys = new Set(parts.filter(({ scope }) => scope === 'key').map(({ value }) => value));
    const lifted =
      [...this.#types].some((type) => !types.has(type)) || [...this.#keys].some((key) => !keys.has(key));
    this.#types = types;
    this.#keys = keys;
    return lifted;
  }

  has({ type, key }: Pick<StoredEvent, 'type' | 'key'>): boolean {
    return this.#types.has(type) || this.#keys.has(key);
  }
}
