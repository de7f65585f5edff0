import {
  type ConsumerDefinition,
  type ConsumerEngine,
  createConsumerEngine,
  type Projection,
  projectionClass,
  type ReadOptions,
  readProjection,
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
import { createTail, encodeToken, publishingTransaction, type Tail } from '../../src/log/index.ts';
import { createDatabase, type Database } from '../../src/postgres/index.ts';

/** One process of an app that has projections only. */
export interface ProjectionProcess {
  readonly database: Database;
  readonly tail: Tail;
  readonly engine: ConsumerEngine;
  readonly telemetry: Telemetry;
  /** Everything that telemetry told. */
  readonly told: TelemetryEvent[];
  start(): Promise<void>;
  stop(): Promise<void>;
  publish(...drafts: Draft[]): Promise<string>;
  read<Row, Key>(projection: Projection<Row, Key>, key: Key, options?: ReadOptions): Promise<Row | null>;
  /** The rows of one statement, bigint and all as pg gives them. */
  rows(text: string, values?: readonly unknown[]): Promise<Record<string, unknown>[]>;
  /** Asks the owner of a consumer for something, and waits for the answer. */
  ask(
    name: string,
    verb: string,
    request?: { id?: number; actor?: string; reason?: string; arguments?: object },
  ): Promise<{ state: string; answer: Record<string, unknown> }>;
}

export interface ProjectionProcessOptions {
  readonly url: string;
  readonly definitions: readonly ConsumerDefinition[];
  readonly schema?: string;
  readonly applicationName?: string;
  /** Under which it publishes. Default: test. */
  readonly source?: string;
  readonly testStep?: TestStep;
}

export const createProjectionProcess = (options: ProjectionProcessOptions): ProjectionProcess => {
  const { url, definitions, schema = 'public', applicationName = 'projection-test', testStep } = options;
  const { source = 'test' } = options;
  const database = createDatabase({ url, applicationName });
  const telemetry = createTelemetry();
  const told: TelemetryEvent[] = [];
  telemetry.listen((event) => told.push(event));
  const tail = createTail({ database, clock: systemClock, telemetry });
  const engine = createConsumerEngine({
    database,
    tail,
    telemetry,
    clock: systemClock,
    randomness: systemRandomness,
    definitions,
    contracts: definitions.flatMap(({ contracts }) => contracts),
    app: { name: 'test', source, codeVersion: '1', projectionSchema: schema },
    classes: { projection: projectionClass, operational: projectionClass },
    ...(testStep === undefined ? {} : { testStep }),
  });
  const rows = async (text: string, values: readonly unknown[] = []): Promise<Record<string, unknown>[]> =>
    (await database.operations.query(text, [...values])).rows;
  const epoch = async (): Promise<string> =>
    String((await rows('select log_epoch from factline.log_meta'))[0]?.['log_epoch']);
  return {
    database,
    tail,
    engine,
    telemetry,
    told,
    rows,
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
    publish: async (...drafts) => {
      const { positions } = await publishingTransaction(
        { database, source, nextId: () => uuidv7(Date.now(), systemRandomness) },
        async (tx) => tx.publish(...(drafts as [Draft, ...Draft[]])),
      );
      tail.wake();
      return encodeToken({ epoch: await epoch(), positions });
    },
    read: async (projection, key, read) =>
      readProjection(
        { database, clock: systemClock, epoch: await epoch() },
        { projection, key, ...(read ? { options: read } : {}) },
      ),
    ask: async (name, verb, request = {}) => {
      const [made] = await rows(
        `insert into factline.requests (consumer_id, verb, parked_id, actor, reason, arguments)
         select coalesce((select p.consumer_id from factline.parked p where p.id = $3), id), $2, $3, $4, $5, $6
         from factline.consumers where name = $1 and state = 'live' returning id, consumer_id`,
        [
          name,
          verb,
          request.id ?? null,
          request.actor ?? 'tester',
          request.reason ?? null,
          JSON.stringify(request.arguments ?? {}),
        ],
      );
      await rows(`select pg_notify('factline_requests', $1)`, [String(made?.['consumer_id'])]);
      for (;;) {
        const [row] = await rows('select state, answer from factline.requests where id = $1', [made?.['id']]);
        if (row?.['state'] !== 'open') return row as never;
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    },
  };
};
