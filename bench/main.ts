import { spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { contenders } from './contenders/index.ts';
import { judge } from './harness/goals.ts';
import { plan } from './harness/plan.ts';
import { type Run, runOnce } from './harness/run.ts';
import { startBenchServer } from './harness/server.ts';
import { median, quantile, spread } from './harness/statistics.ts';

const usage = `npm run bench -- [options]

  --only NAMES        workloads, with commas: ${plan.map(({ name }) => name).join(', ')}
  --contenders NAMES  with commas: ${Object.keys(contenders).join(', ')}
  --rounds N          instead of each workload's own number
  --quick             smaller sizes, one round: for a look, not for a claim
  --no-peers          only the floors and Factline; nothing is installed
  --json FILE         { goals: [{ name, value, goal, met }], runs: […] }`;

const readOptions = () =>
  parseArgs({
    options: {
      only: { type: 'string' },
      contenders: { type: 'string' },
      rounds: { type: 'string' },
      quick: { type: 'boolean', default: false },
      'no-peers': { type: 'boolean', default: false },
      json: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  }).values;

const say = (line = ''): void => {
  process.stdout.write(`${line}\n`);
};

const fail = (message: string): never => {
  process.stderr.write(`${message}\n\n${usage}\n`);
  process.exit(2);
};

const choose = (given: string | undefined, all: readonly string[], option: string): readonly string[] => {
  if (given === undefined) return all;
  const names = given.split(',').map((name) => name.trim());
  const unknown = names.find((name) => !all.includes(name));
  return unknown === undefined ? names : fail(`${option}: there is no ${unknown}`);
};

/**
 * The peers live in bench/node_modules only, so that nobody else ever installs them. `install` keeps to the lock file, as `ci` does,
 * but lets optional packages of other platforms be absent from a registry's mirror.
 */
const installPeers = (): void => {
  const folder = fileURLToPath(new URL('.', import.meta.url));
  if (existsSync(`${folder}/node_modules/pg-boss`)) return;
  say('installing the peers (bench/package.json) …');
  const npm = process.env['npm_execpath'];
  const [command, args] = npm === undefined ? ['npm', []] : [process.execPath, [npm]];
  const { status } = spawnSync(
    command,
    [...args, 'install', '--no-save', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'],
    {
      cwd: folder,
      stdio: 'inherit',
    },
  );
  if (status !== 0) fail('the peers could not be installed; --no-peers measures without them');
};

const number = (value: number): string =>
  value >= 1000
    ? Math.round(value).toLocaleString('en-GB')
    : value.toLocaleString('en-GB', { maximumSignificantDigits: 3 });

const lineOf = (name: string, runs: readonly Run[], floor: number): string => {
  const rates = runs.map(({ perSecond }) => perSecond);
  const [low, high] = spread(rates);
  const latencies = runs.flatMap(({ latenciesMs }) => latenciesMs ?? []);
  const cells = [
    name.padEnd(24),
    runs[0]?.done === 0
      ? ''.padEnd(26)
      : latencies.length > 0
        ? `p50 ${number(quantile(latencies, 0.5))} ms  p99 ${number(quantile(latencies, 0.99))} ms`.padEnd(34)
        : `${number(median(rates))}/s (${low.toFixed(2)}–${high.toFixed(2)})`.padEnd(26),
    latencies.length > 0 || floor === 0
      ? ''
      : `${(median(rates) / floor).toFixed(2)} of the floor`.padEnd(20),
    `${number(median(runs.map((run) => (run.done === 0 ? run.statementsPerSecond : run.statementsPerDone))))} statements${runs[0]?.done === 0 ? '/s' : ' each'}`.padEnd(
      24,
    ),
    runs[0]?.done === 0
      ? `${runs[0]?.connections ?? '?'} connections`
      : `${number(median(runs.map((run) => run.processorMsPerDone)))} ms cpu each`,
    `${number(Math.max(...runs.map((run) => run.memoryMb ?? 0)))} MB`.padEnd(8),
    `others ${(median(runs.map((run) => run.othersShare)) * 100).toFixed(0)} %`,
    runs.some((run) => run.lost + run.doubled > 0)
      ? `LOST ${Math.max(...runs.map((run) => run.lost))} DOUBLED ${Math.max(...runs.map((run) => run.doubled))}`
      : '',
  ];
  return cells.join('  ').trimEnd();
};

const main = async (): Promise<void> => {
  const options = readOptions();
  if (options.help) return say(usage);
  const peers = Object.keys(contenders).filter((name) => name !== 'floor' && name !== 'factline');
  const names = choose(
    options.contenders,
    options['no-peers'] ? ['floor', 'factline'] : Object.keys(contenders),
    '--contenders',
  );
  const workloads = choose(
    options.only,
    plan.map(({ name }) => name),
    '--only',
  );
  if (names.some((name) => peers.includes(name))) installPeers();
  const server = await startBenchServer();
  say(`PostgreSQL ${server.version}, fsync and synchronous_commit on, ${JSON.stringify(server.settings)}`);
  say(`Node ${process.version}, ${availableParallelism()} cores, ${new Date().toISOString()}`);
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => void server.stop().finally(() => process.exit(130)));
  const runs: Run[] = [];
  try {
    for (const planned of plan.filter(({ name }) => workloads.includes(name))) {
      say(`\n${planned.name}: ${planned.what}`);
      const who = names.filter(
        (name) => contenders[name]?.does.includes(planned.workload) && (planned.only?.includes(name) ?? true),
      );
      const rounds =
        options.rounds === undefined ? (options.quick ? 1 : planned.rounds) : Number(options.rounds);
      for (let round = 1; round <= rounds; round += 1) {
        for (const contender of who) {
          const size = options.quick ? planned.quick : planned.size;
          try {
            runs.push(
              await runOnce(server, {
                contender,
                workload: planned.workload,
                plan: planned.name,
                round,
                size,
              }),
            );
          } catch (error) {
            say(`  ${contender}: ${error instanceof Error ? error.message : String(error)}`);
          }
        }
      }
      const mine = runs.filter((run) => run.plan === planned.name);
      const floor =
        median(mine.filter(({ contender }) => contender === 'floor').map(({ perSecond }) => perSecond)) || 0;
      for (const contender of who) {
        const own = mine.filter((run) => run.contender === contender);
        if (own.length > 0) say(`  ${lineOf(contender, own, floor)}`);
      }
      for (const contender of who) {
        const notes = mine.find((run) => run.contender === contender)?.notes;
        if (notes !== undefined) say(`    ${contender}: ${notes.join('; ')}`);
      }
    }
  } finally {
    await server.stop();
  }
  const goals = judge(runs);
  say('\ngoals');
  for (const goal of goals)
    say(
      `  ${goal.met ? '✓' : '✕'} ${goal.name.padEnd(52)} ${number(goal.value).padStart(8)}  (${goal.goal})`,
    );
  if (options.json !== undefined) {
    const slim = runs.map(({ latenciesMs, ...run }) =>
      latenciesMs === undefined
        ? run
        : { ...run, p50Ms: quantile(latenciesMs, 0.5), p99Ms: quantile(latenciesMs, 0.99) },
    );
    writeFileSync(options.json, `${JSON.stringify({ goals, runs: slim }, null, 2)}\n`);
  }
};

await main();
