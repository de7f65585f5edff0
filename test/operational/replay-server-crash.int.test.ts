import { mkdtempSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createFactline, type Factline } from '../../src/app/index.ts';
import { defineHandler, type Handler } from '../../src/consumers/index.ts';
import { type EmbeddedServer, removeEmbedded, startEmbedded } from '../../src/postgres/embedded/index.ts';
import { createDatabase } from '../../src/postgres/index.ts';
import { createTestDatabase } from '../database.ts';
import { OrderPlaced, placed } from './fixtures.ts';
import { beginReplayOf } from './replays.ts';

/*
 * The commits of a replay wait for no disk (redelivery.sql). Here a durable server crashes under three replays, live events and their
 * effects: what it loses has to be lost together, and be done again; what somebody was told is safe has to be there.
 *
 * The server writes its log when a commit waits for it, else when its writer comes round, which here is seldom: a crash takes all
 * that came after the last such commit. (A writer that a signal stopped might hold the lock that each commit needs.)
 */
const settings = { max_connections: '100', wal_writer_delay: '10s', wal_writer_flush_after: '1GB' };

const count = 150;

let folder: string;
let server: EmbeddedServer;
let url: string;
let app: Factline;

beforeEach(async () => {
  committed.length = 0;
  calls.length = 0;
  const state = fileURLToPath(new URL('../../.factline/', import.meta.url));
  folder = mkdtempSync(path.join(state, `crash-${process.pid}-`));
  server = await startEmbedded({ directory: folder, settings });
  ({ url } = await createTestDatabase({ migrated: true, server: server.url }));
});
afterEach(async () => {
  await app?.stop();
  await server?.stop();
  await removeEmbedded(folder);
});

/** Each handling whose transaction was told to have committed. */
const committed: { readonly event: string; readonly replayed: boolean }[] = [];
/** Each call of the outside world, by its idempotency key; `recorded`: the handler was told that its result is safe. */
const calls: Call[] = [];
interface Call {
  readonly key: string;
  readonly replayed: boolean;
  readonly repeated: boolean;
  recorded: boolean;
}
type Moment = 'an effect is called' | 'a commit is told';
/** Told of what happens in a replay, before anybody can do anything else. */
let onReplayed: (moment: Moment, consumer: string) => void = () => {};
/** Replayed events stand still while no crash is near, so that each finds enough of them: a machine may be slow. */
let replays: Promise<void> = Promise.resolve();
let letReplay: () => void = () => {};
const holdReplays = (): void => {
  ({ promise: replays, resolve: letReplay } = Promise.withResolvers<void>());
};
/** How soon the outside world answers, and the next live event comes. */
let answers: Promise<void> = Promise.resolve();
let letAnswer: () => void = () => {};

const handlerOf = (name: string, callsFor: (n: number, replayed: boolean) => boolean): Handler =>
  defineHandler({
    name,
    on: [OrderPlaced],
    onReplay: 'execute',
    startAt: 'beginning',
    // Crashes and slow machines make live events late; the replays are not to stand still for them.
    slo: { handledWithin: '1h' },
    handle: async ({ data: { orderId, n } }, { effect, transaction, replay }) => {
      if (replay !== null) await replays;
      if (callsFor(n, replay !== null)) {
        const made = calls.length;
        const key = await effect('call', async ({ idempotencyKey, repeated }) => {
          calls.push({ key: idempotencyKey, replayed: replay !== null, repeated, recorded: false });
          if (replay !== null) onReplayed('an effect is called', name);
          await answers;
          return idempotencyKey;
        });
        for (const call of calls.slice(made)) if (call.key === key) call.recorded = true;
      }
      await transaction(async (tx) => {
        await tx.query('insert into book values ($1, $2, $3, $4)', [name, orderId, n, replay]);
      });
      committed.push({ event: `${name} ${n}`, replayed: replay !== null });
      if (replay !== null) onReplayed('a commit is told', name);
    },
  });
/** Of every second order there is no result on record in life: a replay that reuses results has to call for those. */
const definitions = [
  handlerOf('plain', () => false),
  handlerOf('reusing', (n, replayed) => replayed || n % 2 === 0),
  handlerOf('executing', () => true),
];
const consumers = definitions.length;

const start = async (): Promise<void> => {
  app = createFactline({
    name: 'crash',
    codeVersion: '1',
    database: url,
    consumers: definitions,
    handleSignals: false,
  });
  await app.start();
};

/** Fails while the server is away. */
const query = async (text: string): Promise<Record<string, unknown>[]> => {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => {});
  await client.connect();
  try {
    return (await client.query(text)).rows;
  } finally {
    await client.end().catch(() => {});
  }
};
const rowsOf = async (from: string): Promise<number> =>
  Number((await query(`select count(*) as rows from ${from}`))[0]?.['rows']);
const states = (): Promise<unknown[]> =>
  query('select state from factline.replays order by id').then(
    (rows) => rows.map(({ state }) => state),
    () => [],
  );

/** Kills the process at such a moment, when twenty more replayed events are handled. */
const killSoon = (moment: Moment, pid: number): Promise<void> =>
  new Promise((resolve) => {
    const answer = Promise.withResolvers<void>();
    letAnswer = answer.resolve;
    let [handled, unhurried] = [0, 0];
    onReplayed = (at, consumer) => {
      if (at === 'a commit is told') handled += 1;
      if (handled < 20 || at !== moment) return;
      // Soon no commit has the server write its log: the outside world answers nobody, and nothing is published.
      if (at === 'a commit is told') {
        answers = answer.promise;
        if (consumer === 'plain') unhurried += 1;
        if (unhurried < 6) return;
      }
      onReplayed = () => {};
      process.kill(pid, 'SIGKILL');
      holdReplays();
      letAnswer();
      resolve();
    };
    livesLeft = liveMax;
    letReplay();
  });

