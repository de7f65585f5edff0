import type { ContractSet, FactEvent } from '../../contracts/index.ts';
import { type Clock, FactlineError, type Randomness } from '../../foundation/index.ts';
import type { StoredEvent } from '../../log/index.ts';
import { contractSetOf } from '../definition.ts';
import type { PreparedBatch } from './batch-writer.ts';
import type { FoldingProjection } from './definition.ts';
import { evolveRow, rowKeysOf } from './fold.ts';
import type { ParkedKeys } from './parked-keys.ts';
import { failedEvent, type ParkedEvent, waitingEvent } from './parking.ts';
import { type CachedRow, RowCache } from './row-cache.ts';
import type { RowWrites } from './statements.ts';
import { type KeyData, type RowData, type RowKey, rowKeyText } from './table.ts';

export interface FoldedBatch extends PreparedBatch {
  readonly rows: RowWrites;
}

export interface OpenedEvent {
  readonly stored: StoredEvent;
  readonly event: FactEvent | null;
  /** Null when the event could not be opened far enough to know them. */
  readonly keys: readonly RowKey[] | null;
  readonly error: unknown;
}

export interface FoldingOptions {
  readonly projection: FoldingProjection;
  readonly parked: ParkedKeys;
  readonly clock: Clock;
  readonly randomness: Randomness;
  /** Other lanes fold the rows of other keys of events: an event must not reach beyond its own. Default: false. */
  readonly keyedByEvent?: boolean;
  /** The rows of these keys that exist. */
  readonly readRows: (keys: readonly KeyData[]) => Promise<readonly RowData[]>;
}

/** Rows kept in memory while the lane is held: more than the largest batches under way touch, in at most about 64 MB. */
const cacheLimits = { rowsMax: 50_000, bytesMax: 64 * 1024 * 1024 };

/**
 * Events into rows, in memory. What it holds is ahead of the table by the batches that are not committed yet; when one
 * of them fails, `clear` throws all of it away.
 */
export class Folding {
  readonly #options: FoldingOptions;
  readonly #contracts: ContractSet;
  readonly #cache = new RowCache(cacheLimits);
  #batch = 0;

  constructor(options: FoldingOptions) {
    this.#options = options;
    this.#contracts = contractSetOf(options.projection);
  }

  /** `untouched`: the table is empty, so a row that is not in memory does not exist. */
  clear(untouched = false): void {
    if (untouched) this.#cache.startEmpty();
    else this.#cache.clear();
  }

  /** A write of this size was committed; between batches only, since rows may be forgotten. */
  grow(bytes: number): void {
    this.#cache.grow(bytes);
  }

