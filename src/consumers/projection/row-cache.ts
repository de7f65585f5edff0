import type { KeyData, RowData, RowKey } from './table.ts';

/** What is known of one row: its content, or that there is none. */
export interface CachedRow {
  readonly id: string;
  readonly key: KeyData;
  row: RowData | null;
  /** The batch that changed it last, so that a row stands once in a batch's writes. */
  changedIn: number;
}

/**
 * Rows as they will be once everything folded so far has committed. Valid only while the lane is held: nobody else
 * writes the table, and the fenced statement refuses the write if somebody does. After a failed write it is cleared.
 *
 * Two generations instead of a list in order of use: when the young one is full it becomes the old one, whose rows are
 * forgotten unless they are used again. So at least the last `rowsMax / 2` rows used are always there, which is more
 * than the batches under way can touch.
 */
export class RowCache {
  readonly #youngMax: number;
  readonly #youngBytesMax: number;
  #young = new Map<string, CachedRow>();
  #old = new Map<string, CachedRow>();
  #youngBytes = 0;
  /** Every row of the table is in here: a row that is not does not exist. */
  #complete = false;

  constructor(limits: { readonly rowsMax: number; readonly bytesMax: number }) {
    this.#youngMax = limits.rowsMax / 2;
    this.#youngBytesMax = limits.bytesMax / 2;
  }

  get size(): number {
    return this.#young.size + this.#old.size;
  }

  /** To be called when the table is known to be empty: until the first row is forgotten, nothing need be read. */
  startEmpty(): void {
    this.clear();
    this.#complete = true;
  }

  clear(): void {
    this.#young.clear();
    this.#old.clear();
    this.#youngBytes = 0;
    this.#complete = false;
  }

  /** Undefined when the row has to be read first. */
  get(key: RowKey): CachedRow | undefined {
    const young = this.#young.get(key.id);
    if (young !== undefined) return young;
    const old = this.#old.get(key.id);
    if (old !== undefined) return this.#insert(old);
    return this.#complete ? this.put(key, null) : undefined;
  }

  /** What was read of the row: null when it is not there. */
  put(key: RowKey, row: RowData | null): CachedRow {
    return this.#insert({ id: key.id, key: key.key, row, changedIn: 0 });
  }

  /** Rows of this size were written; between batches only, since it may forget rows. */
  grow(bytes: number): void {
    this.#youngBytes += bytes;
    if (this.#young.size <= this.#youngMax && this.#youngBytes <= this.#youngBytesMax) return;
    if (this.#old.size > 0) this.#complete = false;
    this.#old = this.#young;
    this.#young = new Map();
    this.#youngBytes = 0;
  }

  #insert(entry: CachedRow): CachedRow {
    this.#young.set(entry.id, entry);
    return entry;
  }
}
