import {
  createFactlineWith,
  type Factline,
  type FactlineOptions,
  internals,
  type Published,
  systemSeams,
} from '../app/index.ts';
import { type Handler, isConsumerDefinition } from '../consumers/index.ts';
import type { Draft, FactEvent } from '../contracts/index.ts';
import { type Duration, FactlineError, toMilliseconds, withDeadline } from '../foundation/index.ts';
import { decodeToken } from '../log/index.ts';
import { loadQueries, run } from '../postgres/index.ts';
import { CrashPoint, disconnectForGood } from './crash-point.ts';
import { guardReads } from './guard-reads.ts';
import { createOwnDatabase, type OwnDatabase, runBuilt } from './own-database.ts';

const sql = loadQueries<'effects' | 'clock_statement' | 'rewind'>(new URL('./testing.sql', import.meta.url));

export interface TestFactlineOptions extends Omit<FactlineOptions, 'database' | 'handleSignals'> {
  /** A server to make the test's database on. Default: DATABASE_URL, else the embedded server. */
  readonly server?: string;
}

/** One call to the outside world, as the ledger has it. */
export interface EffectRecord {
  readonly name: string;
  readonly idempotencyKey: string;
  readonly state: 'started' | 'done';
  readonly result: unknown;
  readonly eventId: string;
}

/** A started app on a real PostgreSQL database of its own, for one test. */
export interface TestFactline extends AsyncDisposable {
  /** The app; after `crashAt` another one stands here. */
  readonly app: Factline;
  readonly databaseUrl: string;
  /** Publishes as the events' own producer would: a test plays the outside world. */
  publish(...drafts: readonly Draft[]): Promise<Published>;
  /**
   * Resolves when every event that is in the log, those published meanwhile included, is handled or parked (waiting for a retry,
   * or in quarantine).
   * @throws FactlineError WAIT_TIMED_OUT after `within` (default 10s); READ_UNDECLARED when a consumer has read a field that
   *   its `reads` lacks
   */
  settled(options?: { readonly within?: Duration }): Promise<void>;
  /**
   * Delivers the event again to every operational consumer that reads it, as after a crash before the checkpoint was written;
   * then waits as `settled`. (A projection's rows and checkpoint commit together: see `given(…).twice()`.)
   */
  redeliver(event: FactEvent | Published, options?: { readonly times?: number }): Promise<void>;
  /** What a handler did to the outside world, oldest first. */
  effects(handler: Handler): Promise<readonly EffectRecord[]>;
  /** Moves the database's clock (`factline.clock()`), so that retries and timers fall due; nothing sleeps. */
  advance(duration: Duration): Promise<void>;
  /** Lets the app die when it reaches the step, and starts another one on the same database. Resolves when that one works. */
  crashAt(step: string): Promise<void>;
  /** Stops the app and removes the database. */
  stop(): Promise<void>;
}

/**
 * @example
 * await using factline = await testFactline({ consumers: [chargeCard] })
 * await factline.publish(OrderPlaced({ orderId: 'A1', pence: 4200 }))
 * await factline.settled()
 * expect(await factline.effects(chargeCard)).toHaveLength(1)
 */
export const testFactline = async (options: TestFactlineOptions): Promise<TestFactline> => {
  const { server, ...appOptions } = options;
  const database = await createOwnDatabase(server);
  const kit = new Kit(appOptions, database);
  try {
    await kit.startApp();
    return kit;
  } catch (error) {
    await kit.stop().catch(() => {});
    throw error;
  }
};

const settleWithin: Duration = '10s';

class Kit implements TestFactline {
  readonly #options: Omit<TestFactlineOptions, 'server'>;
  readonly #database: OwnDatabase;
  #app: Factline | undefined;
  #crashPoint: CrashPoint = new CrashPoint();
  #advancedMs = 0;
  readonly #undeclaredReads: FactlineError[] = [];
  /** Tells the apps of one test apart in pg_stat_activity: a dead one's connections are ended, its successor's are not. */
  #lives = 0;