  open(stored: StoredEvent): OpenedEvent {
    try {
      const event = this.#contracts.open(stored);
      const keys = rowKeysOf(this.#options.projection, event);
      if (this.#options.keyedByEvent) this.#checkKey(stored, keys);
      return { stored, event, keys, error: null };
    } catch (error) {
      return { stored, event: null, keys: null, error };
    }
  }

  #checkKey(stored: StoredEvent, keys: readonly RowKey[]): void {
    const row = keys.map(({ key }) => rowKeyText(key)).join();
    if (row === stored.key) return;
    const { name } = this.#options.projection;
    throw new FactlineError('PROJECTION_NOT_SHARDABLE', { projection: name, key: stored.key, row });
  }

  /** Reads the rows that are not in memory in one statement, then folds without another wait. */
  async foldBatch(events: readonly StoredEvent[]): Promise<FoldedBatch> {
    const opened: OpenedEvent[] = [];
    for (const stored of events) opened.push(this.open(stored));
    await this.#load(opened);
    return this.#fold(events, opened);
  }

  /** One event that heads all its keys. Throws what it fails with. */
  async foldOne(opened: OpenedEvent): Promise<RowWrites> {
    if (opened.event === null) throw opened.error;
    await this.#load([opened]);
    return writesOf(this.#evolve(opened.event, opened.keys ?? []));
  }

  async #load(opened: readonly OpenedEvent[]): Promise<void> {
    const missing = new Map<string, KeyData>();
    for (const { keys } of opened) {
      if (keys === null) continue;
      for (const key of keys) if (this.#cache.get(key) === undefined) missing.set(key.id, key.key);
    }
    if (missing.size === 0) return;
    const found = new Map<string, RowData>();
    for (const row of await this.#options.readRows([...missing.values()])) found.set(this.#idOf(row), row);
    for (const [id, key] of missing) this.#cache.put({ id, key }, found.get(id) ?? null);
  }

  #idOf(row: RowData): string {
    const { keyColumns } = this.#options.projection.table;
    if (keyColumns.length === 1) return String(row[keyColumns[0]?.name ?? '']);
    return JSON.stringify(keyColumns.map((column) => row[column.name]));
  }

  /** No await in here: what is decided about parked keys holds for the whole batch. */
  #fold(events: readonly StoredEvent[], opened: readonly OpenedEvent[]): FoldedBatch {
    const { parked } = this.#options;
    this.#batch += 1;
    const changed: CachedRow[] = [];
    const parks: ParkedEvent[] = [];
    for (const each of opened) {
      const waits = parked.size > 0 ? this.#waitsFor(each) : null;
      if (waits !== null) {
        parks.push(this.#park(waitingEvent(each.stored, waits)));
      } else if (each.event === null) {
        parks.push(this.#park(this.#failed(each, each.error)));
      } else {
        try {
          for (const row of this.#evolve(each.event, each.keys ?? [])) {
            if (row.changedIn === this.#batch) continue;
            row.changedIn = this.#batch;
            changed.push(row);
          }
        } catch (error) {
          parks.push(this.#park(this.#failed(each, error)));
        }
      }
    }
    return { events, parks, handled: events.length - parks.length, rows: writesOf(changed) };
  }

  /** All or nothing: when one of its rows fails, the event has changed none. Answers the rows that are different now. */
  #evolve(event: FactEvent, keys: readonly RowKey[]): readonly CachedRow[] {
    const [only] = keys;
    if (only !== undefined && keys.length === 1) {
      const row = this.#row(only);
      const after = evolveRow(this.#options.projection, row, event);
      if (after === row.row) return [];
      row.row = after;
      return [row];
    }
    const changes: { row: CachedRow; after: RowData | null }[] = [];
    for (const key of keys) {
      const row = this.#row(key);
      const after = evolveRow(this.#options.projection, row, event);
      if (after !== row.row) changes.push({ row, after });
    }
    for (const { row, after } of changes) row.row = after;
    return changes.map(({ row }) => row);
  }

  #row(key: RowKey): CachedRow {
    return this.#cache.get(key) ?? this.#cache.put(key, null);
  }

  /** The keys that an event waits on, when any of them is parked: then on all of them. */
  #waitsFor(opened: OpenedEvent): readonly string[] | null {
    const { parked } = this.#options;
    const keys = keyTexts(opened);
    if (keys.some((key) => parked.has(key))) return keys;
    // An event that failed before its rows were known holds back the later events of its own key.
    if (!parked.has(opened.stored.key)) return null;
    return [...keys, opened.stored.key];
  }

  #failed(opened: OpenedEvent, error: unknown): ParkedEvent {
    const failed = { stored: opened.stored, keys: keyTexts(opened), error, attemptsBefore: 0 };
    return failedEvent(this.#options.projection, failed, this.#options.randomness);
  }

  #park(event: ParkedEvent): ParkedEvent {
    const { parked, clock } = this.#options;
    const { stored, state, delayMs } = event;
    const dueAt = delayMs === null ? null : clock.monotonic() + delayMs;
    for (const key of event.keys) parked.append(key, { position: stored.position, state, dueAt });
    return event;
  }
}

/** Under which keys an event is parked: its rows, or its own key when its rows are not known. */
export const keyTexts = ({ stored, keys }: OpenedEvent): readonly string[] => {
  if (keys === null || keys.length === 0) return [stored.key];
  return keys.map(({ key }) => rowKeyText(key));
};

const writesOf = (changed: readonly CachedRow[]): RowWrites => {
  const upserts: RowData[] = [];
  const deletes: KeyData[] = [];
  for (const { row, key } of changed) {
    if (row === null) deletes.push(key);
    else upserts.push(row);
  }
  return { upserts, deletes };
};
