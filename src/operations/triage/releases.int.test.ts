import { expect, test } from 'vitest';
import { z } from 'zod';
import { eventually, useTestBench } from '../../../test/operational/fixtures.ts';
import type { HandlerProcess } from '../../../test/operational/handler-process.ts';
import { defineHandler, defineProjection } from '../../consumers/index.ts';
import { defineEvent } from '../../contracts/index.ts';
import { PermanentError } from '../../foundation/index.ts';
import { engineTransaction } from '../../postgres/index.ts';
import { showParked } from '../quarantine.ts';
import { driveReleases } from './drive-releases.ts';
import { listGroups } from './groups.ts';
import type { ReleaseState } from './release-state.ts';
import { beginRelease, cancelRelease, findRelease, type Release, type ReleaseRequest } from './releases.ts';

const bench = useTestBench();

const OrderPlaced = defineEvent({
  type: 'shop.order.placed.v1',
  key: 'orderId',
  schema: z.object({ orderId: z.string(), n: z.int() }),
});
const placed = (orderId: string, n = 0): ReturnType<typeof OrderPlaced> => OrderPlaced({ orderId, n });

class Signal {
  fire: () => void = () => {};
  readonly fired: Promise<void> = new Promise((resolve) => {
    this.fire = resolve;
  });
}

/** Keys that fail for good, until they are taken out of it. */
const broken = new Set<string>();
const handled: string[] = [];

const payment = defineHandler({
  name: 'payment',
  on: OrderPlaced,
  startAt: 'beginning',
  handle: async (event) => {
    if (broken.has(event.data.orderId)) throw new PermanentError(`no stock for ${event.data.orderId}`);
    handled.push(`${event.data.orderId}${event.data.n}`);
  },
});
const orders = defineProjection({
  name: 'orders',
  on: OrderPlaced,
  primaryKey: 'orderId',
  columns: { orderId: 'text', n: 'int8' },
  evolve: (_row, event) => {
    if (broken.has(event.data.orderId)) throw new PermanentError('cannot be folded');
    return { n: event.data.n };
  },
});

const keysOf = (count: number): string[] =>
  Array.from({ length: count }, (_, index) => `K${String(index).padStart(2, '0')}`);

/** So many keys in quarantine, each with one event behind it. */
const quarantined = async (process: HandlerProcess, count: number): Promise<string[]> => {
  const keys = keysOf(count);
  broken.clear();
  handled.length = 0;
  for (const key of keys) broken.add(key);
  await process.publish(...keys.flatMap((key) => [placed(key, 1), placed(key, 2)]), placed('other', 1));
  await process.settled();
  return keys;
};

const begin = (process: HandlerProcess, request: Partial<ReleaseRequest> = {}): Promise<number> =>
  engineTransaction(process.database.operations, (client) =>
    beginRelease(client, { group: 1, canary: 0, rate: 500, stopAfter: 10, actor: 'ada', ...request }),
  ).then(({ value }) => value.id);

/** Drives until the release is in the state and everything that was sent has ended; at its pace when that is wanted. */
const driven = async (
  process: HandlerProcess,
  id: number,
  state: ReleaseState,
  { paced = false }: { paced?: boolean } = {},
): Promise<Release> => {
  const pool = process.database.operations;
  await eventually(async () => {
    if (!paced) await process.rows('update factline.quarantine_releases set next_send_at = factline.clock()');
    await driveReleases(pool);
    const release = await findRelease(pool, id);
    return (
      release.state === state && (state === 'releasing' || release.canary.sent + release.rest.sent === 0)
    );
  }, `the release is ${state}`);
  return findRelease(pool, id);
};

