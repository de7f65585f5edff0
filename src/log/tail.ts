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
import { type CursorOptions, type CursorSource, type LogCursor, TailCursor } from './cursor.ts';
import { Hint, logChannel } from './hint.ts';
import { describeBlocker, type TailBlocked } from './holder-report.ts';
import { pollDelayMs, reconnectDelayMs } from './polling.ts';
import { readBarrier } from './reading.ts';
import { type EventTypes, RecentRows } from './recent-rows.ts';
import { type PassOutcome, SafeReader } from './safe-reader.ts';
import { checkLog, type HolderRule, type LogReport } from './start-checks.ts';
import { type SharedSession, TailSession } from './tail-session.ts';

export interface TailOptions {
  readonly database: Database;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  /** The strongest rule to use; it is used only where the check of the connection allows it. Default: 'both-locks'. */
  readonly rule?: HolderRule;
}

/** The one reader of the log in a process: it proves what is settled, and every consumer's cursor lives on it. */
export interface Tail extends Startable {
  /** Everything up to here was read, or will never be. */
  readonly settled: number;
  /** The one direct session: LISTEN and the process's advisory lock share it with the tail. */
  readonly session: SharedSession;
  /** This process has committed events: reads at once and tells the others. May be called whether the tail runs or not. */
  wake(): void;
  /**
   * Waits until everything up to `position` is settled.
   * @throws FactlineError WAIT_TIMED_OUT after `withinMs`; STOPPED when the signal aborts or the tail stops.
   */
  whenSettled(
    position: number,
    options?: { readonly withinMs?: number; readonly signal?: AbortSignal },
  ): Promise<void>;
  /** The highest position given at this moment: when it is settled, everything committed by now was read. */
  barrier(): Promise<number>;
  /** What was checked at the latest connect; null before the first. */
  readonly report: LogReport | null;
  /** Whom the tail has been waiting for, for at least half a second; null when it has not. */
  blocked(): TailBlocked | null;
  /** A place in the log for one consumer; see `LogCursor`. */
  cursor(options: { readonly types: EventTypes; readonly after: number }): LogCursor;
}

/**
 * @example
 * const tail = createTail({ database, clock: systemClock, telemetry })
 * await tail.start()
 * const cursor = tail.cursor({ types: 'all', after: 0 })
 */
export const createTail = (options: TailOptions): Tail => new LogTail(options);

interface Waiter {
  readonly position: number;
  /** Waits for a barrier: positions at the very end shall be settled, too. */
  readonly end: boolean;
  resolve(): void;
  reject(error: unknown): void;
}

/** Reads are at least this far apart: commits close to one another share one. */
const passSpacingMs = 2;
/** A cursor that took rows from the tail within this time will want the next ones as well. */
const rowsWantedMs = 1000;
const markEveryMs = 1000;
/** Reads that may find a given position unfinished before the holders are looked at only to settle the end. */
const endWantedAfter = 3;
const blockedShownMs = 500;
const blockedRefreshMs = 2000;

/** Going on would skip events or mix two logs: only a new start of the process, which checks everything, helps. */
const endingCodes: ReadonlySet<ErrorCode> = new Set([
  'LOG_WENT_BACKWARDS',
  'LOG_RESTORED',
  'LOG_EPOCH_MISMATCH',
]);

const epochChanged = (before: LogReport, now: LogReport): FactlineError =>
  new FactlineError('LOG_EPOCH_MISMATCH', { what: 'process', actual: before.epoch, expected: now.epoch });

class LogTail extends Lifecycle implements Tail, CursorSource {
  readonly #options: TailOptions;
  readonly #session: TailSession;
  readonly #reader: SafeReader;
  readonly #hint: Hint;
  readonly #signal: Signal;
  readonly #background: Background;
  readonly #waiters = new Set<Waiter>();
  readonly rows = new RecentRows(0);
  #report: LogReport | null = null;
  #loop: Promise<void> | null = null;
  /** Sticky: going on would skip events. */
  #refusal: FactlineError | null = null;
  #rowsTakenAt = Number.NEGATIVE_INFINITY;
  #activeAt = 0;
  #markedAt = 0;
  #unfinished: { readonly since: number; reads: number; readonly position: number } | null = null;
  #blocked: TailBlocked | null = null;
  #blockedShownAt = 0;

