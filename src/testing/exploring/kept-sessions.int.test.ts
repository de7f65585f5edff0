import pg from 'pg';
import { afterAll, beforeAll, expect, inject, it, vi } from 'vitest';
import { createOwnDatabase, type OwnDatabase } from '../own-database.ts';
import { KeptSessions, type Loan } from './kept-sessions.ts';

let database: OwnDatabase;
let sessions: KeptSessions;
let looking: pg.Client;
beforeAll(async () => {
  database = await createOwnDatabase(inject('databaseUrl'));
  sessions = new KeptSessions(database);
  looking = new pg.Client({ connectionString: database.url });
  await looking.connect();
  await looking.query('create table written (value text)');
});
afterAll(async () => {
  await looking?.end();
  await sessions?.end();
  await database?.drop();
});

const connect = async (loan: Loan, settings = ''): Promise<pg.Client> => {
  const client = new pg.Client({ connectionString: database.url, stream: () => loan.stream(settings) });
  client.on('error', () => {});
  await client.connect();
  return client;
};
const backendOf = async (client: pg.Client): Promise<number> =>
  (await client.query('select pg_backend_pid() as pid')).rows[0].pid;

it('goes on to the next life with nothing of what the dead one held', async () => {
  const dead = sessions.loan();
  const client = await connect(dead, '-c statement_timeout=7000');
  const pid = await backendOf(client);
  const heard: unknown[] = [];
  await client.query(
    'select pg_advisory_lock(7); listen news; set work_mem = 99; create temp table mine (value int); set statement_timeout = 8000',
  );
  await client.query({ name: 'named', text: 'select 1 as value' });
  await client.query('begin');
  await client.query("insert into written values ('never')");
  await dead.end();
  await expect(client.query('select 1')).rejects.toThrow();

  const next = sessions.loan();
  const successor = await connect(next, '-c statement_timeout=7000');
  successor.on('notification', ({ channel }) => heard.push(channel));
  expect(await backendOf(successor)).toBe(pid);
  expect((successor as unknown as { processID: number }).processID).toBe(pid);
  const { rows } = await looking.query('select pg_try_advisory_lock(7) as free, pg_advisory_unlock(7)');
  expect(rows[0].free).toBe(true);
  await looking.query('notify news');
  const state = await successor.query(
    "select current_setting('work_mem') as memory, current_setting('statement_timeout') as limit, to_regclass('mine') as mine, (select count(*)::int from written) as written",
  );
  expect(state.rows).toEqual([{ memory: '4MB', limit: '7s', mine: null, written: 0 }]);
  expect((await successor.query({ name: 'named', text: 'select 1 as value' })).rows).toEqual([{ value: 1 }]);
  expect(heard).toEqual([]);
  await next.end();

  const third = sessions.loan();
  const another = await connect(third, '-c statement_timeout=7000');
  expect(await backendOf(another)).toBe(pid);
  expect((await another.query({ name: 'named', text: 'select 2 as value' })).rows).toEqual([{ value: 2 }]);
  await another.query('deallocate all');
  await third.end();
  const last = sessions.loan();
  const again = await connect(last, '-c statement_timeout=7000');
  expect(await backendOf(again)).toBe(pid);
  expect((await again.query({ name: 'named', text: 'select 2 as value' })).rows).toEqual([{ value: 2 }]);
  await again.end();
  await last.end();
});

it('is ended where the server is at work for the dead one, and keeps nobody else waiting', async () => {
  const dead = sessions.loan();
  const client = await connect(dead);
  const pid = await backendOf(client);
  await looking.query('select pg_advisory_lock(8)');
  const waiting = client.query('select pg_advisory_lock(8)');
  waiting.catch(() => {});
  try {
    const blocked = 'select from pg_locks where not granted and pid = $1';
    await vi.waitUntil(async () => (await looking.query(blocked, [pid])).rowCount === 1, { timeout: 15_000 });
    await dead.end();
  } finally {
    await looking.query('select pg_advisory_unlock(8)');
  }
  await expect(waiting).rejects.toThrow();
  expect((await looking.query('select from pg_stat_activity where pid = $1', [pid])).rowCount).toBe(0);
  const next = sessions.loan();
  expect(await backendOf(await connect(next))).not.toBe(pid);
  await next.end();
});

it('tells its borrower when the server ends it, and is not lent again', async () => {
  const loan = sessions.loan();
  const client = await connect(loan, '-c work_mem=1MB');
  const pid = await backendOf(client);
  const ended = new Promise((resolve) => client.once('end', resolve));
  await looking.query('select pg_terminate_backend($1)', [pid]);
  await ended;
  await expect(client.query('select 1')).rejects.toThrow();
  expect(await backendOf(await connect(loan, '-c work_mem=1MB'))).not.toBe(pid);
  await loan.end();
});

it('lends nothing to the dead', async () => {
  const dead = sessions.loan();
  await dead.end();
  const client = new pg.Client({ connectionString: database.url, stream: () => dead.stream('') });
  client.on('error', () => {});
  let connected = false;
  client.connect().then(
    () => {
      connected = true;
    },
    () => {},
  );
  const next = sessions.loan();
  await backendOf(await connect(next));
  await next.end();
  expect(connected).toBe(false);
});