test('a group is released: a canary, then the rest, each key in order, and what the consumer proves counts', async () => {
  const process = await bench.launch({ definitions: [payment] });
  const keys = await quarantined(process, 8);
  const [group] = await listGroups(process.database.operations);
  expect(group).toMatchObject({
    id: 1,
    consumer: 'payment',
    eventType: 'shop.order.placed.v1',
    disposition: 'invariant',
    errorCode: 'PERMANENT_FAILURE',
    events: 8,
    keys: 8,
    followers: 8,
    partly: false,
    failures: 8,
    introducedBy: '1',
    escalation: 0,
  });
  broken.clear();
  const id = await begin(process, { canary: 3, reason: 'fixed' });
  expect(await findRelease(process.database.operations, id)).toMatchObject({
    state: 'canary',
    selected: 8,
    actor: 'ada',
  });
  const canary = await driven(process, id, 'releasing');
  expect(canary.canary).toMatchObject({ handled: 3, sent: 0, selected: 0 });
  expect(handled.filter((each) => each.endsWith('1') && each !== 'other1').sort()).toEqual([
    'K001',
    'K011',
    'K021',
  ]);
  const done = await driven(process, id, 'done');
  expect(done.rest).toMatchObject({ handled: 5, failed: 0, gone: 0 });
  await process.settled();
  for (const key of keys)
    expect(handled.filter((each) => each.startsWith(key))).toEqual([`${key}1`, `${key}2`]);
  expect(await listGroups(process.database.operations)).toEqual([]);
  expect(await listGroups(process.database.operations, { all: true })).toMatchObject([
    { id: 1, events: 0, failures: 8 },
  ]);
});

test('a canary that fails again holds the rest back, and what happened to it stays on record', async () => {
  const process = await bench.launch({ definitions: [payment] });
  await quarantined(process, 4);
  broken.delete('K00');
  const stopped = await driven(process, await begin(process, { canary: 2 }), 'stopped');
  expect(stopped).toMatchObject({
    canary: { handled: 1, failed: 1 },
    rest: { selected: 2, sent: 0 },
    outcome: '1 of the canary failed again',
    firstFailure: 'no stock for K01',
  });
  expect(await listGroups(process.database.operations)).toMatchObject([{ events: 3, failures: 5 }]);
  const [row] = await process.rows(
    `select e.attempts, jsonb_array_length(e.history) as failures from factline.parked p
       join factline.parked_events e using (consumer_id, replay_id, position) where p.key like '%K01' and p.state = 'quarantined'`,
  );
  expect(row).toEqual({ attempts: 1, failures: 2 });
  const [failed] = await process.rows(
    "select id from factline.parked where key like '%K01' and state = 'quarantined'",
  );
  expect((await showParked(process.database.operations, Number(failed?.['id']))).releases).toMatchObject([
    { release: 1, actor: 'ada', state: 'failed', failure: 'no stock for K01' },
  ]);
  expect(handled).not.toContain('K021');
});

test('too many failures of the rest stop it; what was not sent stays where it is', async () => {
  const process = await bench.launch({ definitions: [payment] });
  await quarantined(process, 6);
  const stopped = await driven(process, await begin(process, { rate: 2, stopAfter: 3 }), 'stopped', {
    paced: true,
  });
  expect(stopped.rest.failed).toBeGreaterThanOrEqual(3);
  expect(stopped.rest.failed + stopped.rest.selected).toBe(6);
  expect(stopped.rest.selected).toBeGreaterThan(0);
});

test('the selection is frozen: what joins the group later is not released', async () => {
  const process = await bench.launch({ definitions: [payment] });
  await quarantined(process, 2);
  const id = await begin(process);
  const before = (await findRelease(process.database.operations, id)).digest;
  broken.add('L99');
  await process.publish(placed('L99', 1));
  await process.settled();
  expect(await listGroups(process.database.operations)).toMatchObject([{ id: 1, events: 3, release: id }]);
  broken.clear();
  expect(await driven(process, id, 'done')).toMatchObject({
    selected: 2,
    digest: before,
    rest: { handled: 2 },
  });
  await process.settled();
  expect(handled).not.toContain('L991');
  expect(await listGroups(process.database.operations)).toMatchObject([{ events: 1, release: null }]);
});

