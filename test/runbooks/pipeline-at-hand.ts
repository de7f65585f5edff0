import path from 'node:path';
import { createTables } from '../../examples/order-pipeline/database.ts';
import { startSmtpSink } from '../../examples/order-pipeline/mail/smtp-sink.ts';
import {
  createPipeline,
  type Orchestration,
  type Pipeline,
  type Surroundings,
} from '../../examples/order-pipeline/pipeline.ts';
import { startProvider } from '../../examples/order-pipeline/provider/start-provider.ts';
import type { Factline } from '../../src/app/index.ts';
import { createDatabase, type Database } from '../../src/postgres/index.ts';
import { createProject, type Ran, runWords } from '../command-line.ts';
import { createTestDatabase } from '../database.ts';

/** The order pipeline, with a folder in which the command line finds it, as a person who is on call has it before them. */
export interface PipelineAtHand {
  readonly app: Factline;
  readonly database: Database;
  /** How the payment provider behaves from now on. */
  behave(change: { outage?: boolean; suspended?: boolean }): Promise<void>;
  /** A command line, without the leading `factline`. */
  run(words: string): Promise<Ran>;
  json<T>(words: string): Promise<T>;
  /** Ends the process that works the consumers; `start` is another one. */
  stop(): Promise<void>;
  start(): Promise<void>;
  end(): Promise<void>;
}

export const startPipeline = async (orchestrated: Orchestration | null = null): Promise<PipelineAtHand> => {
  const own = await createTestDatabase({ migrated: true });
  await createTables(own.url);
  const provider = await startProvider(own.url);
  const sink = await startSmtpSink();
  const project = createProject('order-pipeline-runbooks');
  const surroundings: Surroundings = {
    databaseUrl: own.url,
    providerUrl: provider.url,
    smtpUrl: `smtp://127.0.0.1:${sink.port}`,
    analyticsDirectory: path.join(project.directory, 'analytics'),
    workers: 0,
    orchestrated,
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
    behave: async (change) => {
      await fetch(`${provider.url}/admin/behaviour`, { method: 'PUT', body: JSON.stringify(change) });
    },
    run,
    json: async (words) => JSON.parse((await run(`${words} --json`)).out),
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
