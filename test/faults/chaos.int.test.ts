import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../database.ts';
import { type AppOptions, bookings, Closed, createApp, Deposited } from './app-consumers.ts';
import { until } from './engine-process.ts';

/** Generous: these tests wait for leases, and share the machine with others. */
vi.setConfig({ testTimeout: 240_000 });

const program = fileURLToPath(new URL('./app-worker.ts', import.meta.url));
let test_: TestDatabase;
let client: pg.Client;
let workers: ChildProcess[] = [];

const launch = async (options: Omit<AppOptions, 'url'> = {}): Promise<ChildProcess> => {
  const worker = fork(
    program,
    [JSON.stringify({ url: `${test_.url}?application_name=worker`, ...options })],
    {
      execArgv: ['--conditions=factline-source'],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    },
  );
  workers.push(worker);
  await Promise.race([once(worker, 'message'), once(worker, 'exit')]);
  return worker;
};

const kill = async (worker: ChildProcess, signal: NodeJS.Signals): Promise<void> => {
  workers = workers.filter((each) => each !== worker);
  if (worker.exitCode !== null || worker.signalCode !== null) return;
  worker.kill(signal);
  await once(worker, 'exit');
};

const one = async (text: string): Promise<Record<string, unknown>> =>
  (await client.query(text)).rows[0] ?? {};

beforeEach(async () => {
  test_ = await createTestDatabase({ migrated: true });
  client = new pg.Client(test_.url);
  await client.connect();
  await client.query(bookings);
});

afterEach(async () => {
  await Promise.all(workers.map((worker) => kill(worker, 'SIGKILL')));
  await client.end();
  await test_.drop({ leaks: 'ignore' });
});

/** Everything that was published is handled: the two consumers stand at the end, and nothing waits. */
const drained = async (): Promise<void> => {
  const left = `select (select count(*) from factline.events e where e.type in ('${Deposited.type}', '${Closed.type}')
      and not exists (select from bookings b where b.account = e.data->>'account' and b.type = e.type
                         and b.sequence = (e.data->>'sequence')::int)) as handler,
    (select count(*) from factline.parked) as parked,
    (select count(*) from factline.events) - coalesce((select sum(deposits + booked) from balances), 0)
      - (select count(*) from factline.events where type = '${Closed.type}') as projection`;
  let open: Record<string, unknown> = {};
  const none = async (): Promise<boolean> => {
    open = await one(left);
    return Object.values(open).every((count) => Number(count) === 0);
  };
  await until(none, 60_000).catch(() => expect(open).toEqual({ handler: '0', parked: '0', projection: '0' }));
};

const publisher = (accounts: number, type: 'deposits' | 'both' = 'deposits'): { stop(): Promise<number> } => {
  const app = createApp({ url: test_.url, release: type === 'both' ? 2 : 1 });
  let going = true;
  let published = 0;
  const done = (async () => {
    for (let sequence = 1; going; sequence += 1) {
      for (let account = 0; account < accounts && going; account += 1) {
        const data = { account: `a${account}`, sequence };
        await app.publish([Deposited({ ...data, pence: 10 }), ...(type === 'both' ? [Closed(data)] : [])]);
        published += 1;
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    }
  })();
  return {
    stop: async () => {
      going = false;
      await done;
      await app.stop();
      return published;
    },
  };
};

/** The promises, from the tables alone. */
const broken = `select
  (select count(*)::int from (select from bookings group by account, sequence, type having count(*) > 1) d) as doubled,
  (select count(*)::int from (select sequence, lag(sequence) over (partition by account, type order by ordinal) as before
                                from bookings) o where before >= sequence) as disordered,
  (select count(*)::int from factline.events where type = 'bank.account.booked.v1')
    - (select count(*)::int from bookings) as unpublished,
  (select count(*)::int from balances b where deposits <> last or pence <> 10 * deposits) as wrong,
  (select coalesce(sum(bookings), 0)::int from accounts) - (select count(*)::int from bookings) as unequal`;

test('processes of the real classes are killed, stopped and cut off at random, and every promise holds', async () => {
  await launch();
  await launch();
  const source = publisher(8);
  let seed = 7;
  const random = (below: number): number => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) & 0x7fffffff;
    return seed % below;
  };
  for (let round = 0; round < 6; round += 1) {
    await new Promise((resolve) => setTimeout(resolve, 500 + random(1_000)));
    const victim = workers[random(workers.length)];
    if (victim === undefined) break;
    if (round % 4 === 3) {
      await client.query(
        `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database()
            and pid <> pg_backend_pid() and application_name = 'worker' and random() < 0.5`,
      );
    } else {
      await kill(victim, round % 4 === 1 ? 'SIGTERM' : 'SIGKILL');
      await launch();
    }
  }
  expect(await source.stop()).toBeGreaterThan(100);
  await drained();
  expect(await one(broken)).toEqual({ doubled: 0, disordered: 0, unpublished: 0, wrong: 0, unequal: 0 });
});

test('a process that stands still in the middle of its work comes back as a zombie and changes nothing', async () => {
  const zombie = await launch();
  const source = publisher(8);
  await until(async () => Number((await one('select count(*) as n from bookings'))['n']) > 50, 20_000);
  zombie.kill('SIGSTOP');
  await launch();
  const during = Number((await one('select count(*) as n from bookings'))['n']);
  await until(
    async () => Number((await one('select count(*) as n from bookings'))['n']) > during + 50,
    40_000,
  );
  await source.stop();
  await drained();
  zombie.kill('SIGCONT');
  await new Promise((resolve) => setTimeout(resolve, 2_000));
  await drained();
  expect(await one(broken)).toEqual({ doubled: 0, disordered: 0, unpublished: 0, wrong: 0, unequal: 0 });
});

test('a deploy adds an event type while the old release runs and dies: no event of it is passed over', async () => {
  const old = await launch({ release: 1 });
  await launch({ release: 1 });
  const source = publisher(6, 'both');
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  await launch({ release: 2 });
  await kill(old, 'SIGKILL');
  await launch({ release: 2 });
  await new Promise((resolve) => setTimeout(resolve, 2_000));
  await source.stop();
  await drained();
  expect(await one(broken)).toEqual({ doubled: 0, disordered: 0, unpublished: 0, wrong: 0, unequal: 0 });
});
