import pg from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { createTestDatabase, type TestDatabase } from '../../test/database.ts';
import { createFactline, type Factline, internals } from '../app/index.ts';
import { defineProjection } from '../consumers/index.ts';
import { defineEvent } from '../contracts/index.ts';
import { systemClock } from '../foundation/index.ts';
import { createDatabase, type Database } from '../postgres/index.ts';
import { engineActor } from './authority/actor.ts';
import { followRebuilds } from './governed-rebuild.ts';
import {
  abortReplay,
  estimateReplay,
  listAudit,
  listBuilds,
  planReplay,
  type Replay,
  type ReplayState,
  readReplay,
  reportReplay,
  requestReplay,
  switchProjection,
} from './index.ts';
import { beginReplay } from './run-port.ts';

const Placed = defineEvent({
  type: 'shop.order.placed.v1',
  key: 'orderId',
  schema: z.object({ orderId: z.string(), pence: z.int() }),
});
const orders = defineProjection({
  name: 'orders',
  on: Placed,
  primaryKey: 'orderId',
  columns: { orderId: 'text', pence: 'int8' },
  evolve: (row, event) => ({ pence: (row?.pence ?? 0) + event.data.pence }),
});

const ada = engineActor('ada');
const signal = new AbortController().signal;
let server: TestDatabase;
let database: Database;
let raw: pg.Client;
let app: Factline;

beforeEach(async () => {
  server = await createTestDatabase({ migrated: true });
  database = createDatabase({ url: server.url, applicationName: 'rebuild test' });
  raw = new pg.Client({ connectionString: server.url });
  await raw.connect();
  app = createFactline({ name: 'shop', database: server.url, consumers: [orders], handleSignals: false });
  await app.publish(Array.from({ length: 40 }, (_, n) => Placed({ orderId: `A${n % 8}`, pence: n })));
  while ((await app.catchUp({ within: '20s' })).remaining > 0);
});
afterEach(async () => {
  await app.stop();
  await raw.end();
  await database.stop();
  await server.drop();
});

const begun = async (): Promise<number> => {
  const { codeVersion, contracts } = internals(app).settings;
  const code = { codeVersion, contracts, definitions: [orders] };
  const manifest = {
    title: 'Rows were wrong',
    reason: 'The fold forgot what was refunded.',
    consumer: 'orders',
    selection: { source: 'log', to: 40 },
  };
  const pool = database.operations;
  const id = await planReplay(pool, { actor: ada, manifest, code });
  await estimateReplay(database, { actor: ada, id, code, source: 'shop', clock: systemClock, signal });
  expect((await requestReplay(pool, { actor: ada, id })).state).toBe('approved');
  expect((await beginReplay(pool, { actor: ada, id })).state).toBe('running');
  return id;
};

const followedTo = async (id: number, state: ReplayState): Promise<Replay> => {
  await expect
    .poll(
      async () => {
        await followRebuilds(database, { clock: systemClock });
        return (await readReplay(database.operations, id)).state;
      },
      { timeout: 20_000, interval: 50 },
    )
    .toBe(state);
  return readReplay(database.operations, id);
};

const stages = async (): Promise<string[]> =>
  (await listBuilds(database.operations, 'orders')).map(({ build, stage }) => `${build} ${stage}`);

describe('a replay of a projection', () => {
  it('is a rebuild that readers see when it was compared and found equal', async () => {
    await app.start();
    const id = await begun();
    const replay = await followedTo(id, 'done');
    expect((await reportReplay(database.operations, id)).counts).toMatchObject({ selected: 40, handled: 40 });
    expect(replay.outcome).toMatchObject({ build: 2, finding: { verdict: 'equal' }, rolledBack: false });
    expect(await stages()).toEqual(['1 standby', '2 live']);
    const acts = await listAudit(database.operations, { limit: 20 });
    expect(acts.map(({ act }) => act)).toEqual(
      expect.arrayContaining(['replay.run', 'projection.switch', 'replay.advance']),
    );
  });

  it('that differs is paused; when a person lets readers see it all the same, it is done', async () => {
    await raw.query('update factline.orders__b1 set pence = pence + 1 where "orderId" = \'A1\'');
    await app.start();
    const id = await begun();
    const { paused } = await followedTo(id, 'paused');
    expect(paused).toMatchObject({
      kind: 'guard',
      reason: expect.stringContaining('factline projection compare orders'),
    });
    expect(await stages()).toEqual(['1 live', '2 differs']);
    expect((await reportReplay(database.operations, id)).counts).toMatchObject({ selected: 40, handled: 40 });
    const accepting = { database, clock: systemClock, actor: ada, projection: 'orders', withinMs: 5_000 };
    await switchProjection({ ...accepting, accepted: true, reason: 'that row was the mistake' });
    expect((await followedTo(id, 'done')).outcome).toMatchObject({
      build: 2,
      finding: { verdict: 'differs' },
    });
  });

  it('that is aborted gives its build up, and readers see what they saw', async () => {
    await raw.query('update factline.orders__b1 set pence = pence + 1 where "orderId" = \'A1\'');
    await app.start();
    const id = await begun();
    await followedTo(id, 'paused');
    await abortReplay(database.operations, { actor: ada, id, reason: 'the old rows were right' });
    await followRebuilds(database, { clock: systemClock });
    expect((await stages())[0]).toBe('1 live');
    expect((await raw.query("select to_regclass('factline.orders__b2') as gone")).rows).toEqual([
      { gone: null },
    ]);
  });

  it('that is aborted before anybody works it withdraws its request', async () => {
    const id = await begun();
    await abortReplay(database.operations, { actor: ada, id, reason: 'thought better of it' });
    await followRebuilds(database, { clock: systemClock });
    expect((await raw.query('select state from factline.requests')).rows).toEqual([{ state: 'refused' }]);
    expect(await stages()).toEqual(['1 live']);
  });
});
