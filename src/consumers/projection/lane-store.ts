import type pg from 'pg';
import { FactlineError } from '../../foundation/index.ts';
import { readPositions, type StoredEvent } from '../../log/index.ts';
import {
  engineTransaction,
  explain,
  type LastStatement,
  loadQueries,
  type NamedQuery,
  type Queryable,
  run,
  sqlState,
} from '../../postgres/index.ts';
import { type ParkedState, park, parkedHeads, restoreRows } from '../parked/index.ts';
import type { ConsumerState, LaneLease, RunnerServices } from '../runner.ts';
import { type ParkedEvent, parkFailures, parkRows } from './parking.ts';
import type { FenceParameters, Parameters } from './statements.ts';

const sql = loadQueries<
  | 'lane_state'
  | 'move_checkpoint'
  | 'finish_parked'
  | 'next_of_key'
  | 'keys_of_event'
  | 'discard_event'
  | 'release_event'
  | 'note_dead_owner'
  | 'keep_dead_owners'
  | 'begin_suspect'
  | 'forget_suspects'
  | 'mark_rows'
>(new URL('./projection.sql', import.meta.url));

/** Where a write moves the checkpoint. */
export interface Move {
  /** As it was read: somebody else's move is noticed. */
  readonly from: number;
  readonly to: number;
}

/** One parked event of a key, in the order of the key. */
export interface ParkedRowOfKey {
  readonly position: number;
  readonly state: ParkedState;
  /** A retrying one whose time has come. */
  readonly due: boolean;
  readonly delayMs: number | null;
  readonly attempts: number;
  readonly keys: readonly string[];
  /** A copy of the event, there when the log no longer holds it. */
  readonly envelope: unknown;
  /** The payload that a person put in place of the logged one, as JSON text. */
  readonly edited: string | null;
}

export interface LaneState {
  readonly position: number;
  readonly state: ConsumerState;
}

/** How far ahead of the checkpoint events may be dispatched before it moves again (ENGINE.md §5, killers). */
const dispatchAhead = 5000;

/** Whether an error says that the lane belongs to somebody else, so that nothing more may be written. */
export const isLaneLost = (error: unknown): boolean =>
  FactlineError.is(error, 'LEASE_LOST') || sqlState(error) === 'FL001' || sqlState(error) === 'FL003';

/** Every statement of one held lane; each write carries the fence. */
export class LaneStore {
  readonly lease: LaneLease;
  readonly #services: RunnerServices;
  readonly #pool: pg.Pool;

  constructor(services: RunnerServices, lease: LaneLease) {
    this.lease = lease;
    this.#services = services;
    this.#pool = services.database.handlers;
  }

  get pool(): pg.Pool {
    return this.#pool;
  }

  get fence(): FenceParameters {
    const { consumerId, lane, token } = this.lease;
    return { consumerId, lane, token };
  }