const isUp = async (): Promise<boolean> => (await states()).length > 0;

/** One process of the server dies: the postmaster ends all others and recovers from its log. The app lives on. */
const crashOfServer = async (moment: Moment): Promise<void> => {
  await expect.poll(isUp, { timeout: 60_000 }).toBe(true);
  const victim = new pg.Client({ connectionString: url });
  const gone = new Promise<void>((resolve) => victim.on('error', () => resolve()));
  await victim.connect();
  const { rows } = await victim.query('select pg_backend_pid() as pid');
  await killSoon(moment, Number(rows[0]?.pid));
  await gone;
};

/** The postmaster dies, and with it everything; another app begins with another server over the same files. */
const crashOfAll = async (moment: Moment): Promise<void> => {
  await expect.poll(isUp, { timeout: 60_000 }).toBe(true);
  const [pid] = readFileSync(path.join(server.dataDirectory, 'postmaster.pid'), 'utf8').split('\n');
  await killSoon(moment, Number(pid));
  letReplay();
  await app.stop();
  server = await startEmbedded({ directory: folder, settings });
  url = Object.assign(new URL(url), { port: new URL(server.url).port }).href;
  await start();
};

const beginReplays = async (): Promise<void> => {
  const database = createDatabase({ url, applicationName: 'planner' });
  const selection = { source: 'log', from: 1, to: count };
  const rate = { ceiling: 50, floor: 50 };
  for (const [consumer, effects] of [
    ['plain', { policy: 'skip' }],
    ['reusing', { policy: 'reuse' }],
    ['executing', { policy: 'execute', max: count }],
  ])
    await beginReplayOf({ database }, { definitions }, { selection, rate, consumer, effects });
  await database.stop();
};

/** So many live events come beside each crash: a slow machine is not to have more to do. */
const liveMax = 60;
let livesLeft = 0;

/** Live events, one after the other. Ends with the numbers of those whose publishing was acknowledged. */
const publishUntil = async (over: AbortSignal): Promise<number[]> => {
  const acknowledged: number[] = [];
  for (let n = count; !over.aborted; n += 1) {
    while (livesLeft === 0 && !over.aborted) await sleep(50);
    livesLeft -= 1;
    const published = app.publish(placed(`A${n % 60}`, n)).then(
      () => void acknowledged.push(n),
      () => {},
    );
    // What became of a commit that a server has not answered, the next one may never be asked.
    await Promise.race([published, sleep(1_000)]);
    await sleep(50);
    await answers;
  }
  return acknowledged;
};

test('a server that crashes under replays loses nothing that was promised, and doubles nothing', async () => {
  await query(
    'create table book (consumer text, key text, n int, replay text, unique nulls not distinct (consumer, n, replay))',
  );
  await start();
  await app.publish(Array.from({ length: count }, (_, n) => placed(`A${n % 60}`, n)));
  await expect.poll(() => rowsOf('book'), { timeout: 60_000 }).toBe(consumers * count);
  holdReplays();
  await beginReplays();

  const over = new AbortController();
  const publishing = publishUntil(over.signal);
  try {
    await crashOfServer('a commit is told');
    await crashOfServer('an effect is called');
    await crashOfAll('a commit is told');
    await expect.poll(states, { timeout: 90_000 }).toEqual(['done', 'done', 'done']);
  } finally {
    letAnswer();
    letReplay();
    over.abort();
  }
  const acknowledged = await publishing;
  const events = await rowsOf('factline.events');
  await expect.poll(() => rowsOf('book where replay is null'), { timeout: 60_000 }).toBe(consumers * events);

  // Live: what was acknowledged is there, once, and what was handled was not handled again.
  const inLog = (await query(`select (data ->> 'n')::int as n from factline.events`)).map(({ n }) => n);
  expect(new Set(inLog).size).toBe(inLog.length);
  expect(acknowledged.filter((n) => !inLog.includes(n))).toEqual([]);
  const handledInLife = committed.filter(({ replayed }) => !replayed).map(({ event }) => event);
  expect(new Set(handledInLife).size).toBe(handledInLife.length);

  // Replayed: in most runs crashes take some of what handlers had been told was committed, and it is done again: one proof, one row an event.
  expect(await rowsOf('factline.inbox where replay_id > 0')).toBe(consumers * count);
  expect(await rowsOf('book where replay is not null')).toBe(consumers * count);
  expect(await rowsOf('factline.parked')).toBe(0);
  expect(await query('select outcome from factline.replays order by id')).toEqual(
    definitions.map(() => ({
      outcome: expect.objectContaining({ selected: count, handled: count, failed: 0, behindFailed: 0 }),
    })),
  );

  // Effects: a result that is on record is never asked for again; who asks again, uses the same key and is told so.
  const again = calls.filter(({ key }, index) => calls.findIndex((call) => call.key === key) < index);
  expect(again.every(({ repeated }) => repeated)).toBe(true);
  for (const [index, { key }] of calls.entries())
    expect(calls.slice(0, index).some((call) => call.key === key && call.recorded)).toBe(false);
  const keysOf = (inReplay: boolean): Set<string> =>
    new Set(calls.filter(({ replayed }) => replayed === inReplay).map(({ key }) => key));
  expect(keysOf(true).size).toBe(count + count / 2);
  expect([...keysOf(true)].filter((key) => keysOf(false).has(key))).toEqual([]);
  expect(await query('select effects_begun::int as begun from factline.replays order by id')).toEqual([
    { begun: 0 },
    { begun: 0 },
    { begun: count },
  ]);
}, 240_000);
