import type { EventContract, FactEvent } from '../../contracts/index.ts';
import type { StoredEvent } from '../../log/index.ts';
import { classifyDatabaseError, explain, isConnectionLost } from '../../postgres/index.ts';
import type { RunnerServices } from '../runner.ts';
import type { BatchWriter, DrainedEvent, PreparedBatch } from './batch-writer.ts';
import type { FoldingProjection } from './definition.ts';
import { contractsByType, evolveRow, openEvent, rowKeysOf } from './fold.ts';
import { isLaneLost, type LaneStore, type Move } from './lane-store.ts';
import type { ParkedKeys } from './parked-keys.ts';
import { failedEvent, type ParkedEvent, waitingEvent } from './parking.ts';
import { type CachedRow, RowCache } from './row-cache.ts';
import {
  type BuildStatements,
  buildStatements,
  keyParameters,
  type Parameters,
  type Proof,
  parseRow,
  type RowWrites,
  writeParameters,
} from './statements.ts';
import { type KeyData, type RowData, type RowKey, rowKeyText } from './table.ts';

export interface FoldedBatch extends PreparedBatch {
  readonly rows: RowWrites;
}

interface OpenedEvent {
  readonly stored: StoredEvent;
  readonly event: FactEvent | null;
  /** Null when the event could not be opened far enough to know them. */
  readonly keys: readonly RowKey[] | null;
  readonly error: unknown;
}

/** Rows kept in memory while the lane is held: more than the largest batches under way touch, in at most about 64 MB. */
const cacheLimits = { rowsMax: 50_000, bytesMax: 64 * 1024 * 1024 };

export interface FoldWriterOptions {
  readonly projection: FoldingProjection;
  /** The table that is written. */
  readonly relation: string;
  readonly store: LaneStore;
  readonly parked: ParkedKeys;
  readonly services: RunnerServices;
}

/** The folding form: rows in memory, one statement per batch. */
export class FoldWriter implements BatchWriter<FoldedBatch> {
  readonly divisible = true;
  readonly #options: FoldWriterOptions;
  readonly #projection: FoldingProjection;
  readonly #contracts: ReadonlyMap<string, EventContract>;
  readonly #statements: BuildStatements;
  readonly #cache = new RowCache(cacheLimits);
  #batch = 0;

  constructor(options: FoldWriterOptions) {
    this.#options = options;
    this.#projection = options.projection;
    this.#contracts = contractsByType(options.projection);
    this.#statements = buildStatements(options.projection.table, options.relation);
  }

  async reset(): Promise<void> {
    this.#cache.clear();
  }

