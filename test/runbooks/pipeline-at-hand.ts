import path from 'node:path';
import type pg from 'pg';
import { OrderPlaced } from '../../examples/order-pipeline/contracts/index.ts';
import { createTables } from '../../examples/order-pipeline/database.ts';
import { startSmtpSink } from '../../examples/order-pipeline/mail/smtp-sink.ts';
import {
  createPipeline,
  type Orchestration,
  type Pipeline,
  type Surroundings,
} from '../../examples/order-pipeline/pipeline.ts';
import type { Behaviour } from '../../examples/order-pipeline/provider/behaviour.ts';
import { startProvider } from '../../examples/order-pipeline/provider/start-provider.ts';
import type { Factline } from '../../src/app/index.ts';
import type { Draft } from '../../src/contracts/index.ts';
import { createDatabase, type Database } from '../../src/postgres/index.ts';
import { createProject, type Ran, runWords } from '../command-line.ts';
import { createTestDatabase } from '../database.ts';

interface OrderTerms {
  readonly totalPence?: number;
}

/** The order pipeline, with a folder in which the command line finds it, as a person who is on call has it before them. */
export interface PipelineAtHand {
  readonly app: Factline;
  readonly database: Database;
  readonly databaseUrl: string;
  readonly providerUrl: string;
  /** Where the command line is. */
  readonly directory: string;
  /** How the payment provider behaves from now on. */
  behave(change: Partial<Behaviour>): Promise<void>;
  /** A command line, without the leading `factline`. */
  run(words: string): Promise<Ran>;
  json<T>(words: string): Promise<T>;
  query(text: string, values?: readonly unknown[]): Promise<pg.QueryResult>;
  /** Orders of one line, 1530 pence each. */
  drafts(orderIds: readonly string[], over?: OrderTerms): Draft[];
  place(orderIds: readonly string[], over?: OrderTerms): Promise<void>;
  /** Another process with another release of the same code. */
  deploy(codeVersion: string): Promise<Pipeline>;
  /** Ends the process that works the consumers; `start` is another one. */
  stop(): Promise<void>;
  start(): Promise<void>;
  end(): Promise<void>;
}

/** What every order is about. */
export const order = {
  customerId: '17850',
  country: 'EIRE',
  lines: [{ product: '85123A', quantity: 6, unitPence: 255 }],
};

export interface AtHandOptions {
  readonly orchestrated?: Orchestration;
  /** Of the app's connections: a query of the database's URL. */
  readonly connection?: string;
}

export const startPipeline = async ({
  orchestrated,
  connection = '',
}: AtHandOptions = {}): Promise<PipelineAtHand> => {
  const own = await createTestDatabase({ migrated: true });
  await createTables(own.url);
  const provider = await startProvider(own.url);
  const sink = await startSmtpSink();
  const project = createProject('order-pipeline-runbooks');
  const surroundings: Surroundings = {
    databaseUrl: Object.assign(new URL(own.url), { search: connection }).href,
    providerUrl: provider.url,
    smtpUrl: `smtp://127.0.0.1:${sink.port}`,
    analyticsDirectory: path.join(project.directory, 'analytics'),
    workers: 0,
    orchestrated: orchestrated ?? null,
  };
  const source = path.resolve('examples/order-pipeline/pipeline.ts');
  project.write(
    'factline.config.ts',
    `import { createPipeline } from ${JSON.stringify(source)}
     export const { app } = createPipeline(${JSON.stringify(surroundings)}, 'parent')`,
  );
  const database = createDatabase({ url: own.url, applicationName: 'runbooks' });
  let pipeline: Pipeline | null = null;
  const run = (words: string): Promise<Ran> =>
    runWords(words, {
      directory: project.directory,
      environment: { DATABASE_URL: own.url, FACTLINE_ACTOR: 'ada' },
    });
  const atHand: PipelineAtHand = {
    get app() {
      if (pipeline === null) throw new Error('the pipeline does not run');
      return pipeline.app;
    },
    database,
    databaseUrl: own.url,
    providerUrl: provider.url,
    directory: project.directory,
    behave: async (change) => {
      await fetch(`${provider.url}/admin/behaviour`, { method: 'PUT', body: JSON.stringify(change) });
    },
    run,
    json: async (words) => JSON.parse((await run(`${words} --json`)).out),
    query: (text, values = []) => database.operations.query(text, [...values]),
    drafts: (orderIds, { totalPence = 1530 } = {}) =>
      orderIds.map((orderId) => OrderPlaced({ ...order, orderId, totalPence })),
    place: async (orderIds, over) => {
      await atHand.app.publish(atHand.drafts(orderIds, over));
    },
    deploy: async (codeVersion) => {
      process.env['FACTLINE_CODE_VERSION'] = codeVersion;
      const other = createPipeline(surroundings, 'parent');
      delete process.env['FACTLINE_CODE_VERSION'];
      await other.app.start();
      return other;
    },
    start: async () => {
      pipeline = createPipeline(surroundings, 'parent');
      await pipeline.app.start();
    },
    stop: async () => {
      await pipeline?.stop();
      pipeline = null;
    },
    end: async () => {
      await atHand.stop();
      await database.stop();
      await provider.stop();
      await sink.stop();
      project.remove();
      await own.drop();
    },
  };
  await atHand.start();
  return atHand;
};
