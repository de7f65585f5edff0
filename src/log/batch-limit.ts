/** What one read may bring into memory at most, about. */
const bytesMax = 8 * 1024 * 1024;

/**
 * How many rows the next read asks for: begins low, doubles while rows are small, and falls when they are large,
 * since a payload may have a megabyte and LIMIT counts rows only.
 */
export class BatchLimit {
  readonly #rowsMax: number;
  #rows: number;

  constructor(options: { readonly rowsStart: number; readonly rowsMax: number }) {
    this.#rows = options.rowsStart;
    this.#rowsMax = options.rowsMax;
  }

  get rows(): number {
    return this.#rows;
  }

  /** Learns from a read that returned this much. */
  learn(rows: number, bytes: number): void {
    if (rows === 0) return;
    const fitting = Math.max(1, Math.floor(bytesMax / (bytes / rows)));
    const grown = rows >= this.#rows ? this.#rows * 2 : this.#rows;
    this.#rows = Math.min(grown, fitting, this.#rowsMax);
  }
}