  async prepare(events: readonly StoredEvent[]): Promise<FoldedBatch> {
    const opened: OpenedEvent[] = [];
    for (const stored of events) opened.push(this.#open(stored));
    await this.#load(opened);
    return this.#fold(events, opened);
  }

  async commit(batch: FoldedBatch, move: Move): Promise<void> {
    const { store } = this.#options;
    const write = this.#write('checkpoint', store.moveParameters(move), batch.rows);
    if (batch.parks.length === 0) {
      await store.execute(store.pool, write.query, write.values);
      this.#cache.grow(write.bytes);
      return;
    }
    await store.transaction(async (client) => {
      await store.execute(client, write.query, write.values);
      await store.park(client, batch.parks);
    });
    this.#cache.grow(write.bytes);
  }

  async drain({ stored, row }: DrainedEvent): Promise<{ readonly error: unknown } | null> {
    const { store } = this.#options;
    const opened = this.#open(stored);
    if (opened.event === null) return { error: opened.error };
    await this.#load([opened]);
    let rows: RowWrites;
    try {
      rows = this.#writesOf(this.#evolve(opened.event, opened.keys ?? []));
    } catch (error) {
      return { error };
    }
    const write = this.#write('parked', [row.position, row.keys.length, 0], rows);
    try {
      await store.execute(store.pool, write.query, write.values);
      return null;
    } catch (error) {
      // What the cache holds may not be what the table holds.
      this.#cache.clear();
      if (isLaneLost(error) || isConnectionLost(error) || classifyDatabaseError(error) !== 'permanent')
        throw error;
      return { error };
    }
  }

  keysOf(stored: StoredEvent): readonly string[] {
    return keyTexts(this.#open(stored));
  }

  #open(stored: StoredEvent): OpenedEvent {
    try {
      const event = openEvent(this.#contracts, stored);
      return { stored, event, keys: rowKeysOf(this.#projection, event), error: null };
    } catch (error) {
      return { stored, event: null, keys: null, error };
    }
  }

  /** Reads the rows that are not in memory, all in one statement. */
  async #load(opened: readonly OpenedEvent[]): Promise<void> {
    const missing = new Map<string, KeyData>();
    for (const { keys } of opened) {
      if (keys === null) continue;
      for (const key of keys) if (this.#cache.get(key) === undefined) missing.set(key.id, key.key);
    }
    if (missing.size === 0) return;
    const { table } = this.#projection;
    const keys = [...missing.values()];
    const found = new Map<string, RowData>();
    for (const row of await this.#read(keyParameters(table, keys))) found.set(this.#idOf(row), row);
    for (const [id, key] of missing) this.#cache.put({ id, key }, found.get(id) ?? null);
  }

  async #read(values: Parameters): Promise<RowData[]> {
    const { table } = this.#projection;
    const { name, text } = this.#statements.readRows;
    try {
      const { rows } = await this.#options.store.pool.query<(string | null)[]>({
        name,
        text,
        values,
        rowMode: 'array',
      });
      return rows.map((fields) => parseRow(table, fields));
    } catch (error) {
      throw explain(error);
    }
  }

  #idOf(row: RowData): string {
    const { keyColumns } = this.#projection.table;
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
    return { events, parks, handled: events.length - parks.length, rows: this.#writesOf(changed) };
  }

  /** All or nothing: when one of its rows fails, the event has changed none. Answers the rows that are different now. */
  #evolve(event: FactEvent, keys: readonly RowKey[]): readonly CachedRow[] {
    const [only] = keys;
    if (only !== undefined && keys.length === 1) {
      const row = this.#row(only);
      const after = evolveRow(this.#projection, row, event);
      if (after === row.row) return [];
      row.row = after;
      return [row];
    }
    const changes: { row: CachedRow; after: RowData | null }[] = [];
    for (const key of keys) {
      const row = this.#row(key);
      const after = evolveRow(this.#projection, row, event);
      if (after !== row.row) changes.push({ row, after });
    }
    for (const { row, after } of changes) row.row = after;
    return changes.map(({ row }) => row);
  }

  #row(key: RowKey): CachedRow {
    return this.#cache.get(key) ?? this.#cache.put(key, null);
  }

  #writesOf(changed: readonly CachedRow[]): RowWrites {
    const upserts: RowData[] = [];
    const deletes: KeyData[] = [];
    for (const { row, key } of changed) {
      if (row === null) deletes.push(key);
      else upserts.push(row);
    }
    return { upserts, deletes };
  }

  #write(
    proof: Proof,
    facts: readonly [number, number, number],
    rows: RowWrites,
  ): { query: BuildStatements['readRows']; values: Parameters; bytes: number } {
    const values = writeParameters(this.#projection.table, this.#options.store.fence, { proof: facts, rows });
    let bytes = 0;
    for (const value of values) if (typeof value === 'string') bytes += value.length;
    return { query: this.#statements.write(proof, rows), values, bytes };
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
    return failedEvent(this.#projection, failed, this.#options.services.randomness);
  }

  #park(event: ParkedEvent): ParkedEvent {
    const { parked, services } = this.#options;
    const { stored, state, delayMs } = event;
    const dueAt = delayMs === null ? null : services.clock.monotonic() + delayMs;
    for (const key of event.keys) parked.append(key, { position: stored.position, state, dueAt });
    return event;
  }
}

/** Under which keys an event is parked: its rows, or its own key when its rows are not known. */
const keyTexts = ({ stored, keys }: OpenedEvent): readonly string[] => {
  if (keys === null || keys.length === 0) return [stored.key];
  return keys.map(({ key }) => rowKeyText(key));
};
