import {
  type ConsumerDefinition,
  type ConsumerEngine,
  createConsumerEngine,
  operationalClass,
  projectionClass,
  type TestStep,
} from '../../src/consumers/index.ts';
import type { Draft } from '../../src/contracts/index.ts';
import {
  createTelemetry,
  systemClock,
  systemRandomness,
  type Telemetry,
  type TelemetryEvent,
  uuidv7,
} from '../../src/foundation/index.ts';
import { createTail, publishingTransaction, type Tail } from '../../src/log/index.ts';
import { createDatabase, type Database, type PoolSizes } from '../../src/postgres/index.ts';

/** One process of an app that has operational consumers only. */
export interface HandlerProcess {
  readonly database: Database;
  readonly tail: Tail;
  readonly engine: ConsumerEngine;
  readonly telemetry: Telemetry;
  /** Everything that telemetry told. */
  readonly told: TelemetryEvent[];
  readonly dead: boolean;
  start(): Promise<void>;
  stop(): Promise<void>;
  /** As kill -9: no step is ever passed again, and the server ends all connections. The promises of the dead stay pending. */
  kill(): Promise<void>;
  publish(...drafts: Draft[]): Promise<readonly number[]>;
  /** Everything published so far is handled or parked. */
  settled(): Promise<void>;
  rows(text: string, values?: readonly unknown[]): Promise<Record<string, unknown>[]>;
  /** Moves factline.clock() of the database. */
  advance(seconds: number): Promise<void>;
  /** Asks the owner of a consumer for something, and waits for the answer. */
  ask(
    name: string,
    verb: string,
    request?: { id?: unknown; actor?: string; reason?: string; arguments?: unknown },
  ): Promise<{ state: string; answer: Record<string, unknown> }>;
  /** `parked` with what is known of the events, by position. */
  parked(): Promise<Record<string, unknown>[]>;
}

export interface HandlerProcessOptions {
  readonly url: string;
  readonly definitions: readonly ConsumerDefinition[];
  readonly testStep?: TestStep;
  readonly codeVersion?: string;
  readonly sizes?: PoolSizes;
}

const neverAnswers = (): Promise<never> => new Promise(() => {});

/** A database whose pools answer nothing any more once its process is dead. */
const mortal = (database: Database, isDead: () => boolean): Database => {
  const wrap = <T extends object>(target: T, methods: readonly string[]): T =>
    // Over an empty object: a proxy may not change what its target declares unchangeable.
    new Proxy({} as T, {
      get: (_, name) => {
        if (typeof name === 'string' && methods.includes(name) && isDead()) return neverAnswers;
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
  const pools = {
    transactions: wrap(database.transactions, ['connect', 'query']),
    readers: wrap(database.readers, ['connect', 'query']),
    operations: wrap(database.operations, ['connect', 'query']),
  };
  return wrap({ ...database, ...pools }, ['openSession']);
};

/** Hundreds of these processes live for a second: each connection costs more than what it does for them. */
const fewConnections: PoolSizes = { operations: 2 };

let made = 0;

export const createHandlerProcess = (options: HandlerProcessOptions): HandlerProcess => {
  const { url, definitions, testStep, codeVersion = '1' } = options;
  made += 1;
  const applicationName = `handler-test-${process.pid}-${made}`;
  let dead = false;
  const database = mortal(
    createDatabase({ url, applicationName, sizes: { ...fewConnections, ...options.sizes } }),
    () => dead,
  );
  const telemetry = createTelemetry();
  const told: TelemetryEvent[] = [];
  telemetry.listen((event) => told.push(event));
  const tail = createTail({ database, clock: systemClock, telemetry });
  let advanced = 0;
  const engine = createConsumerEngine({
    database,
    tail,
    telemetry,
    clock: systemClock,
    randomness: systemRandomness,
    definitions,
    contracts: definitions.flatMap(({ contracts }) => contracts),
    app: { name: 'test', source: 'test', codeVersion, projectionSchema: 'public' },
    classes: { projection: projectionClass, operational: operationalClass },
    testStep: (step) => (dead ? new Promise(() => {}) : testStep?.(step)),
  });
  const rows = async (text: string, values: readonly unknown[] = []): Promise<Record<string, unknown>[]> =>
    (await database.operations.query(text, [...values])).rows;
  const settled = async (): Promise<void> => {
    await tail.whenSettled(await tail.barrier(), { withinMs: 10_000 });
    await engine.lookForDueWork();
    await engine.idle();
  };
  return {
    database,
    tail,
    engine,
    telemetry,
    told,
    rows,
    settled,
    get dead() {
      return dead;
    },
    start: async () => {
      await engine.register();
      await tail.start();
      await engine.start();
    },
    stop: async () => {
      if (dead) return;
      await engine.stop();
      await tail.stop();
      await database.stop();
    },
    kill: async () => {
      dead = true;
      const other = createDatabase({ url, applicationName: 'killer' });
      await other.operations.query(
        'select pg_terminate_backend(pid) from pg_stat_activity where starts_with(application_name, $1)',
        [applicationName],
      );
      await other.stop();
    },
    publish: async (...drafts) => {
      const { positions } = await publishingTransaction(
        { database, source: 'test', nextId: () => uuidv7(Date.now(), systemRandomness) },
        async (tx) => tx.publish(...(drafts as [Draft, ...Draft[]])),
      );
      tail.wake();
      return positions;
    },
    advance: async (seconds) => {
      advanced += seconds;
      await rows(
        `create or replace function factline.clock() returns timestamptz language sql volatile parallel safe
           as $$ select clock_timestamp() + interval '${advanced} seconds' $$`,
      );
    },
    ask: async (name, verb, request = {}) => {
      const [row] = await rows(
        `insert into factline.requests (consumer_id, verb, parked_id, actor, reason, arguments)
         select id, $2, $3, $4, $5, $6 from factline.consumers where name = $1 and state = 'live' returning id, consumer_id`,
        [
          name,
          verb,
          request.id ?? null,
          request.actor ?? 'tester',
          request.reason ?? null,
          JSON.stringify(request.arguments ?? {}),
        ],
      );
      await rows(`select pg_notify('factline_requests', $1)`, [String(row?.['consumer_id'])]);
      for (;;) {
        const [answered] = await rows('select state, answer from factline.requests where id = $1', [
          row?.['id'],
        ]);
        if (answered?.['state'] !== 'open') return answered as never;
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    },
    parked: () =>
      rows(
        `select p.id::int, p.key, p.position::int, p.state, p.reason, e.attempts, e.failure_class, e.error_code, e.error_message
           from factline.parked p left join factline.parked_events e using (consumer_id, replay_id, position)
          order by p.position`,
      ),
  };
};
