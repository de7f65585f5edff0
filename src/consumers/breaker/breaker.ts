import type { Clock, Telemetry } from '../../foundation/index.ts';
import { type Database, loadQueries, run } from '../../postgres/index.ts';
import type { FailureDescription, Fence } from '../parked/index.ts';
import { FailureWindow, tripsOn, type WindowSums } from './failure-window.ts';

const sql = loadQueries<'sample' | 'open' | 'look' | 'close' | 'give_back'>(
  new URL('./breaker.sql', import.meta.url),
);

export interface BreakerOptions {
  readonly database: Database;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  readonly consumer: { readonly id: number; readonly name: string };
  readonly processId: number;
  readonly codeVersion: string;
  /** The fences of our lanes, for giving attempts back. */
  readonly lanes: () => { readonly laneCount: number; readonly fences: readonly Fence[] };
  /** It opened or closed, or a probe may be made. */
  readonly onChange: () => void;
}

export interface OpenBreaker {
  /** transient: a dependency is away. bug: something unclassified, most likely a deploy. */
  readonly kind: 'transient' | 'bug' | 'person';
  readonly fingerprint: string;
  readonly reason: string;
}

/** How often this process writes its figures at most. */
const sampleEveryMs = 1_000;
/** How often an open breaker is looked at. */
const lookEveryMs = 1_000;
const firstProbeMs = 2_000;
/** Between two probes: a dependency may be back any moment, a bug goes away with a deploy. */
const probeEveryMs = { transient: 5_000, bug: 120_000, person: 120_000 } as const;

/*
 *            ≥ 5 keys failed alike, ≥ 30 % of ≥ 20 keys in 60 s
 *   closed ───────────────────────────────────────────────────► open
 *     ▲                                                          │ probe due: one process lets one event through
 *     │   probe handled, new code version, a person              ▼
 *     └───────────────────────────────────────────────────── probing ──fails──► open (uncounted)
 *
 * Open means that the consumer is PAUSED: nothing begins, nothing is parked, no attempt is counted. The state is one row for
 * all processes; each notices it with its next checkpoint or failure.
 */
export class Breaker {
  readonly #options: BreakerOptions;
  readonly #window = new FailureWindow();
  #open: OpenBreaker | null = null;
  /** Failures whose rows were on their way when it opened are given back at the first look after it. */
  #givenBack = true;
  #probe: 'none' | 'granted' | 'running' = 'none';
  #sampledAt = Number.NEGATIVE_INFINITY;
  #lookedAt = 0;
  #work: Promise<void> | null = null;

  constructor(options: BreakerOptions) {
    this.#options = options;
  }

  get open(): OpenBreaker | null {
    return this.#open;
  }

  /** Whether an event may begin now. */
  admits(): boolean {
    return this.#open === null || this.#probe === 'granted';
  }

