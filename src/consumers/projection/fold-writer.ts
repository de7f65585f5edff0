import type { StoredEvent } from '../../log/index.ts';
import { classifyDatabaseError, isConnectionLost, type NamedQuery } from '../../postgres/index.ts';
import type { RunnerServices } from '../runner.ts';
import type { BatchWriter, DrainedEvent } from './batch-writer.ts';
import type { FoldingProjection } from './definition.ts';
import { type FoldedBatch, Folding, keyTexts } from './folding.ts';
import { isLaneLost, type LaneStore, type Move } from './lane-store.ts';
import type { ParkedKeys } from './parked-keys.ts';
import {
  type BuildStatements,
  buildStatements,
  type Parameters,
  type Proof,
  type RowWrites,
  writeParameters,
} from './statements.ts';
import { readStoredRows } from './stored-rows.ts';

export interface FoldWriterOptions {
  readonly projection: FoldingProjection;
  /** The table that is written. */
  readonly relation: string;
  readonly store: LaneStore;
  readonly parked: ParkedKeys;
  readonly services: RunnerServices;
}

interface Write {
  readonly query: NamedQuery;
  readonly values: Parameters;
  readonly bytes: number;
}

/** The folding form: rows in memory, one statement per batch. */
export class FoldWriter implements BatchWriter<FoldedBatch> {
  readonly divisible = true;
  /** Beyond it the commit's fixed cost no longer matters, but a failed batch is folded again. */
  readonly batchMax = 2000;
  readonly #options: FoldWriterOptions;
  readonly #projection: FoldingProjection;
  readonly #statements: BuildStatements;
  readonly #folding: Folding;

  constructor(options: FoldWriterOptions) {
    const { projection, relation, store, parked, services } = options;
    this.#options = options;
    this.#projection = projection;
    this.#statements = buildStatements(projection.table, relation);
    this.#folding = new Folding({
      projection,
      parked,
      clock: services.clock,
      randomness: services.randomness,
      keyedByEvent: store.lease.laneCount > 1,
      readRows: (keys) =>
        readStoredRows(store.pool, { table: projection.table, query: this.#statements.readRows }, keys),
    });
  }

  reset(untouched: boolean): void {
    this.#folding.clear(untouched);
  }

  prepare(events: readonly StoredEvent[]): Promise<FoldedBatch> {
    return this.#folding.foldBatch(events);
  }

  keysOf(stored: StoredEvent): readonly string[] {
    return keyTexts(this.#folding.open(stored));
  }

  async commit(batch: FoldedBatch, move: Move): Promise<void> {
    const { store } = this.#options;
    const write = this.#write('checkpoint', store.moveParameters(move), batch.rows);
    if (batch.parks.length === 0) {
      await store.execute(store.pool, write.query, write.values);
    } else {
      await store.transaction(async (client) => {
        await store.execute(client, write.query, write.values);
        await store.park(client, batch.parks);
      });
    }
    this.#folding.grow(write.bytes);
  }

  async drain({ stored, row }: DrainedEvent): Promise<{ readonly error: unknown } | null> {
    const { store } = this.#options;
    let rows: RowWrites;
    try {
      rows = await this.#folding.foldOne(this.#folding.open(stored));
    } catch (error) {
      if (classifyDatabaseError(error) !== null) throw error;
      return { error };
    }
    const write = this.#write('parked', [row.position, row.keys.length, 0], rows);
    try {
      await store.execute(store.pool, write.query, write.values);
      return null;
    } catch (error) {
      // What is in memory may not be what the table holds.
      this.#folding.clear();
      if (isLaneLost(error) || isConnectionLost(error) || classifyDatabaseError(error) !== 'permanent')
        throw error;
      return { error };
    }
  }

  #write(proof: Proof, facts: readonly [number, number, number], rows: RowWrites): Write {
    const values = writeParameters(this.#projection.table, this.#options.store.fence, { proof: facts, rows });
    let bytes = 0;
    for (const value of values) if (typeof value === 'string') bytes += value.length;
    return { query: this.#statements.write(proof, rows), values, bytes };
  }
}
