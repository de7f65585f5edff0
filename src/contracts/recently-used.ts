/** So many values by their text; of more, the longest unused is forgotten. */
export class RecentlyUsed<Value> {
  readonly #values = new Map<string, Value>();
  readonly #max: number;

  constructor(max: number) {
    this.#max = max;
  }

  get(text: string): Value | undefined {
    return this.#values.get(text);
  }

  /** Counts as its latest use. */
  keep(text: string, value: Value): void {
    this.#values.delete(text);
    this.#values.set(text, value);
    const [oldest] = this.#values.size > this.#max ? this.#values.keys() : [];
    if (oldest !== undefined) this.#values.delete(oldest);
  }
}
