import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { removeEmbedded, startEmbedded } from '../../src/postgres/embedded/index.ts';
import { createDatabase, migrate } from '../../src/postgres/index.ts';
import { type ControlName, controls } from './controls.ts';
import { runStress, type StressReport } from './run.ts';

const usage = `npm run stress -- [options]

  --minutes N       how long to write (default 1; fractions are fine)
  --writers N       processes that write (default 2)
  --connections N   connections of each (default 2: few writers show wrong orders best)
  --tails N         processes that read by the product (default 2)
  --seed N          plan of deeds and deaths (default: by the clock, printed)
  --repertoire R    everything (default), or grants: what a role without rights on positions can do; both locks are proven then
  --controls LIST   wrong readers that must be caught: all (default), none, or names separated by commas
  --kill-every S    kill -9 of a writer or reader process about every S seconds (default 2; 0: never)
  --crash-every S   kill -9 of a backend, which restarts the server, about every S seconds (default 15; 0: never)
  --postgres V      18 (default) or 15, embedded
  --database URL    a superuser's URL of another server instead (max_prepared_transactions > 0); no crashes there
  --json            the report as JSON
`;

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '1' },
    writers: { type: 'string', default: '2' },
    connections: { type: 'string', default: '2' },
    tails: { type: 'string', default: '2' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    repertoire: { type: 'string', default: 'everything' },
    controls: { type: 'string', default: 'all' },
    'kill-every': { type: 'string', default: '2' },
    'crash-every': { type: 'string', default: '15' },
    postgres: { type: 'string', default: '18' },
    database: { type: 'string' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

const refuse = (text: string): never => {
  console.error(`${text}\n\n${usage}`);
  process.exit(2);
};

const number = (
  name: 'minutes' | 'writers' | 'connections' | 'tails' | 'seed' | 'kill-every' | 'crash-every',
): number => {
  const value = Number(values[name]);
  return Number.isFinite(value) && value >= 0 ? value : refuse(`--${name} is a number, not ${values[name]}`);
};

const chosenControls = (): ControlName[] => {
  const all = Object.keys(controls) as ControlName[];
  if (values.controls === 'all') return all;
  if (values.controls === 'none') return [];
  const names = values.controls.split(',').map((name) => name.trim());
  const unknown = names.find((name) => !all.includes(name as ControlName));
  return unknown === undefined
    ? (names as ControlName[])
    : refuse(`unknown control ${unknown}; known: ${all.join(', ')}`);
};

interface Server {
  readonly url: string;
  stop(): Promise<void>;
}

/** Durable settings: a crash of the server may lose what was not flushed. */
const ownServer = async (): Promise<Server> => {
  const version =
    values.postgres === '15' ? 15 : values.postgres === '18' ? 18 : refuse('--postgres is 15 or 18');
  const directory = fileURLToPath(new URL(`../../.factline/stress-${process.pid}/`, import.meta.url));
  mkdirSync(directory, { recursive: true });
  const settings = { max_prepared_transactions: '50', max_connections: '200', restart_after_crash: 'on' };
  const server = await startEmbedded({ directory, version, settings });
  return { url: server.url, stop: () => removeEmbedded(directory) };
};

const freshDatabase = async (server: string): Promise<string> => {
  const name = `factline_stress_${process.pid}`;
  const administrator = new pg.Client(server);
  await administrator.connect();
  await administrator.query(`drop database if exists ${name} with (force)`);
  await administrator.query(`create database ${name}`);
  await administrator.end();
  const url = new URL(server);
  url.pathname = `/${name}`;
  const database = createDatabase({ url: url.href, applicationName: 'stress' });
  await migrate(database);
  await database.stop();
  return url.href;
};

const print = (report: StressReport): void => {
  console.log(
    `${report.committed} events, ${report.holes} holes, ${report.prepared} prepared, ${report.kills} kills, ${report.crashes} crashes, ${report.lost} lost`,
  );
  for (const reader of report.readers) {
    const facts = `${reader.delivered} delivered, ${reader.missing} missing, ${reader.foreign} foreign, ${reader.repeated} repeated, ${reader.disordered} out of order, longest silence ${reader.longestSilenceMs} ms`;
    const verdict = reader.control ? (reader.ok ? 'caught' : 'NOT CAUGHT') : reader.ok ? 'sound' : 'BROKEN';
    console.log(
      `  ${verdict.padEnd(10)} ${reader.name.padEnd(30)} ${facts}${reader.reachedEnd ? '' : ', did not reach the end'}`,
    );
    for (const alarm of reader.alarms) console.log(`             ${alarm}`);
  }
  console.log(report.ok ? 'ok' : 'FAILED');
};

const main = async (): Promise<void> => {
  const seed = number('seed');
  const server: Server = values.database ? { url: values.database, stop: async () => {} } : await ownServer();
  const stop = (): void => void server.stop().finally(() => process.exit(130));
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  try {
    if (!values.json) console.log(`seed ${seed}`);
    const report = await runStress({
      url: await freshDatabase(server.url),
      seconds: number('minutes') * 60,
      seed,
      writers: number('writers'),
      connectionsPerWriter: number('connections'),
      tails: number('tails'),
      controls: chosenControls(),
      repertoire: values.repertoire === 'grants' ? 'grants' : 'everything',
      killEveryMs: number('kill-every') * 1000,
      crashEveryMs: values.database ? 0 : number('crash-every') * 1000,
      ...(values.json ? {} : { onProgress: (line: string) => console.log(line) }),
    });
    if (values.json) console.log(JSON.stringify(report, null, 2));
    else print(report);
    process.exitCode = report.ok ? 0 : 1;
  } finally {
    await server.stop();
  }
};

if (values.help) console.log(usage);
else await main();
