import type { ViteUserConfig } from 'vitest/config';

const integration = [
  'src/**/*.int.test.ts',
  'test/**/*.int.test.ts',
  'examples/**/*.test.ts',
  'tools/**/*.test.ts',
];

// Processes that die are told apart from what depends on the server's version: they are tried on 18 only.
// The pages of workflows are bounded by what its planner makes of a row comparison.
const onNewestServer = ['killed', 'deaths', 'fairness', 'embedded', 'workflows/plans'].map(
  (name) => `**/${name}.int.test.ts`,
);
const oldServer = process.env['FACTLINE_TEST_POSTGRES'] === '15';

const config: ViteUserConfig = {
  ssr: { resolve: { conditions: ['factline-source', 'module', 'node', 'development|production'] } },
  test: {
    reporters: ['default', './test/tally.ts'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 20_000,
    hookTimeout: 60_000,
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
          include: integration,
          // These tests wait for leases and timers more than they compute.
          maxWorkers: 3,
          exclude: ['**/node_modules/**', ...(oldServer ? onNewestServer : [])],
          globalSetup: ['./test/postgres.ts'],
        },
      },
    ],
  },
};

export default config;
