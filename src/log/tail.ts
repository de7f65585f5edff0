import {
  Background,
  type Clock,
  type ErrorCode,
  FactlineError,
  Lifecycle,
  Signal,
  type Startable,
  type Telemetry,
  withDeadline,
} from '../foundation/index.ts';
import type { Database } from '../postgres/index.ts';
import { Blockage } from './blockage.ts';
import { type CursorSource, type LogCursor, TailCursor } from './cursor.ts';
import { Hint, logChannel } from './hint.ts';
import type { TailBlocked } from './holder-report.ts';
import { ensurePartitions, leafOf, leavesAhead } from './partitions.ts';
import { pollDelayMs, reconnectDelayMs } from './polling.ts';
import { readBarrier } from './reading.ts';
import { type EventFilter, RecentRows } from './recent-rows.ts';
import { Recount } from './recount.ts';
import { type PassOutcome, SafeReader } from './safe-reader.ts';
import { SettledWaiters } from './settled-waiters.ts';
import { checkLog, type HolderRule, type LogReport } from './start-checks.ts';
import { type SharedSession, TailSession } from './tail-session.ts';

export interface TailOptions {
  readonly database: Database;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  /** The strongest rule to use; it is used only where the check of the connection allows it. Default: 'both-locks'. */
  readonly rule?: HolderRule;
  /** What the start checks have just found: a first connection within seconds need not look again. */
  readonly checked?: LogReport;
}

export interface WhenSettledOptions {
  /** Default: as long as it takes. */
  readonly withinMs?: number;
  readonly signal?: AbortSignal;
}

/** The one reader of the log in a process: it proves what is settled, and every consumer's cursor lives on it. */
export interface Tail extends Startable {
  /** Everything up to here was read, or will never be. */
  readonly settled: number;
  /** The one direct session: LISTEN and the process's advisory lock share it with the tail. */
  readonly session: SharedSession;
  /** What was checked at the latest connect; null before the first. */
  readonly report: LogReport | null;
  /** This process has committed events: reads at once and tells the others. May be called whether the tail runs or not. */
  wake(): void;
  /**
   * Waits until everything up to `position` is settled.
   * @throws FactlineError WAIT_TIMED_OUT after `withinMs`; STOPPED when the signal aborts or the tail stops.
   */
  whenSettled(position: number, options?: WhenSettledOptions): Promise<void>;
  /** The highest position given at this moment: when it is settled, everything committed by now was read. */
  barrier(): Promise<number>;
  /** Whom the tail has been waiting for, for at least half a second; null when it has not. */
  blocked(): TailBlocked | null;
  /** A place in the log for one consumer; see `LogCursor`. */
  cursor(options: EventFilter & { readonly after: number }): LogCursor;
}

/**
 * @example
 * const tail = createTail({ database, clock: systemClock, telemetry })
 * await tail.start()
 * const cursor = tail.cursor({ types: 'all', after: 0 })
 */
export const createTail = (options: TailOptions): Tail => new LogTail(options);

/** Beyond this many reads within a window they keep a distance: commits close to one another share one. */
const spacing = { passesMax: 40, windowMs: 100, distanceMs: 3 } as const;
/** A cursor that took rows from the tail within this time will want the next ones as well. */
const rowsWantedMs = 1000;
const markEveryMs = 1000;
const checkedForMs = 5_000;
/** Reads that may find a given position unfinished before the holders are looked at only to settle the end. */
const endWantedAfter = 3;

/** Going on would skip events or mix two logs: only a new start of the process, which checks everything, helps. */
const endingCodes: ReadonlySet<ErrorCode> = new Set([
  'LOG_WENT_BACKWARDS',
  'LOG_RESTORED',
  'LOG_EPOCH_MISMATCH',
]);

const epochChanged = (before: LogReport, now: LogReport): FactlineError =>
  new FactlineError('LOG_EPOCH_MISMATCH', { what: 'process', actual: before.epoch, expected: now.epoch });

