import type { ViteUserConfig } from 'vitest/config';
import { LongFilesFirst } from './test/long-files-first.ts';

const integration = [
  'src/**/*.int.test.ts',
  'test/**/*.int.test.ts',
  'examples/**/*.test.ts',
  'tools/**/*.test.ts',
];

/*
 * On PostgreSQL 15 every statement is parsed (test/statements), and what depends on the server's version runs: the plans of the log, migrations, how the
 * log is read, what projections and handlers do to their tables, the ORMs' adapters. What is built on those statements is proven on 18
 * alone: apps, workflows, operations and replays from step to step, the test kit, the command line, the documents, the examples, and of
 * those folders the files named here.
 */
const onOldServer = [
  'src/{log,postgres}/**/*.int.test.ts',
  'src/consumers/{membership,projection,operational}/**/*.int.test.ts',
  'src/testing/test-factline.int.test.ts',
  'test/statements.int.test.ts',
  'tools/**/*.test.ts',
];
const onNewestServerOnly = [
  // Processes that are started, stopped and killed: what they do in between is the same.
  ...['killed', 'deaths'],
  // When things happen, by our own clocks.
  ...['fairness', 'rate-limiter', 'attempts', 'traces'],
  // What comes of things in the end, over many statements that the files beside them try one by one.
  ...['lessons', 'fencing', 'quarantine-order', 'comparing', 'parking', 'renaming', 'no-code', 'holds'],
  // Start servers of their own.
  ...['embedded', 'lost-commit'],
].map((name) => `**/${name}.int.test.ts`);
const oldServer = process.env['FACTLINE_TEST_POSTGRES'] === '15';

const config: ViteUserConfig = {
  ssr: { resolve: { conditions: ['factline-source', 'module', 'node', 'development|production'] } },
  test: {
    reporters: ['default', './test/tally.ts'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 20_000,
    hookTimeout: 60_000,
    sequence: { sequencer: LongFilesFirst },
    exclude: ['**/node_modules/**', '**/dist/**'],
    projects: [
      {
        extends: true,
        test: { name: 'structure', include: ['test/structure.test.ts', 'test/structure/**/*.test.ts'] },
      },
      {
        extends: true,
        test: {
          name: 'unit',
          // Pure functions: the files share their modules, which halves the time.
          isolate: false,
          include: ['src/**/*.test.ts', 'test/**/*.test.ts'],
          exclude: ['**/*.int.test.ts', 'test/structure.test.ts', 'test/structure/**', '**/node_modules/**'],
        },
      },
      {
        // Runs on PostgreSQL 18; FACTLINE_TEST_POSTGRES=15 chooses the other one.
        extends: true,
        test: {
          name: 'integration',
          // As above: a hundred and sixty files read the same modules. What else they share, each tidies up behind itself.
          isolate: false,
          include: oldServer ? onOldServer : integration,
          // These tests wait for leases and timers as much as they compute.
          maxWorkers: 4,
          // In `npm test` a test may fail once, and is named at the end; run by itself it may not.
          retry: process.env['FACTLINE_TALLY'] === undefined ? 0 : 1,
          exclude: ['**/node_modules/**', ...(oldServer ? onNewestServerOnly : [])],
          globalSetup: ['./test/postgres.ts'],
        },
      },
    ],
  },
};

export default config;
