/**
 * Works the one lane of a projection while its lease is held.
 *
 *            start()                 stop() / give up
 *   idle ─────────────► working ────────────────────► ended
 *                        │   ▲
 *            a write     ▼   │ state read anew, after a pause when the database is away
 *            failed     recovering
 *
 * working     One loop, one batch after the other: read, prepare, commit. The next batch is read and prepared while the
 *             commit of the one before is under way; both rest on rows in memory, so when a commit fails, everything in
 *             memory is forgotten and the checkpoint in the database says where to go on. Between batches due retries
 *             and followers of freed keys are drained, one transaction each.
 * recovering  Nobody knows whether the last write happened: `position = as read` makes it count once in any case.
 *             A batch that PostgreSQL refuses for good is then committed in halves until the one event to blame is alone;
 *             that one is parked.
 * ended       The lane was released (everything in flight has settled and the checkpoint is written), or it was lost
 *             (nothing more is written; what was in flight is refused by the fence).
 */
import { type FactlineError, retryDelayMs } from '../../foundation/index.ts';
import type { EventBatch, LogCursor, StoredEvent } from '../../log/index.ts';
import { classifyDatabaseError } from '../../postgres/index.ts';
import type { Pace } from '../ceiling/index.ts';
import type { LaneLease, LaneProgress, RunnerServices } from '../runner.ts';
import { suspectGateOf } from '../suspect-gate.ts';
import type { BatchWriter, PreparedBatch } from './batch-writer.ts';
import type { Projection } from './definition.ts';
import { Drain } from './drain.ts';
import { commitInHalves, type HalvedLane, parkAlone } from './halving.ts';
import { isLaneLost, type LaneStore, type Move } from './lane-store.ts';
import { LaneTimers } from './lane-timers.ts';
import { measureBatch } from './measure-batch.ts';
import type { ParkedKeys } from './parked-keys.ts';
import { Pulse } from './pulse.ts';
import type { ProjectionStep } from './steps.ts';
import { Suspects } from './suspects.ts';

const reconnect = {
  attempts: Number.POSITIVE_INFINITY,
  baseMs: 50,
  factor: 2,
  capMs: 2000,
  jitter: 'equal',
} as const;

export interface LaneWorkerOptions {
  readonly projection: Projection;
  readonly store: LaneStore;
  readonly writer: BatchWriter;
  readonly parked: ParkedKeys;
  readonly services: RunnerServices;
  /** Told after every commit and whenever everything read is dealt with. */
  readonly onProgress: (worker: LaneWorker) => void;
  /** What holds it back for the sake of live consumers; null when it is one. */
  readonly pace: () => Pace | null;
}

/** A commit under way: its batch is kept until it is known to have happened. */
interface Commit {
  readonly batch: PreparedBatch;
  readonly move: Move;
  /** Never rejects. */
  readonly outcome: Promise<{ readonly failed: boolean; readonly error: unknown }>;
}

export class LaneWorker {
  readonly #options: LaneWorkerOptions;
  readonly #cursor: LogCursor;
  readonly #drain: Drain;
  readonly #pulse = new Pulse();
  readonly #timers: LaneTimers;
  readonly #suspects: Suspects;
  readonly #ending = new AbortController();
  #ended: Promise<void> | null = null;
  #lost = false;
  #paused = false;
  /** The checkpoint as it stands in the database. */
  #position: number;
  /** Everything up to here is dealt with in memory; at most one commit is missing. */
  #upTo: number;
  #commit: Commit | null = null;
  #handled = 0;
  #waiting = 0;
  #reason: string | null = null;

