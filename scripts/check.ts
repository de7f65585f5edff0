// Behind `npm test`: every check, none stopped by another's failure.
// The last line is always `N passed, N failed, N skipped`, summed over all runs of vitest; a check that fails without
// a failed test (a type error, a crash) counts as one failure.
import { type SpawnOptions, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

interface Tally {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** Tests that passed at their second attempt only. */
  readonly again: readonly string[];
}

interface Check {
  readonly name: string;
  /** A script below the root and its arguments, run by this Node. */
  readonly command: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** Vitest: its output is shown as it comes, and its tests are counted. */
  readonly counts?: true;
}

const root = fileURLToPath(new URL('..', import.meta.url));
const vitest = 'node_modules/vitest/vitest.mjs';
const checkMsMax = 20 * 60_000;

const ofTheCode: readonly Check[] = [
  { name: 'typecheck', command: ['node_modules/typescript/bin/tsc', '-p', '.'] },
  {
    name: 'typecheck of the example',
    command: ['node_modules/typescript/bin/tsc', '-p', 'examples/order-pipeline'],
  },
  { name: 'lint', command: ['node_modules/@biomejs/biome/bin/biome', 'check', '--colors=off', '.'] },
  { name: 'knip', command: ['node_modules/knip/bin/knip.js', '--no-progress'] },
  { name: 'build', command: ['scripts/build.ts'] },
  { name: 'package', command: ['node_modules/publint/src/cli.js', '--strict'] },
];
const withoutServer: readonly Check[] = [
  { name: 'structure', command: [vitest, 'run', '--project', 'structure'], counts: true },
  { name: 'unit', command: [vitest, 'run', '--project', 'unit'], counts: true },
];
const onServers: readonly Check[] = [
  { name: 'integration, PostgreSQL 18', command: [vitest, 'run', '--project', 'integration'], counts: true },
  {
    // Which files: vitest.config.ts.
    name: 'integration, PostgreSQL 15',
    command: [vitest, 'run', '--project', 'integration'],
    environment: { FACTLINE_TEST_POSTGRES: '15' },
    counts: true,
  },
];
/** The first two side by side: they do not fill two cores by themselves. */
const checks = [...ofTheCode, ...withoutServer, ...onServers];

const say = (text: string): void => {
  process.stdout.write(`${text}\n`);
};

const environmentOf = (check: Check, tallyFile: string): NodeJS.ProcessEnv => {
  const environment: NodeJS.ProcessEnv = { ...process.env, ...check.environment, FACTLINE_TALLY: tallyFile };
  // The tests are no production, and a developer's own database is none of their business.
  environment['NODE_ENV'] = 'test';
  // Hundreds of processes are started, and each would strip and compile the same sources again.
  environment['NODE_COMPILE_CACHE'] = path.join(root, '.factline', 'compile-cache');
  delete environment['DATABASE_URL'];
  if (!process.stdout.isTTY) {
    environment['NO_COLOR'] = '1';
    delete environment['FORCE_COLOR'];
  }
  return environment;
};

interface Ended {
  readonly ok: boolean;
  readonly output: string;
}

const run = (check: Check, environment: NodeJS.ProcessEnv): Promise<Ended> =>
  new Promise((resolve) => {
    const options: SpawnOptions = {
      cwd: root,
      env: environment,
      stdio: check.counts ? ['ignore', 'inherit', 'inherit'] : ['ignore', 'pipe', 'pipe'],
      timeout: checkMsMax,
    };
    const child = spawn(process.execPath, [...check.command], options);
    let output = '';
    const collect = (chunk: Buffer): void => {
      output += chunk.toString();
    };
    child.stdout?.on('data', collect);
    child.stderr?.on('data', collect);
    child.on('error', (error) => resolve({ ok: false, output: error.message }));
    child.on('close', (code, signal) =>
      resolve({ ok: code === 0, output: signal ? `${output}\nended by ${signal}` : output }),
    );
  });

const nothing: Tally = { passed: 0, failed: 0, skipped: 0, again: [] };

const readTally = (file: string): Tally =>
  existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Tally) : nothing;

/** Runs one check, shows how it went, and answers what it adds to the last line. */
const perform = async (check: Check, folder: string): Promise<Tally> => {
  const tallyFile = path.join(folder, `${checks.indexOf(check)}.json`);
  if (check.counts) say(`▸ ${check.name}`);
  const since = performance.now();
  const { ok, output } = await run(check, environmentOf(check, tallyFile));
  const seconds = ((performance.now() - since) / 1_000).toFixed(1);
  if (!ok && output.trim() !== '') say(output.trimEnd());
  say(`${ok ? '✓' : '✕'} ${check.name}  ${seconds} s`);
  const tally = readTally(tallyFile);
  return ok || tally.failed > 0 ? tally : { ...tally, failed: 1 };
};

interface Sum extends Tally {
  readonly failedChecks: readonly string[];
}

const performAll = async (several: readonly Check[], folder: string): Promise<readonly Sum[]> => {
  const sums: Sum[] = [];
  for (const check of several) {
    const tally = await perform(check, folder);
    sums.push({ ...tally, failedChecks: tally.failed > 0 ? [check.name] : [] });
  }
  return sums;
};

const main = async (): Promise<void> => {
  const folder = mkdtempSync(path.join(tmpdir(), 'factline-check-'));
  const sums: Sum[] = [];
  try {
    const beside = [performAll(ofTheCode, folder), performAll(withoutServer, folder)];
    sums.push(...(await Promise.all(beside)).flat(), ...(await performAll(onServers, folder)));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  const sumOf = (count: 'passed' | 'failed' | 'skipped'): number =>
    sums.reduce((sum, each) => sum + each[count], 0);
  const failedChecks = sums.flatMap((each) => each.failedChecks);
  const again = sums.flatMap((each) => each.again);
  if (again.length > 0) say(`\npassed at the second attempt, to be looked into:\n${again.join('\n')}`);
  if (failedChecks.length > 0) say(`\nfailed: ${failedChecks.join(', ')}`);
  say(`${sumOf('passed')} passed, ${sumOf('failed')} failed, ${sumOf('skipped')} skipped`);
  process.exitCode = failedChecks.length > 0 ? 1 : 0;
};

await main();
