import type pg from 'pg';
import type { ContractSet, FactEvent } from '../../contracts/index.ts';
import { FactlineError } from '../../foundation/index.ts';
import type { StoredEvent } from '../../log/index.ts';
import { isConnectionLost, loadQueries } from '../../postgres/index.ts';
import { contractSetOf } from '../definition.ts';
import { classifyFailure } from '../parked/index.ts';
import type { RunnerServices } from '../runner.ts';
import type { BatchWriter, DrainedEvent, PreparedBatch } from './batch-writer.ts';
import { isLaneLost, type LaneStore, type Move } from './lane-store.ts';
import type { ParkedKeys } from './parked-keys.ts';
import { failedEvent, type ParkedEvent, waitingEvent } from './parking.ts';
import { OpenProjectionTx } from './projection-tx.ts';
import type { SqlProjection } from './sql-definition.ts';
import { openForSql, type SqlEvent } from './sql-event.ts';
import { qualifiedTable } from './statements.ts';

const sql = loadQueries<'savepoint' | 'rollback_to_savepoint' | 'release_savepoint'>(
  new URL('./projection.sql', import.meta.url),
);

/** Opens each event once, when it is first asked for. */
class OpenedEvents {
  readonly #events: readonly StoredEvent[];
  readonly #open: (stored: StoredEvent) => SqlEvent;
  readonly #opened: SqlEvent[] = [];

  constructor(events: readonly StoredEvent[], open: (stored: StoredEvent) => SqlEvent) {
    this.#events = events;
    this.#open = open;
  }

  at(index: number): SqlEvent | undefined {
    const stored = this.#events[index];
    if (stored === undefined) return undefined;
    this.#opened[index] ??= this.#open(stored);
    return this.#opened[index];
  }
}

export interface OpenedBatch extends PreparedBatch {
  readonly opened: OpenedEvents;
}

/** `apply` of an event failed in a batch without savepoints: nothing of the batch was written. */
class ApplyFailed {
  readonly error: unknown;
  constructor(error: unknown) {
    this.error = error;
  }
}

export interface SqlWriterOptions {
  readonly projection: SqlProjection;
  /** The table that is written. */
  readonly relation: string;
  readonly store: LaneStore;
  readonly parked: ParkedKeys;
  readonly services: RunnerServices;
}

/**
 * The SQL form: `apply` for each event, one transaction per batch. The usual batch has no savepoint; only after a
 * failure it is run again with one before each event, so that the events to blame are found and parked.
 */
export class SqlWriter implements BatchWriter<OpenedBatch> {
  readonly divisible = false;
  /** A transaction of well under a second: its row locks and its snapshot hold up others. */
  readonly batchMax = 500;
  readonly #options: SqlWriterOptions;
  readonly #contracts: ContractSet;
  readonly #table: string;
  readonly #tx: OpenProjectionTx;

  constructor(options: SqlWriterOptions) {
    this.#options = options;
    this.#contracts = contractSetOf(options.projection);
    this.#table = qualifiedTable(options.relation);
    this.#tx = new OpenProjectionTx(this.#table);
  }

  /** It keeps nothing in memory. */
  reset(): void {}

  async prepare(events: readonly StoredEvent[]): Promise<OpenedBatch> {
    const opened = new OpenedEvents(events, (stored) => this.#open(stored));
    return { events, opened, parks: [], handled: events.length };
  }

  async commit(batch: OpenedBatch, move: Move): Promise<void> {
    try {
      await this.#attempt(batch, move, false);
    } catch (error) {
      if (!(error instanceof ApplyFailed) && !FactlineError.is(error, 'TRANSACTION_ROLLED_BACK')) throw error;
      await this.#attempt(batch, move, true);
    }
  }

  async drain({ stored, row }: DrainedEvent): Promise<{ readonly error: unknown } | null> {
    const { store } = this.#options;
    const opened = this.#open(stored);
    const { event } = opened;
    if (event === null) return { error: opened.error };
    try {
      await store.transaction(
        (client) => this.#tx.use(client, (tx) => this.#apply(tx, event)),
        store.finishStatement(row.position, row.keys.length),
      );
      return null;
    } catch (error) {
      if (error instanceof ApplyFailed) return { error: error.error };
      if (isLaneLost(error) || isConnectionLost(error)) throw error;
      return { error };
    }
  }

  async #attempt(batch: OpenedBatch, move: Move, savepoints: boolean): Promise<void> {
    const { store } = this.#options;
    const parks: ParkedEvent[] = [];
    await store.transaction(async (client) => {
      await this.#tx.use(client, async (tx) => {
        for (let index = 0; ; index += 1) {
          const opened = batch.opened.at(index);
          if (opened === undefined) break;
          const handling = this.#handle(opened, { tx, client, savepoints, parks });
          // The next one is opened while the server works on this one.
          batch.opened.at(index + 1);
          const park = await handling;
          if (park !== null) parks.push(park);
        }
      });
      if (parks.length > 0) await store.park(client, parks);
    }, store.moveStatement(move));
    this.#remember(parks);
  }

  async #handle(
    opened: SqlEvent,
    run: { tx: OpenProjectionTx; client: pg.PoolClient; savepoints: boolean; parks: readonly ParkedEvent[] },
  ): Promise<ParkedEvent | null> {
    const { stored, event, keys } = opened;
    if (this.#waits(opened, run.parks)) return waitingEvent(stored, keys);
    if (event === null) return this.#failed(opened, opened.error);
    if (!run.savepoints) {
      await this.#apply(run.tx, event);
      return null;
    }
    await run.client.query(sql.savepoint.text);
    try {
      await this.#apply(run.tx, event);
      // Refused when apply swallowed an error of PostgreSQL: then the event has failed after all.
      await run.client.query(sql.release_savepoint.text);
      return null;
    } catch (error) {
      const cause = error instanceof ApplyFailed ? error.error : error;
      if (isConnectionLost(cause)) throw cause;
      await run.client.query(sql.rollback_to_savepoint.text);
      return this.#failed(opened, cause);
    }
  }

  async #apply(tx: OpenProjectionTx, event: FactEvent): Promise<void> {
    try {
      await this.#options.projection.apply(tx, event);
    } catch (error) {
      if (isConnectionLost(error) && classifyFailure(error) === 'transient') throw error;
      throw new ApplyFailed(error);
    }
  }

  keysOf(stored: StoredEvent): readonly string[] {
    return this.#open(stored).keys;
  }

  #open(stored: StoredEvent): SqlEvent {
    return openForSql(this.#options.projection, this.#contracts, stored);
  }

  #waits({ stored, keys }: SqlEvent, parks: readonly ParkedEvent[]): boolean {
    const { parked } = this.#options;
    if (parked.size > 0 && (parked.has(stored.key) || keys.some((key) => parked.has(key)))) return true;
    return parks.some(
      (park) => park.keys.includes(stored.key) || park.keys.some((key) => keys.includes(key)),
    );
  }

  #failed({ stored, keys }: SqlEvent, error: unknown): ParkedEvent {
    const { projection, services } = this.#options;
    return failedEvent(projection, { stored, keys, error, attemptsBefore: 0 }, services.randomness);
  }

  /** Only what is committed counts as parked. */
  #remember(parks: readonly ParkedEvent[]): void {
    const { parked, services } = this.#options;
    for (const { stored, keys, state, delayMs } of parks) {
      const dueAt = delayMs === null ? null : services.clock.monotonic() + delayMs;
      for (const key of keys) parked.append(key, { position: stored.position, state, dueAt });
    }
  }
}