  constructor(options: TailOptions) {
    super('The tail');
    const { database, clock, telemetry } = options;
    this.#options = options;
    this.#session = new TailSession(database, clock);
    this.#reader = new SafeReader({ session: this.#session, database, rows: this.rows });
    this.#hint = new Hint({ session: this.#session, database, clock });
    this.#signal = new Signal(clock);
    this.#background = new Background((error) => telemetry.emit('engine.error', { unit: 'tail', error }));
    this.#session.listen(logChannel, ({ own }) => {
      if (!own) this.#awake();
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
    this.#awake();
    this.#hint.fire();
  }

  blocked(): TailBlocked | null {
    return this.#blocked;
  }

  barrier(): Promise<number> {
    return readBarrier(this.#options.database.operations);
  }

  cursor(options: { readonly types: EventTypes; readonly after: number }): LogCursor {
    const { database, clock } = this.#options;
    const full: CursorOptions = { ...options, source: this, database, clock };
    return new TailCursor(full);
  }

  async whenSettled(
    position: number,
    options: { readonly withinMs?: number; readonly signal?: AbortSignal } = {},
  ): Promise<void> {
    if (this.settled >= position) return;
    const { withinMs, signal } = options;
    const ended = new AbortController();
    const wait = this.#wait(
      { position, end: true },
      AbortSignal.any(signal ? [ended.signal, signal] : [ended.signal]),
    );
    this.#signal.fire();
    const stage = `settling the log up to ${position}`;
    const deadline = { clock: this.#options.clock, stage, ...(signal ? { signal } : {}) };
    try {
      await withDeadline(wait, { ...deadline, ms: withinMs ?? Number.MAX_SAFE_INTEGER });
    } finally {
      ended.abort();
    }
  }

  whenBeyond(position: number, signal?: AbortSignal): Promise<void> {
    if (position >= this.rows.from) this.#rowsTakenAt = this.#options.clock.monotonic();
    if (this.settled > position && this.state === 'running') return Promise.resolve();
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
    this.#release(new FactlineError('STOPPED', { unit: this.unit, operation: 'reading' }));
    if (this.settled > this.#reader.marked) await this.#reader.storeMark().catch(() => undefined);
    await this.#hint.settled();
    await this.#background.settled();
    await this.#session.close();
  }

  async #connect(): Promise<void> {
    await this.#session.open();
    try {
      const report = await checkLog(this.#session.queryable());
      if (this.#report !== null && report.epoch !== this.#report.epoch)
        throw epochChanged(this.#report, report);
      this.#report = report;
      await this.#reader.begin(this.#options.rule === 'sequence-only' ? 'sequence-only' : report.rule);
    } catch (error) {
      await this.#session.close();
      throw error;
    }
    this.#activeAt = this.#options.clock.monotonic();
    this.#wakeWaiters();
  }

  /** The loop only ticks, waits and reports; what one tick does is in `SafeReader.pass`. */
  async #run(signal: AbortSignal): Promise<void> {
    const { clock, telemetry } = this.#options;
    for (let failures = 0; !signal.aborted && this.#refusal === null; ) {
      try {
        if (!this.#session.connected) await this.#connect();
        const startedAt = clock.monotonic();
        const outcome = await this.#pass();
        failures = 0;
        await this.#pause(outcome, startedAt, signal);
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
    const now = this.#options.clock.monotonic();
    const outcome = await this.#reader.pass({
      rowsWanted: now - this.#rowsTakenAt < rowsWantedMs || this.#waiters.size > 0,
      endWanted: (this.#unfinished?.reads ?? 0) >= endWantedAfter || this.#endAwaited(),
    });
    this.#note(outcome);
    if (outcome.delivered > 0) this.#activeAt = this.#options.clock.monotonic();
    this.#wakeWaiters();
    this.#keepMark();
    return outcome;
  }

  async #pause(outcome: PassOutcome, startedAt: number, signal: AbortSignal): Promise<void> {
    if (outcome.more) return;
    const { clock } = this.#options;
    const delay = pollDelayMs({
      silenceMs: clock.monotonic() - this.#activeAt,
      unfinishedReads: this.#unfinished?.reads ?? 0,
      listening: this.#session.direct,
    });
    await this.#signal.wait(delay, signal);
    const spacing = startedAt + passSpacingMs - clock.monotonic();
    if (spacing > 0) await clock.sleep(spacing, signal);
  }

  #awake(): void {
    this.#activeAt = this.#options.clock.monotonic();
    this.#signal.fire();
  }

  /** Keeps account of what is waited for: metric, incident, and the state that decides about polling. */
  #note(outcome: PassOutcome): void {
    const { clock, telemetry } = this.#options;
    const now = clock.monotonic();
    telemetry.metrics.set('factline_tail_settled_position', {}, this.settled);
    telemetry.metrics.set('factline_tail_head_position', {}, this.#reader.head);
    const position = this.settled + 1;
    if (!outcome.unfinished) {
      this.#unfinished = null;
    } else if (this.#unfinished?.position === position) {
      this.#unfinished.reads += 1;
    } else {
      this.#unfinished = { since: now, reads: 1, position };
    }
    const age = this.#unfinished === null ? 0 : now - this.#unfinished.since;
    telemetry.metrics.set('factline_tail_blocked_seconds', {}, outcome.gap === null ? 0 : age / 1000);
    if (age >= blockedShownMs) this.#show({ position, ageMs: age, visibleBehind: outcome.gap !== null });
    else if (this.#blocked !== null) {
      telemetry.emit('tail.unblocked', { blockedMs: this.#blocked.ageMs });
      this.#blocked = null;
    }
  }

  #show(facts: Pick<TailBlocked, 'position' | 'ageMs' | 'visibleBehind'>): void {
    const { clock, telemetry } = this.#options;
    const first = this.#blocked === null;
    if (this.#blocked) this.#blocked = { ...this.#blocked, ...facts };
    if (!first && clock.monotonic() - this.#blockedShownAt < blockedRefreshMs) return;
    this.#blockedShownAt = clock.monotonic();
    const state = this.#reader.state;
    if (state === null) return;
    this.#background.run(async () => {
      const blocked = await describeBlocker(this.#session, state, facts);
      if (this.#unfinished?.position !== facts.position) return;
      this.#blocked = blocked;
      if (first)
        telemetry.emit('tail.blocked', {
          pid: blocked.pid,
          query: blocked.query,
          ageMs: blocked.ageMs,
          position: blocked.position,
        });
    });
  }

  #keepMark(): void {
    const now = this.#options.clock.monotonic();
    if (this.settled <= this.#reader.marked || now - this.#markedAt < markEveryMs) return;
    this.#markedAt = now;
    this.#background.run(() => this.#reader.storeMark());
  }

  #refuse(error: FactlineError): void {
    this.#refusal = error;
    this.#release(error);
  }

  #endAwaited(): boolean {
    for (const waiter of this.#waiters) if (waiter.end) return true;
    return false;
  }

  #wait(wanted: { readonly position: number; readonly end: boolean }, signal?: AbortSignal): Promise<void> {
    if (this.#refusal) return Promise.reject(this.#refusal);
    if (this.state !== 'running') {
      return Promise.reject(new FactlineError('NOT_STARTED', { unit: this.unit, operation: 'reading' }));
    }
    if (signal?.aborted) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        this.#waiters.delete(waiter);
        signal?.removeEventListener('abort', waiter.resolve);
      };
      const waiter: Waiter = {
        ...wanted,
        resolve: () => {
          leave();
          resolve();
        },
        reject: (error) => {
          leave();
          reject(error);
        },
      };
      this.#waiters.add(waiter);
      signal?.addEventListener('abort', waiter.resolve, { once: true });
    });
  }

  #wakeWaiters(): void {
    for (const waiter of [...this.#waiters]) if (waiter.position <= this.settled) waiter.resolve();
  }

  #release(error: FactlineError): void {
    for (const waiter of [...this.#waiters]) waiter.reject(error);
  }
}
