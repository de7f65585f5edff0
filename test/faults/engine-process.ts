import pg from 'pg';
import {
  type ConsumerDefinition,
  type ConsumerEngine,
  createConsumerEngine,
  type RunningConsumer,
  type TestStep,
} from '../../src/consumers/index.ts';
import {
  createTelemetry,
  keyHash,
  systemClock,
  systemRandomness,
  type Telemetry,
} from '../../src/foundation/index.ts';
import { createTail, type Tail } from '../../src/log/index.ts';
import { createDatabase, type Database } from '../../src/postgres/index.ts';
import { type CountingOptions, countingClass } from './counting-class.ts';

/** What one process of an app holds of the engine: pools, tail, engine, with the counting class in place of the real ones. */
export interface EngineProcess {
  readonly database: Database;
  readonly tail: Tail;
  readonly engine: ConsumerEngine;
  readonly telemetry: Telemetry;
  readonly errors: unknown[];
  start(): Promise<void>;
  stop(): Promise<void>;
}

export interface EngineProcessOptions extends CountingOptions {
  readonly url: string;
  readonly definitions: readonly ConsumerDefinition[];
  readonly app?: string;
  readonly applicationName?: string;
  readonly testStep?: TestStep;
}

export const createEngineProcess = (options: EngineProcessOptions): EngineProcess => {
  const { url, definitions, applicationName = 'engine-test' } = options;
  const database = createDatabase({ url, applicationName });
  const telemetry = createTelemetry();
  const errors: unknown[] = [];
  telemetry.listen((event) => {
    if (event.name === 'engine.error') errors.push(event.fields);
  });
  const tail = createTail({ database, clock: systemClock, telemetry });
  const counting = countingClass(options);
  const engine = createConsumerEngine({
    database,
    tail,
    telemetry,
    clock: systemClock,
    randomness: systemRandomness,
    definitions,
    contracts: definitions.flatMap(({ contracts }) => contracts),
    app: { name: options.app ?? 'test', source: 'test', codeVersion: '1', projectionSchema: 'public' },
    classes: { projection: counting, operational: counting },
    ...(options.testStep === undefined ? {} : { testStep: options.testStep }),
  });
  return {
    database,
    tail,
    engine,
    telemetry,
    errors,
    start: async () => {
      await engine.register();
      await tail.start();
      await engine.start();
    },
    stop: async () => {
      await engine.stop();
      await tail.stop();
      await database.stop();
    },
  };
};

export const lanesHeld = (engine: ConsumerEngine, name: string): number =>
  engine
    .running()
    .filter((each: RunningConsumer) => each.definition.name === name)
    .reduce((sum, { progress }) => sum + progress.lanes.length, 0);

/** Writes events as a publisher does, `count` of them over `keys` keys, each in a transaction of `batch` events. */
export const publishEvents = async (
  url: string,
  {
    count,
    keys = 10,
    type = 'test.thing.happened.v1',
    batch = 10,
  }: { count: number; keys?: number; type?: string; batch?: number },
): Promise<void> => {
  const client = new pg.Client(url);
  await client.connect();
  try {
    for (let from = 0; from < count; from += batch) {
      const names = Array.from(
        { length: Math.min(batch, count - from) },
        (_, index) => `id=${(from + index) % keys}`,
      );
      await client.query(
        `insert into factline.events (id, type, source, key, key_hash, data, meta, time)
         select gen_random_uuid(), $1, 'test', k, h, '{}', '{}', now() from unnest($2::text[], $3::int[]) as e (k, h)`,
        [type, names, names.map(keyHash)],
      );
    }
  } finally {
    await client.end();
  }
};

export interface Audit {
  /** Events of the given types that no row shows. */
  readonly missing: number;
  readonly doubled: number;
  /** Pairs of one key that were handled the wrong way round. */
  readonly disordered: number;
  readonly handled: number;
}

/** The promises, checked over the rows that the counting class wrote, by SQL alone. */
export const audit = async (url: string, consumer: string, types: readonly string[]): Promise<Audit> => {
  const client = new pg.Client(url);
  await client.connect();
  try {
    const { rows } = await client.query(
      `with own as (select a.* from audit a join factline.consumers c on c.id = a.consumer_id where c.name = $1)
       select (select count(*)::int from factline.events e where e.type = any ($2)
                  and not exists (select from own where own.position = e.position)) as missing,
              (select count(*)::int - count(distinct position)::int from own) as doubled,
              (select count(*)::int from (select position, lag(position) over (partition by key order by ordinal) as before
                                            from own) o where before > position) as disordered,
              (select count(*)::int from own) as handled`,
      [consumer, types],
    );
    return rows[0] as Audit;
  } finally {
    await client.end();
  }
};

/** Waits until `condition` holds; for what no signal tells. */
export const until = async (
  condition: () => boolean | Promise<boolean>,
  withinMs = 15_000,
): Promise<void> => {
  const end = performance.now() + withinMs;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`not within ${withinMs} ms: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
};