test('two people who release one group at once: one does, the other hears who', async () => {
  // Both hold a connection, and somebody looks on.
  const process = await bench.launch({ definitions: [payment], sizes: { operations: 4 } });
  await quarantined(process, 2);
  const begun = new Signal();
  const release = new Signal();
  const first = engineTransaction(process.database.operations, async (client) => {
    const request = { group: 1, canary: 0, rate: 500, stopAfter: 10, actor: 'ada' };
    const made = await beginRelease(client, request);
    begun.fire();
    await release.fired;
    return made.id;
  });
  await begun.fired;
  const second = begin(process, { actor: 'bob' });
  const refused = expect(second).rejects.toMatchObject({
    code: 'RELEASE_UNDER_WAY',
    details: { actor: 'ada' },
  });
  // The second waits for what the first is about to commit.
  await eventually(async () => {
    const waiting =
      "select 1 from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()";
    return (await process.rows(waiting)).length > 0;
  }, 'the second waits');
  release.fire();
  const { value: id } = await first;
  await refused;
  await engineTransaction(process.database.operations, (client) => cancelRelease(client, id, 'carla'));
  expect(await findRelease(process.database.operations, id)).toMatchObject({
    state: 'cancelled',
    outcome: 'cancelled by carla',
  });
  await expect(begin(process)).resolves.toBeGreaterThan(id);
  await expect(begin(process, { group: 99 })).rejects.toMatchObject({ code: 'QUARANTINE_GROUP_NOT_FOUND' });
});

test('the owner dies in the middle: another carries the same selection on, and nothing is lost or handled twice', async () => {
  const first = await bench.launch({ definitions: [payment] });
  const keys = await quarantined(first, 12);
  broken.clear();
  const id = await begin(first, { canary: 2 });
  await driveReleases(first.database.operations);
  await first.kill();
  const second = await bench.launch({ definitions: [payment] });
  const done = await driven(second, id, 'done');
  expect(done.canary.handled + done.rest.handled).toBe(12);
  await second.settled();
  for (const key of keys) expect(handled.filter((each) => each === `${key}1`)).toHaveLength(1);
});

test('while the consumer is paused what is sent waits, and it is sent once', async () => {
  const process = await bench.launch({ definitions: [payment] });
  await quarantined(process, 3);
  broken.clear();
  await process.ask('payment', 'pause', { actor: 'ada', reason: 'tea' });
  const id = await begin(process);
  for (let pass = 0; pass < 3; pass += 1) {
    await process.rows('update factline.quarantine_releases set next_send_at = factline.clock()');
    await driveReleases(process.database.operations);
  }
  expect((await findRelease(process.database.operations, id)).rest).toMatchObject({ sent: 3, handled: 0 });
  expect(
    await process.rows("select count(*)::int as n from factline.requests where verb = 'release'"),
  ).toEqual([
    {
      n: (
        await process.rows(
          'select count(distinct request_id)::int as n from factline.quarantine_release_items',
        )
      )[0]?.['n'],
    },
  ]);
  await process.ask('payment', 'resume', { actor: 'ada' });
  expect(await driven(process, id, 'done')).toMatchObject({ rest: { handled: 3 } });
});

test('what was discarded or handled by others before its turn is gone, not handled', async () => {
  const process = await bench.launch({ definitions: [payment] });
  await quarantined(process, 3);
  const id = await begin(process, { rate: 1 });
  const [{ id: parkedId } = {}] = await process.rows(
    "select id from factline.parked where key like '%K02' order by position",
  );
  expect(
    await process.ask('payment', 'discard', { id: parkedId, actor: 'ada', reason: 'a test order' }),
  ).toMatchObject({ state: 'done' });
  broken.clear();
  expect(await driven(process, id, 'done')).toMatchObject({ rest: { handled: 2, gone: 1 } });
});

test('a projection is released, too', async () => {
  const process = await bench.launch({ definitions: [orders] });
  await quarantined(process, 5);
  expect(await listGroups(process.database.operations)).toMatchObject([
    { consumer: 'orders', keys: 5, followers: 5 },
  ]);
  broken.clear();
  expect(await driven(process, await begin(process, { canary: 1 }), 'done')).toMatchObject({
    canary: { handled: 1 },
    rest: { handled: 4 },
  });
  await process.settled();
  const rows = await process.rows('select count(*)::int as n from public.orders where n = 2');
  expect(rows).toEqual([{ n: 5 }]);
});

test('a retired consumer ends its release', async () => {
  const process = await bench.launch({ definitions: [payment] });
  await quarantined(process, 1);
  const id = await begin(process);
  await process.rows("update factline.consumers set state = 'retired'");
  await driveReleases(process.database.operations);
  expect(await findRelease(process.database.operations, id)).toMatchObject({
    state: 'stopped',
    outcome: 'the consumer was retired',
  });
  await expect(begin(process)).rejects.toMatchObject({ code: 'QUARANTINE_GROUP_EMPTY' });
});