class LogTail extends Lifecycle implements Tail, CursorSource {
  readonly rows: RecentRows = new RecentRows(0);
  readonly #options: TailOptions;
  readonly #session: TailSession;
  readonly #recount: Recount;
  readonly #reader: SafeReader;
  readonly #hint: Hint;
  readonly #signal: Signal;
  readonly #background: Background;
  readonly #blockage: Blockage;
  readonly #waiters = new SettledWaiters();
  #report: LogReport | null = null;
  /** Until when the first connection may rely on the start checks. */
  readonly #checkedUntil: number;
  #loop: Promise<void> | null = null;
  /** Why the loop has ended by itself; see `endingCodes`. */
  #refusal: FactlineError | null = null;
  #window: { readonly since: number; passes: number } = { since: 0, passes: 0 };
  #rowsTakenAt = Number.NEGATIVE_INFINITY;
  #activeAt = 0;
  #markedAt = 0;
  /** The partition that the head was in when partitions were created ahead. */
  #leaf = -1;
  /** What the next read was woken by, for the metric. */
  #reason: 'wake' | 'hint' | 'poll' | 'gap' = 'poll';

  constructor(options: TailOptions) {
    super('The tail');
    const { database, clock, telemetry } = options;
    this.#options = options;
    this.#checkedUntil = clock.monotonic() + checkedForMs;
    this.#background = new Background((error) => telemetry.emit('engine.error', { unit: 'tail', error }));
    this.#session = new TailSession(database, clock);
    this.#recount = new Recount(options);
    this.#reader = new SafeReader({
      session: this.#session,
      database,
      rows: this.rows,
      recount: this.#recount,
    });
    this.#hint = new Hint({ session: this.#session, database, clock });
    this.#signal = new Signal(clock);
    this.#blockage = new Blockage({
      clock,
      telemetry,
      session: this.#session,
      background: this.#background,
    });
    this.#session.listen(logChannel, ({ own }) => {
      if (!own) this.#awake('hint');
    });
    this.#session.onLost((error) => telemetry.emit('tail.session-lost', { error }));
  }

  get settled(): number {
    return this.#reader.settled;
  }

  get session(): SharedSession {
    return this.#session;
  }

  get report(): LogReport | null {
    return this.#report;
  }

  wake(): void {
    this.#awake('wake');
    this.#hint.fire();
  }

  blocked(): TailBlocked | null {
    return this.#blockage.shown;
  }

  barrier(): Promise<number> {
    return readBarrier(this.#options.database.operations);
  }

  cursor(options: EventFilter & { readonly after: number }): LogCursor {
    const { database, clock } = this.#options;
    return new TailCursor({ ...options, source: this, database, clock });
  }

  async whenSettled(position: number, options: WhenSettledOptions = {}): Promise<void> {
    if (this.settled >= position) return;
    const { withinMs = Number.MAX_SAFE_INTEGER, signal } = options;
    const ended = new AbortController();
    const wait = this.#wait({ position, end: true }, ended.signal);
    this.#signal.fire();
    const stage = `settling the log up to ${position}`;
    const { clock } = this.#options;
    try {
      await withDeadline(wait, { ms: withinMs, clock, stage, ...(signal ? { signal } : {}) });
    } finally {
      ended.abort();
    }
  }

  whenBeyond(position: number, signal?: AbortSignal): Promise<void> {
    if (position >= this.rows.from) this.#rowsTakenAt = this.#options.clock.monotonic();
    if (this.state === 'running' && this.#refusal === null && this.settled > position)
      return Promise.resolve();
    return this.#wait({ position: position + 1, end: false }, signal);
  }

  protected override async onStart(signal: AbortSignal): Promise<void> {
    this.#refusal = null;
    await this.#connect();
    this.#loop = this.#run(signal);
  }

  protected override async onStop(): Promise<void> {
    await this.#loop;
    this.#loop = null;
    this.#waiters.release(new FactlineError('STOPPED', { unit: this.unit, operation: 'reading' }));
    if (this.settled > this.#reader.marked) await this.#reader.storeMark().catch(() => undefined);
    await this.#hint.settled();
    await this.#background.settled();
    await this.#session.close();
  }

  async #connect(): Promise<void> {
    await this.#session.open();
    try {
      const report = this.#justChecked() ?? (await checkLog(this.#session.queryable()));
      if (this.#report !== null && report.epoch !== this.#report.epoch)
        throw epochChanged(this.#report, report);
      this.#report = report;
      this.#notePartitions(report);
      await this.#reader.begin(this.#options.rule === 'sequence-only' ? 'sequence-only' : report.rule);
    } catch (error) {
      // Told to who prepared the connection as well: its locks are gone.
      this.#session.giveUp(error);
      throw error;
    }
    this.#activeAt = this.#options.clock.monotonic();
    this.#waiters.wake(this.settled);
  }

  #justChecked(): LogReport | null {
    const { checked, clock } = this.#options;
    const fresh = this.#report === null && clock.monotonic() < this.#checkedUntil;
    return fresh && checked !== undefined ? checked : null;
  }

  /** Where enough are ahead none need be made before the head enters the next one. */
  #notePartitions({ partitionsAhead, head }: LogReport): void {
    this.#options.telemetry.metrics.set('factline_partitions_ahead', {}, partitionsAhead);
    if (partitionsAhead >= leavesAhead) this.#leaf = leafOf(head);
  }

  /** The loop only ticks, waits and reports; what one tick does is in `SafeReader.pass`. */
  async #run(signal: AbortSignal): Promise<void> {
    const { clock, telemetry } = this.#options;
    for (let failures = 0; !signal.aborted && this.#refusal === null; ) {
      try {
        if (!this.#session.connected) await this.#connect();
        const outcome = await this.#pass();
        failures = 0;
        await this.#pause(outcome, signal);
      } catch (error) {
        failures += 1;
        if (signal.aborted) return;
        if (FactlineError.is(error) && endingCodes.has(error.code)) this.#refuse(error);
        // A new connection starts from a known state, whatever went wrong on the old one.
        this.#session.giveUp(error);
        telemetry.emit('engine.error', { unit: 'tail', error });
        if (this.#refusal === null) await clock.sleep(reconnectDelayMs(failures), signal);
      }
    }
  }

  async #pass(): Promise<PassOutcome> {
    const { clock, telemetry } = this.#options;
    telemetry.metrics.count('factline_tail_polls_total', { reason: this.#reason });
    const outcome = await this.#reader.pass({
      rowsWanted: clock.monotonic() - this.#rowsTakenAt < rowsWantedMs || this.#waiters.size > 0,
      endWanted: this.#blockage.reads >= endWantedAfter || this.#waiters.endWanted,
    });
    this.#blockage.note({ ...outcome, state: this.#reader.state });
    telemetry.metrics.set('factline_tail_settled_position', {}, this.settled);
    telemetry.metrics.set('factline_tail_head_position', {}, this.#reader.head);
    if (outcome.delivered > 0) this.#activeAt = clock.monotonic();
    this.#waiters.wake(this.settled);
    this.#chores();
    return outcome;
  }

  async #pause(outcome: PassOutcome, signal: AbortSignal): Promise<void> {
    if (outcome.more) return;
    const { clock } = this.#options;
    const delay = pollDelayMs({
      silenceMs: clock.monotonic() - this.#activeAt,
      unfinishedReads: this.#blockage.reads,
      listening: this.#session.direct,
    });
    this.#reason = outcome.unfinished ? 'gap' : 'poll';
    await this.#signal.wait(delay, signal);
    if (this.#passesTooOften()) await clock.sleep(spacing.distanceMs, signal);
  }

  #passesTooOften(): boolean {
    const now = this.#options.clock.monotonic();
    if (now - this.#window.since > spacing.windowMs) this.#window = { since: now, passes: 0 };
    this.#window.passes += 1;
    return this.#window.passes > spacing.passesMax;
  }

  #awake(reason: 'wake' | 'hint'): void {
    this.#activeAt = this.#options.clock.monotonic();
    this.#reason = reason;
    this.#signal.fire();
  }

  /** What is due beside reading: the mark, partitions ahead, the recount. None of it happens while nothing moves. */
  #chores(): void {
    const now = this.#options.clock.monotonic();
    if (this.settled > this.#reader.marked && now - this.#markedAt >= markEveryMs) {
      this.#markedAt = now;
      this.#background.run(() => this.#reader.storeMark());
    }
    const leaf = leafOf(this.#reader.head);
    if (leaf !== this.#leaf) {
      this.#leaf = leaf;
      this.#background.run(() => this.#createPartitions());
    }
    if (this.#recount.due) this.#background.run(() => this.#recount.turn());
  }

  async #createPartitions(): Promise<void> {
    const { database, telemetry } = this.#options;
    const { ahead } = await ensurePartitions(database);
    telemetry.metrics.set('factline_partitions_ahead', {}, ahead);
  }

  #refuse(error: FactlineError): void {
    this.#refusal = error;
    this.#waiters.release(error);
  }

  #wait(wanted: { readonly position: number; readonly end: boolean }, signal?: AbortSignal): Promise<void> {
    if (this.#refusal) return Promise.reject(this.#refusal);
    if (this.state !== 'running') {
      return Promise.reject(new FactlineError('NOT_STARTED', { unit: this.unit, operation: 'reading' }));
    }
    return this.#waiters.wait(wanted, signal);
  }
}