  constructor(options: LaneWorkerOptions) {
    this.#options = options;
    const { lease } = options.store;
    this.#position = lease.position;
    this.#upTo = lease.position;
    const share = lease.laneCount === 1 ? null : { lane: lease.lane, lanes: lease.laneCount };
    this.#cursor = options.services.tail.cursor({ types: lease.types, share, after: lease.position });
    this.#suspects = new Suspects({
      store: options.store,
      batchMax: options.writer.batchMax,
      gate: suspectGateOf(options.services.database),
      ending: this.#ending.signal,
    });
    this.#drain = new Drain({ ...options, suspects: this.#suspects });
    this.#timers = new LaneTimers(options.services.clock);
  }

  get lease(): LaneLease {
    return this.#options.store.lease;
  }

  get position(): number {
    return this.#position;
  }

  /** Everything up to here is handled or parked, and committed as such (or of no matter to this projection). */
  get reached(): number {
    return this.#commit === null ? this.#upTo : this.#commit.move.from;
  }

  get handled(): number {
    return this.#handled;
  }

  /** Nothing that could run now is left among the parked events. */
  get drained(): boolean {
    return this.#options.parked.nextCandidate(this.#now()) === null;
  }

  get reason(): string | null {
    return this.#reason;
  }

  get progress(): LaneProgress {
    return {
      lane: this.lease.lane,
      checkpoint: this.#position,
      readUpTo: this.#cursor.position,
      inFlight: this.#commit?.batch.handled ?? 0,
      waiting: this.#waiting,
    };
  }

  /** Loads the state in a new snapshot, then works. */
  async start(): Promise<void> {
    await this.#suspects.look();
    await this.#load();
    this.#ended = this.#run();
  }

  /** Resolves when what is in flight has settled and the checkpoint is written. */
  async stop(): Promise<void> {
    this.#ending.abort();
    this.#pulse.beat();
    await this.#ended;
  }

  /** Nothing may be written any more. */
  drop(): void {
    this.#lost = true;
    this.#ending.abort();
    this.#pulse.beat();
  }

  pause(paused: boolean): void {
    this.#paused = paused;
    this.#pulse.beat();
  }

  /** Something outside the log may be due: a retry, a released event. */
  wake(): void {
    this.#pulse.beat();
  }

  /** Parked rows of these keys went without being handled: what stands behind them is next. Call it in `between`. */
  refreshHeads(keys: readonly string[]): Promise<void> {
    return this.#drain.advance(keys);
  }

  /** Runs between two batches, when no commit is under way. */
  between<T>(work: () => Promise<T>): Promise<T> {
    return this.#pulse.ask(work);
  }

  #now(): number {
    return this.#options.services.clock.monotonic();
  }

  async #run(): Promise<void> {
    for (let failures = 0; !this.#ending.signal.aborted; ) {
      try {
        await this.#pass();
        failures = 0;
        this.#reason = null;
      } catch (error) {
        failures += 1;
        if (!(await this.#recover(error, failures))) break;
      }
    }
    await this.#finish();
  }

  /** One turn of the loop: what is due, then the next batch. */
  async #pass(): Promise<void> {
    const { parked } = this.#options;
    if (this.#pulse.hasAsked || (parked.size > 0 && !this.#paused && !this.drained)) {
      await this.#settle();
      await this.#pulse.answer();
      if (!this.#paused) await this.#drainTurn();
    }
    const batch = await this.#next();
    if (batch === null || this.#ending.signal.aborted) return;
    await this.#take(batch);
  }

  /** The next events; null when something else is to be done first. */
  async #next(): Promise<EventBatch | null> {
    this.#armTimers();
    this.#waiting = 0;
    const interrupt = this.#pulse.begin(this.#ending.signal);
    try {
      if (this.#paused || this.#upTo >= this.lease.stopAt) {
        await this.#pulse.wait();
        return null;
      }
      const pace = this.#options.pace();
      const holdMs = pace?.waitMs() ?? 0;
      if (holdMs > 0) {
        await this.#settle();
        await this.#options.services.clock.sleep(holdMs, interrupt);
        return null;
      }
      // At the head the next event may be long in coming: the commit must not wait for it to be known.
      if (this.#commit !== null && this.#cursor.position >= this.#options.services.tail.settled)
        await this.#settle();
      const most = this.#suspects.groupMax ?? this.#options.writer.batchMax;
      const max = pace === null ? most : Math.min(most, pace.batchMax);
      const batch = await this.#cursor.next({ max, signal: interrupt });
      if (batch.upTo > this.#upTo) return batch;
      await this.#settle();
      return null;
    } finally {
      this.#pulse.end();
    }
  }

  async #take(batch: EventBatch): Promise<void> {
    const { stopAt } = this.lease;
    const events =
      batch.upTo <= stopAt ? batch.events : batch.events.filter(({ position }) => position <= stopAt);
    const upTo = Math.min(batch.upTo, stopAt);
    if (events.length === 0) {
      await this.#settle();
      this.#upTo = upTo;
      if (upTo === stopAt) await this.#writeCheckpoint();
      this.#options.onProgress(this);
      return;
    }
    this.#waiting = events.length;
    this.#options.pace()?.spend(events.length);
    if (this.#suspects.any) return this.#suspects.alone(() => this.#takeSuspects(events, upTo), undefined);
    await this.#step('projection.before-prepare');
    const prepared = await this.#options.writer.prepare(events);
    await this.#settle();
    this.#begin(prepared, { from: this.#position, to: upTo });
  }

  /** With nothing else in flight. Of one event alone the attempt is on record before any code runs for it. */
  async #takeSuspects(events: readonly StoredEvent[], to: number): Promise<void> {
    await this.#settle();
    const [only] = events;
    const error =
      events.length === 1 && only !== undefined
        ? await this.#suspects.begin(only)
        : await this.#suspects.beginGroup().then(() => null);
    if (error !== null && only !== undefined) {
      await parkAlone(this.#halved(), { stored: only, error, to });
    } else {
      await this.#step('projection.before-prepare');
      this.#begin(await this.#options.writer.prepare(events), { from: this.#position, to });
      await this.#settle();
    }
    await this.#suspects.passed(events.length, to);
  }

  /** Starts the commit and leaves it under way. */
  #begin(batch: PreparedBatch, move: Move): void {
    const work = async (): Promise<void> => {
      await this.#step('projection.before-commit');
      await this.#options.writer.commit(batch, move);
      await this.#step('projection.after-commit');
    };
    this.#upTo = move.to;
    const outcome = work().then(
      () => ({ failed: false, error: null }),
      (error: unknown) => ({ failed: true, error }),
    );
    this.#commit = { batch, move, outcome };
  }

  /** Waits for the commit under way; throws what it failed with. */
  async #settle(): Promise<void> {
    const commit = this.#commit;
    if (commit === null) return;
    const { failed, error } = await commit.outcome;
    if (failed) throw error;
    this.#commit = null;
    this.#committed(commit.batch, commit.move);
  }

  #committed(batch: PreparedBatch, move: Move): void {
    this.#position = move.to;
    this.#handled += batch.handled;
    measureBatch(this.#options.services, batch, this.#position);
    this.#options.onProgress(this);
  }

  /** Writes what was passed without a commit. Call it in `between`. */
  async flush(): Promise<void> {
    await this.#writeCheckpoint();
  }

  async #writeCheckpoint(): Promise<void> {
    if (this.#upTo <= this.#position) return;
    await this.#options.store.moveCheckpoint({ from: this.#position, to: this.#upTo });
    this.#position = this.#upTo;
  }

  async #drainTurn(): Promise<void> {
    const done = await this.#drain.turn();
    this.#handled += done;
    this.#options.onProgress(this);
  }

  /** True to go on. */
  async #recover(thrown: unknown, failures: number): Promise<boolean> {
    const commit = this.#commit;
    const outcome = await commit?.outcome;
    this.#commit = null;
    if (this.#lost) return false;
    const error = outcome?.failed === true ? outcome.error : thrown;
    const refused = outcome?.failed === true ? commit : null;
    if (isLaneLost(error)) return this.#giveUp();
    const { services } = this.#options;
    services.telemetry.emit('engine.error', { unit: `projection ${services.consumer.name}`, error });
    this.#reason = `the last write failed: ${(error as FactlineError)?.message ?? String(error)}`;
    try {
      const permanent = classifyDatabaseError(error) === 'permanent';
      if (!permanent || failures > 1) {
        await services.clock.sleep(
          retryDelayMs(reconnect, failures, services.randomness),
          this.#ending.signal,
        );
        if (this.#ending.signal.aborted) return false;
      }
      await this.#load();
      if (permanent && refused !== null && this.#options.writer.divisible) {
        await commitInHalves(this.#halved(), refused.batch.events, refused.move.to);
        this.#cursor.seek(this.#position);
      }
      return true;
    } catch (second) {
      if (isLaneLost(second)) return this.#giveUp();
      this.#commit = null;
      return true;
    }
  }

  #halved(): HalvedLane {
    return {
      ...this.#options,
      position: () => this.#position,
      load: () => this.#load(),
      step: (name) => this.#step(name),
      committed: (batch, move) => {
        this.#upTo = move.to;
        this.#committed(batch, move);
      },
    };
  }

  /** Back to what the database knows. */
  async #load(): Promise<void> {
    const { store, writer, parked } = this.#options;
    const state = await store.readState();
    writer.reset(state.position === this.#options.services.consumer.startPosition);
    parked.clear();
    const now = this.#now();
    for (const { key, position, state: of, delayMs } of await store.heads())
      parked.setHead(key, { position, state: of, dueAt: delayMs === null ? null : now + delayMs });
    this.#position = state.position;
    this.#upTo = state.position;
    this.#cursor.seek(state.position);
  }

  #giveUp(): false {
    if (!this.#lost) {
      this.#lost = true;
      this.#ending.abort();
      this.#options.services.onLeaseLost(this.lease.lane);
    }
    return false;
  }

  async #finish(): Promise<void> {
    this.#timers.cancel();
    try {
      if (this.#lost) await this.#commit?.outcome;
      else {
        await this.#settle();
        await this.#writeCheckpoint();
      }
    } catch (error) {
      if (isLaneLost(error)) this.#giveUp();
      else
        this.#options.services.telemetry.emit('engine.error', {
          unit: `projection ${this.#options.services.consumer.name}`,
          error,
        });
    } finally {
      this.#commit = null;
      this.#pulse.close();
    }
  }

  /** Nothing is written while nothing happens: a timer stands only while there is something to write or to retry. */
  #armTimers(): void {
    const dueAt = this.#paused ? null : this.#options.parked.nextDueAt();
    this.#timers.retryAt(dueAt, () => this.#pulse.beat());
    if (this.#upTo <= this.#position) return;
    this.#timers.checkpointSoon(
      () => void this.between(() => this.#writeCheckpoint()).catch(() => undefined),
    );
  }

  async #step(name: ProjectionStep): Promise<void> {
    const { testStep } = this.#options.services;
    if (testStep !== undefined) await testStep(name);
  }
}