  constructor(options: Omit<TestFactlineOptions, 'server'>, database: OwnDatabase) {
    this.#options = options;
    this.#database = database;
  }

  get app(): Factline {
    if (this.#app === undefined)
      throw new FactlineError('NOT_STARTED', { unit: 'testFactline', operation: 'app' });
    return this.#app;
  }

  get databaseUrl(): string {
    return this.#database.url;
  }

  async startApp(): Promise<void> {
    const crashPoint = new CrashPoint();
    this.#crashPoint = crashPoint;
    this.#lives += 1;
    const name = this.#options.name ?? 'test';
    const url = new URL(this.#database.url);
    url.searchParams.set('application_name', this.#applicationName());
    this.#app = createFactlineWith(
      {
        ...this.#options,
        consumers: this.#guardedConsumers(),
        name,
        database: url.href,
        handleSignals: false,
      },
      { ...systemSeams, clock: crashPoint.clock, testStep: crashPoint.onStep },
    );
    await this.#app.start();
  }

  publish(...drafts: readonly Draft[]): Promise<Published> {
    const app = internals(this.app);
    const producer = drafts.flatMap(({ contract }) => contract.producers).at(0);
    return app.publishAs(producer ?? app.settings.source, drafts);
  }

  async settled({ within = settleWithin }: { readonly within?: Duration } = {}): Promise<void> {
    const { engine, tail } = await internals(this.app).open();
    const settle = async (): Promise<void> => {
      for (;;) {
        const barrier = await tail.barrier();
        await tail.whenSettled(barrier, { withinMs: toMilliseconds(within) });
        await engine.idle();
        if ((await tail.barrier()) === barrier) return;
      }
    };
    await withDeadline(settle(), {
      ms: toMilliseconds(within),
      clock: systemSeams.clock,
      stage: 'settled()',
    });
    const [undeclared] = this.#undeclaredReads;
    if (undeclared !== undefined) throw undeclared;
  }

  async redeliver(
    event: FactEvent | Published,
    { times = 1 }: { readonly times?: number } = {},
  ): Promise<void> {
    const positions = 'token' in event ? decodeToken(event.token).positions : [event.position];
    for (let delivery = 0; delivery < times; delivery += 1) {
      await this.settled();
      await this.app.stop();
      const { database } = await internals(this.app).open();
      for (const position of positions) await run(database.operations, sql.rewind, [position]);
      await this.app.start();
    }
    await this.settled();
  }

  async effects(handler: Handler): Promise<readonly EffectRecord[]> {
    const { database } = await internals(this.app).open();
    return (await run(database.operations, sql.effects, [handler.name])) as unknown as EffectRecord[];
  }

  async advance(duration: Duration): Promise<void> {
    this.#advancedMs += toMilliseconds(duration, 'advance');
    const { database, engine } = await internals(this.app).open();
    await runBuilt(database.operations, sql.clock_statement, `${this.#advancedMs} milliseconds`);
    await engine.lookForDueWork();
  }

  async crashAt(step: string): Promise<void> {
    const { database } = await internals(this.app).open();
    await this.#crashPoint.arm(step);
    // What it still holds is ended below, so nobody waits for it.
    disconnectForGood(database);
    await this.#database.endBackends(this.#applicationName());
    await this.startApp();
  }

  async stop(): Promise<void> {
    this.#crashPoint.disarm();
    try {
      await this.#app?.stop();
    } finally {
      this.#app = undefined;
      await this.#database.drop();
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  #guardedConsumers(): TestFactlineOptions['consumers'] {
    const { consumers } = this.#options;
    const guard = (value: unknown): unknown =>
      isConsumerDefinition(value) ? guardReads(value, (error) => this.#undeclaredReads.push(error)) : value;
    if (!Array.isArray(consumers))
      return Object.fromEntries(Object.entries(consumers).map(([name, value]) => [name, guard(value)]));
    return consumers.map(guard) as TestFactlineOptions['consumers'];
  }

  #applicationName(): string {
    return `life-${this.#lives}`;
  }
}
