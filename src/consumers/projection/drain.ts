import { FactlineError } from '../../foundation/index.ts';
import type { StoredEvent } from '../../log/index.ts';
import { editedEvent } from '../parked/index.ts';
import type { RunnerServices } from '../runner.ts';
import type { BatchWriter } from './batch-writer.ts';
import type { Projection } from './definition.ts';
import type { LaneStore, ParkedRowOfKey } from './lane-store.ts';
import type { ParkedKeys } from './parked-keys.ts';
import { failedEvent } from './parking.ts';
import type { Suspects } from './suspects.ts';

export interface DrainOptions {
  readonly projection: Projection;
  readonly store: LaneStore;
  readonly writer: BatchWriter;
  readonly parked: ParkedKeys;
  readonly services: RunnerServices;
  readonly suspects: Suspects;
}

type DrainOutcome = 'handled' | 'failed' | 'not now';

/** New events are not kept waiting longer than it takes to drain this many. */
const eventsPerTurn = 100;

/** Handles what is parked and may run: due retries, released events, followers of freed keys; in order of position. */
export class Drain {
  readonly #options: DrainOptions;

  constructor(options: DrainOptions) {
    this.#options = options;
  }

  /** Answers how many events were handled; what is left is found by the next turn. */
  async turn(): Promise<number> {
    const { parked, services } = this.#options;
    let handled = 0;
    for (let looked = 0; looked < eventsPerTurn && handled < eventsPerTurn; looked += 1) {
      const key = parked.nextCandidate(services.clock.monotonic());
      if (key === null) break;
      handled += await this.#key(key, eventsPerTurn - handled);
    }
    return handled;
  }

  /** The events of one key, up to the first that cannot run. */
  async #key(key: string, limit: number): Promise<number> {
    const { store } = this.#options;
    const rows = await store.nextOfKey(key, limit);
    const events = await store.readEvents(rows.map(({ position }) => position));
    const marked = await this.#mark(key, rows);
    let handled = 0;
    let outcome: DrainOutcome = 'handled';
    for (const row of rows) {
      const stored = events.get(row.position);
      outcome =
        stored === undefined ? 'not now' : await this.#next(key, row, editedEvent(stored, row.edited));
      if (outcome !== 'handled') break;
      handled += 1;
    }
    // What was marked and did not come to run waits again; one that failed has got its state from its failure.
    const left = marked.slice(outcome === 'failed' ? handled + 1 : handled);
    if (left.length > 0) await store.markRows(left, 'waiting');
    if (handled === rows.length) await this.advance([key]);
    return handled;
  }

  /** Whoever takes over from a dead process shall know which parked events it may have been running. */
  async #mark(key: string, rows: readonly ParkedRowOfKey[]): Promise<readonly number[]> {
    const [first] = rows;
    if (first === undefined) return [];
    this.#options.parked.setHead(key, this.#headOf(first));
    if (!this.#mayRun(key, first)) return [];
    const end = rows.findIndex(({ state, due }) => state === 'quarantined' || (state === 'retrying' && !due));
    const marked = rows.slice(0, end < 0 ? rows.length : end).map(({ position }) => position);
    await this.#options.store.markRows(marked, 'running');
    return marked;
  }

  async #next(key: string, row: ParkedRowOfKey, stored: StoredEvent): Promise<DrainOutcome> {
    const { parked } = this.#options;
    parked.setHead(key, this.#headOf(row));
    if (!this.#mayRun(key, row)) {
      if (row.state !== 'retrying' || row.due) parked.setAside(key);
      return 'not now';
    }
    const { suspects } = this.#options;
    const run = (): Promise<DrainOutcome> => this.#run(row, stored);
    // It was running when its process died: it has to be the only one of its kind.
    const outcome = row.state === 'running' ? await suspects.alone(run, 'not now') : await run();
    if (outcome === 'handled') await this.advance(row.keys.filter((other) => other !== key));
    return outcome;
  }

  #mayRun(key: string, row: ParkedRowOfKey): boolean {
    const { parked } = this.#options;
    if (row.state === 'quarantined' || (row.state === 'retrying' && !row.due)) return false;
    return parked.head(key)?.position === row.position && parked.leads(row.position, row.keys);
  }

  async #run(row: ParkedRowOfKey, stored: StoredEvent): Promise<DrainOutcome> {
    const { projection, store, writer, parked, services } = this.#options;
    await services.testStep?.('projection.before-drain');
    // This attempt of a suspect goes on record first.
    const deadly = row.state === 'running' ? await this.#options.suspects.begin(stored) : null;
    const failure =
      deadly === null
        ? (this.#strayed(row, stored) ?? (await writer.drain({ row, stored })))
        : { error: deadly };
    await services.testStep?.('projection.after-drain');
    if (failure === null) {
      this.#tell(row, stored);
      return 'handled';
    }
    const failed = { stored, keys: row.keys, error: failure.error, attemptsBefore: row.attempts };
    const event = failedEvent(projection, failed, services.randomness);
    await store.park(store.pool, [event]);
    const dueAt = event.delayMs === null ? null : services.clock.monotonic() + event.delayMs;
    for (const key of row.keys) {
      parked.setHead(key, { position: row.position, state: event.state, dueAt });
      // Without code for it the event waits for another release, not for its turn.
      if (event.state === 'waiting') parked.setAside(key);
    }
    return 'failed';
  }

  /** An edit must not lead to other rows: only those of its parked keys wait for it. */
  #strayed(
    { edited, keys, position }: ParkedRowOfKey,
    stored: StoredEvent,
  ): { readonly error: unknown } | null {
    if (edited === null) return null;
    try {
      if (this.#options.writer.keysOf(stored).every((key) => keys.includes(key))) return null;
    } catch (error) {
      return { error };
    }
    const reason = 'with it the event belongs to another row of the projection';
    return { error: new FactlineError('EDIT_REFUSED', { id: `(position ${position})`, reason }) };
  }

  /** Looks up what stands at the head of these keys now. */
  async advance(keys: readonly string[]): Promise<void> {
    const { store, parked } = this.#options;
    for (const key of keys) {
      const [next] = await store.nextOfKey(key, 1);
      if (next === undefined) parked.free(key);
      else parked.setHead(key, this.#headOf(next));
    }
  }

  #headOf({ position, state, due, delayMs }: ParkedRowOfKey): {
    position: number;
    state: ParkedRowOfKey['state'];
    dueAt: number | null;
  } {
    const now = this.#options.services.clock.monotonic();
    return { position, state, dueAt: state !== 'retrying' ? null : due ? 0 : now + (delayMs ?? 0) };
  }

  #tell(row: ParkedRowOfKey, stored: StoredEvent): void {
    const { telemetry, consumer } = this.#options.services;
    telemetry.metrics.count('factline_events_handled_total', { consumer: consumer.name });
    if (row.attempts === 0) return;
    telemetry.emit('quarantine.released', { consumer: consumer.name, id: null, eventId: stored.id });
  }
}
