import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { removeEmbedded, startEmbedded } from '../../src/postgres/embedded/index.ts';
import { chaosServer } from './chaos-server.ts';
import { runChaos } from './run.ts';

const usage = `npm run chaos -- [options]

  --workflows N      how many instances (default 10000); more where all have ended before something of each kind happened
  --workers N        processes that run them (default 3)
  --seed N           when to kill what, and when the outside world fails (default: by the clock, printed)
  --kill-every S     kill -9 of a worker about every S seconds (default 3; 0: never)
  --restart-every S  crash of PostgreSQL, which recovers, about every S seconds (default 3; 0: never)
  --freeze-every S   SIGSTOP of a worker for four seconds, about so long after the one before (default 10; 0: never)
  --rob-every S      the lanes of a worker are taken from it while it works, about every S seconds (default 3; 0: never)
  --calm-after S     nothing is killed any more after S seconds (default 0: until the end)
  --within S         give up after S seconds (default 1800)
  --timeline FILE    what each worker does when, a line each
  --json             the report as JSON
`;

const { values } = parseArgs({
  options: {
    workflows: { type: 'string', default: '10000' },
    workers: { type: 'string', default: '3' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    'kill-every': { type: 'string', default: '3' },
    'restart-every': { type: 'string', default: '3' },
    'freeze-every': { type: 'string', default: '10' },
    'rob-every': { type: 'string', default: '3' },
    'calm-after': { type: 'string', default: '0' },
    within: { type: 'string', default: '1800' },
    timeline: { type: 'string' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

const number = (name: Exclude<keyof typeof values, 'timeline' | 'json' | 'help'>): number => {
  const value = Number(values[name]);
  if (Number.isFinite(value) && value >= 0) return value;
  console.error(`--${name} is a number, not ${values[name]}\n\n${usage}`);
  process.exit(2);
};

if (values.help) {
  console.log(usage);
  process.exit(0);
}

const seed = number('seed');
if (!values.json) console.log(`seed ${seed}`);
const directory = fileURLToPath(new URL(`../../.factline/stress-${process.pid}/`, import.meta.url));
mkdirSync(directory, { recursive: true });
const server = await startEmbedded({
  directory,
  settings: chaosServer,
});
try {
  const report = await runChaos({
    database: server.url,
    workflows: number('workflows'),
    workers: number('workers'),
    seed,
    killEveryMs: number('kill-every') * 1000,
    restartEveryMs: number('restart-every') * 1000,
    freezeEveryMs: number('freeze-every') * 1000,
    robEveryMs: number('rob-every') * 1000,
    calmAfterMs: number('calm-after') * 1000,
    withinMs: number('within') * 1000,
    ...(values.timeline === undefined ? {} : { timeline: path.resolve(values.timeline) }),
    ...(values.json ? {} : { onProgress: (line: string) => console.log(line) }),
  });
  if (values.json) console.log(JSON.stringify({ seed, ...report }));
  else {
    const { workflows, kills, restarts, frozen, robbed, pardoned, seconds, findings } = report;
    console.log(
      `${workflows} workflows in ${seconds} s: ${kills} workers killed, ${restarts} crashes of PostgreSQL, ${frozen} frozen, ${robbed} robbed of their lanes, ${pardoned} pardoned`,
    );
    console.log(report.ok ? 'every one ended once, in its right state' : findings.join('\n'));
  }
  process.exitCode = report.ok ? 0 : 1;
} finally {
  await removeEmbedded(directory);
}