  get #scope(): { consumerId: number; replayId: number } {
    return { consumerId: this.lease.consumerId, replayId: 0 };
  }

  /** @throws FactlineError LEASE_LOST when the lane is not ours any more. */
  async readState(): Promise<LaneState> {
    const { consumerId, lane, token } = this.lease;
    const [row] = await run(this.#services.database.operations, sql.lane_state, [consumerId, lane, token]);
    if (row?.['mine'] !== true) throw this.lost();
    return { position: Number(row['position']), state: row['state'] as ConsumerState };
  }

  lost(): FactlineError {
    return new FactlineError('LEASE_LOST', { lane: this.lease.lane, consumer: this.#services.consumer.name });
  }

  moveParameters({ from, to }: Move): readonly [number, number, number] {
    return [from, to, Math.min(to + dispatchAhead, Number.MAX_SAFE_INTEGER)];
  }

  moveStatement(move: Move): LastStatement {
    return { query: sql.move_checkpoint, values: this.#fenced(...this.moveParameters(move)) };
  }

  finishStatement(position: number, keys: number): LastStatement {
    return { query: sql.finish_parked, values: this.#fenced(position, keys) };
  }

  async moveCheckpoint(move: Move): Promise<void> {
    const { query, values } = this.moveStatement(move);
    await this.execute(this.#pool, query, [...values]);
  }

  async execute(on: Queryable, query: NamedQuery, values: Parameters): Promise<void> {
    try {
      await on.query({ name: query.name, text: query.text, values });
    } catch (error) {
      throw explain(error);
    }
  }

  /** Several statements of the engine in one transaction; `last` travels with COMMIT. */
  async transaction(work: (client: pg.PoolClient) => Promise<void>, last?: LastStatement): Promise<void> {
    await engineTransaction(this.#pool, work, last === undefined ? {} : { last: () => last });
  }

  /** Inside a transaction whose other statement proves the checkpoint, or on its own for a change of state. */
  async park(on: Queryable, events: readonly ParkedEvent[]): Promise<void> {
    const { lane, token } = this.lease;
    const position = Math.max(...events.map(({ stored }) => stored.position));
    const { lanes, rows } = await park(on, this.#scope, {
      fences: [{ lane, token, position }],
      rows: parkRows(events, lane),
      failures: parkFailures(events, this.#services.app.codeVersion),
    });
    if (!lanes.has(lane)) throw this.lost();
    this.#tell(events, rows);
  }

  async heads(): Promise<{ key: string; position: number; state: ParkedState; delayMs: number | null }[]> {
    return parkedHeads(this.#services.database.operations, this.#scope, {
      laneCount: this.lease.laneCount,
      lanes: [this.lease.lane],
    });
  }

  async nextOfKey(key: string, limit: number): Promise<ParkedRowOfKey[]> {
    const values = [this.lease.consumerId, key, limit];
    const rows = await run(this.#services.database.operations, sql.next_of_key, values);
    return rows.map((row) => ({
      position: Number(row['position']),
      state: row['state'] as ParkedState,
      due: row['due'] === true,
      delayMs: row['delay_ms'] === null ? null : Number(row['delay_ms']),
      attempts: Number(row['attempts']),
      keys: row['keys'] as string[],
      envelope: row['envelope'],
      edited: row['edited'] as string | null,
    }));
  }

  async readEvents(positions: readonly number[]): Promise<Map<number, StoredEvent>> {
    const events = await readPositions(this.#services.database.operations, positions);
    return new Map(events.map((event) => [event.position, event]));
  }

  async keysOfEvent(position: number): Promise<string[]> {
    const values = [this.lease.consumerId, position];
    const rows = await run(this.#services.database.operations, sql.keys_of_event, values);
    return rows.map((row) => String(row['key']));
  }

  /** The keys whose rows went; empty when there was none. */
  async discard(position: number, request: { id: number; answer: object }): Promise<string[]> {
    const values = this.#fenced(position, request.id, JSON.stringify(request.answer));
    return this.#keys(sql.discard_event, values);
  }

  async release(position: number): Promise<string[]> {
    return this.#keys(sql.release_event, this.#fenced(position));
  }

  /** Puts a discarded event back under all its keys, which are answered. */
  async restore(id: number): Promise<readonly string[]> {
    const { lane, token } = this.lease;
    const keys = await restoreRows(this.#pool, this.#scope, { fence: { lane, token, position: 0 }, id });
    if (keys === null) throw this.lost();
    return keys;
  }

  /** After an unclean takeover; see `Suspects`. */
  async noteDeadOwner(): Promise<{ times: number; recorded: boolean }> {
    const [row] = await run(this.#pool, sql.note_dead_owner, this.#fenced());
    if (row === undefined) throw this.lost();
    return { times: Number(row['times']), recorded: row['recorded'] === true };
  }

  /** As many owners count as dead at this checkpoint. */
  async keepDeadOwners(count: number): Promise<void> {
    if ((await run(this.#pool, sql.keep_dead_owners, this.#fenced(count))).length === 0) throw this.lost();
  }

  /** How many processes have died at this event; the attempt is on record unless they were `deathsMax`. */
  async beginSuspect(stored: StoredEvent, deathsMax: number): Promise<number> {
    const { incarnation } = this.#services.process;
    const values = this.#fenced(stored.position, incarnation, stored.id, stored.type, deathsMax);
    try {
      const [row] = await run(this.#pool, sql.begin_suspect, values);
      return Number(row?.['deaths']);
    } catch (error) {
      throw explain(error);
    }
  }

  async forgetSuspects(): Promise<void> {
    await run(this.#pool, sql.forget_suspects, this.#fenced(this.lease.laneCount));
  }

  async markRows(positions: readonly number[], state: 'running' | 'waiting'): Promise<void> {
    await this.execute(this.#pool, sql.mark_rows, [...this.#fenced(`{${positions.join(',')}}`, state)]);
  }

  async #keys(query: NamedQuery, values: LastStatement['values']): Promise<string[]> {
    try {
      const [row] = await run(this.#pool, query, [...values]);
      return row?.['keys'] as string[];
    } catch (error) {
      throw explain(error);
    }
  }

  #fenced(...values: (string | number)[]): (string | number)[] {
    const { consumerId, lane, token } = this.lease;
    return [consumerId, lane, token, ...values];
  }

  #tell(events: readonly ParkedEvent[], rows: readonly { id: number; position: number }[]): void {
    const { telemetry, consumer } = this.#services;
    for (const { stored, state, failure } of events) {
      if (failure === null) continue;
      telemetry.metrics.count('factline_handle_attempts_total', {
        consumer: consumer.name,
        outcome: failure.failureClass,
      });
      telemetry.emit('event.attempt-failed', {
        consumer: consumer.name,
        eventId: stored.id,
        position: stored.position,
        attempt: failure.attempts,
        failureClass: failure.failureClass,
        error: failure.message,
      });
      if (state !== 'quarantined') continue;
      telemetry.emit('quarantine.added', {
        consumer: consumer.name,
        id: rows.find((row) => row.position === stored.position)?.id,
        eventId: stored.id,
        key: failure.shownKeys,
        position: stored.position,
        error: failure.message,
      });
    }
  }
}