  /** True when this attempt is the probe. */
  beginAttempt(): boolean {
    if (this.#probe !== 'granted') return false;
    this.#probe = 'running';
    return true;
  }

  /** The probe was handled: what it stands for is over. */
  probeHandled(): void {
    this.#background(() => this.close('a probe was handled'));
  }

  /** Whatever became of the attempt: a probe that did not close the breaker is over. */
  endAttempt(probe: boolean): void {
    if (probe && this.#probe === 'running') this.#probe = 'none';
  }

  handled(key: string): void {
    this.#window.handled(key, this.#now);
  }

  /**
   * Counts a failure, and trips when it is one too many. True: the breaker is open, so nothing is to be parked or counted.
   * What a handler refuses on purpose, and payloads that break their schema, never count.
   */
  async failed({ key, description }: { key: string; description: FailureDescription }): Promise<boolean> {
    const counts = description.failureClass === 'transient' || description.failureClass === 'unclassified';
    if (this.#open !== null) return this.#failedWhileOpen(counts);
    if (!counts) return false;
    const now = this.#now;
    this.#window.failed(key, description.fingerprint, now);
    let sums = this.#window.sums(now);
    if (tripsOn(sums) === null && now - this.#sampledAt < sampleEveryMs) return false;
    try {
      sums = await this.#sample(sums, now);
      if (this.#open === null && tripsOn(sums) === description.fingerprint)
        await this.#trip(description, sums);
    } catch (error) {
      this.#report(error);
    }
    return this.#open !== null;
  }

  /** A probe that failed is no reason to count anything; one that was refused on purpose shows that the handler works. */
  async #failedWhileOpen(counts: boolean): Promise<boolean> {
    if (counts || this.#probe !== 'running') {
      if (this.#probe === 'running') this.#probe = 'none';
      return true;
    }
    await this.close('a probe was refused on purpose');
    return this.#open !== null;
  }

  async #sample(sums: WindowSums, now: number): Promise<WindowSums> {
    const { database, consumer, processId } = this.#options;
    this.#sampledAt = now;
    const failed = sums.failures.map(({ fingerprint, failed: keys }) => ({ fingerprint, keys }));
    const [row] = await run(database.operations, sql.sample, [
      consumer.id,
      processId,
      sums.keys,
      JSON.stringify(failed),
    ]);
    if (row?.['state'] === 'open') await this.look();
    return { keys: Number(row?.['keys']), failures: row?.['failures'] as WindowSums['failures'] };
  }

  async #trip(description: FailureDescription, sums: WindowSums): Promise<void> {
    const { database, consumer, codeVersion } = this.#options;
    const kind = description.failureClass === 'transient' ? 'transient' : 'bug';
    const failed =
      sums.failures.find(({ fingerprint }) => fingerprint === description.fingerprint)?.failed ?? 0;
    const reason = `${failed} of ${sums.keys} keys failed within a minute: ${description.message}`.slice(
      0,
      reasonMax,
    );
    const values = [
      consumer.id,
      kind,
      description.fingerprint,
      reason,
      codeVersion,
      kind === 'transient' ? firstProbeMs : probeEveryMs.bug,
    ];
    await run(database.operations, sql.open, values);
    await this.#noteOpen({ kind, fingerprint: description.fingerprint, reason });
  }

  async #noteOpen(open: OpenBreaker): Promise<void> {
    if (this.#open !== null) return;
    const { telemetry, consumer, onChange } = this.#options;
    this.#open = open;
    this.#givenBack = false;
    this.#probe = 'none';
    this.#lookedAt = this.#now;
    telemetry.emit('breaker.opened', {
      consumer: consumer.name,
      fingerprint: open.fingerprint,
      reason: open.reason,
    });
    telemetry.metrics.set('factline_breaker_open', { consumer: consumer.name }, 1);
    await this.#giveBack(open.fingerprint);
    onChange();
  }

  async #giveBack(fingerprint: string): Promise<void> {
    const { database, consumer, lanes } = this.#options;
    const { laneCount, fences } = lanes();
    if (fences.length === 0) return;
    await run(database.operations, sql.give_back, [
      consumer.id,
      JSON.stringify(fences),
      laneCount,
      fingerprint,
    ]);
  }

  /** After a takeover, when a checkpoint says so, and now and then while it is open. */
  async look(): Promise<void> {
    const { database, consumer, processId, codeVersion } = this.#options;
    this.#lookedAt = this.#now;
    const nextProbeMs = probeEveryMs[this.#open?.kind ?? 'transient'];
    const [row] = await run(database.operations, sql.look, [consumer.id, processId, nextProbeMs]);
    if (row === undefined || row['state'] === 'closed') return this.#noteClosed('it was closed elsewhere');
    if (row['kind'] === 'bug' && row['code_version'] !== codeVersion)
      return this.close(`the code version is ${codeVersion} now`);
    await this.#noteOpen({
      kind: row['kind'] as OpenBreaker['kind'],
      fingerprint: String(row['fingerprint'] ?? ''),
      reason: String(row['reason']),
    });
    if (!this.#givenBack) {
      await this.#giveBack(String(row['fingerprint'] ?? ''));
      this.#givenBack = true;
    }
    if (row['claimed'] === 1 && this.#probe === 'none') {
      this.#probe = 'granted';
      this.#options.onChange();
    }
  }

  /** Another process has opened it. */
  notice(): void {
    if (this.#open === null) this.#background(() => this.look());
  }

  /** Called often; does something only while the breaker is open. */
  tick(): void {
    if (this.#open === null || this.#now - this.#lookedAt < lookEveryMs) return;
    this.#background(() => this.look());
  }

  /** @param by who or what closed it */
  async close(by: string): Promise<void> {
    const { database, consumer } = this.#options;
    await run(database.operations, sql.close, [consumer.id, by]);
    this.#noteClosed(by);
  }

  #noteClosed(reason: string): void {
    if (this.#open === null) return;
    const { telemetry, consumer, onChange } = this.#options;
    this.#open = null;
    this.#probe = 'none';
    telemetry.emit('breaker.closed', { consumer: consumer.name, reason });
    telemetry.metrics.set('factline_breaker_open', { consumer: consumer.name }, 0);
    onChange();
  }

  /** One piece of work in the background at a time; a failure is reported and tried again with the next tick. */
  #background(work: () => Promise<void>): void {
    if (this.#work !== null) return;
    this.#work = work()
      .catch((error: unknown) => this.#report(error))
      .finally(() => {
        this.#work = null;
      });
  }

  #report(error: unknown): void {
    this.#options.telemetry.emit('engine.error', {
      unit: `breaker of ${this.#options.consumer.name}`,
      error,
    });
  }

  get #now(): number {
    return this.#options.clock.monotonic();
  }
}

const reasonMax = 500;
