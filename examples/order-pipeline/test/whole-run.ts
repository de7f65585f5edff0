import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { inject } from 'vitest';
import { readOptions } from '../options.ts';
import type { Report } from '../report/report.ts';
import { runPipeline } from '../run/run-pipeline.ts';
import type { Screen } from '../screen/screen.ts';
import { samplePath } from './data.ts';

export interface WholeRun {
  readonly databaseName: string;
  readonly stateDirectory: string;
  /** Runs the whole pipeline with the options of its command line, on a database of its own. */
  run(...args: string[]): Promise<Report>;
  drop(): Promise<void>;
}

const silent: Screen = { say: () => {}, show: () => {}, settle: () => {} };

export async function prepareWholeRun(purpose: string, screen: Screen = silent): Promise<WholeRun> {
  const databaseName = `order_pipeline_${purpose}_${process.pid}`;
  const stateDirectory = await mkdtemp(join(tmpdir(), `order-pipeline-${purpose}-`));
  return {
    databaseName,
    stateDirectory,
    run: (...args) => {
      const options = readOptions(args);
      if (options === null) throw new Error('these are no options of a run');
      const interrupts = { signal: new AbortController().signal, first: new Promise<void>(() => {}) };
      return runPipeline(
        { ...options, database: inject('databaseUrl') },
        { screen, interrupts, stateDirectory, databaseName, sample: samplePath, stayUp: false },
      );
    },
    drop: async () => {
      const client = new pg.Client({ connectionString: inject('databaseUrl') });
      await client.connect();
      await client.query(`drop database if exists ${databaseName} with (force)`).finally(() => client.end());
      await rm(stateDirectory, { recursive: true });
    },
  };
}
