import { expect, test } from 'vitest';
import {
  eventually,
  OrderPaid,
  OrderPlaced,
  placed,
  useTestBench,
} from '../../../test/operational/fixtures.ts';
import type { HandlerProcess } from '../../../test/operational/handler-process.ts';
import { beginReplayOf, carryOut, person, replayRunOf } from '../../../test/operational/replays.ts';
import { defineHandler, type Handler, type HandlerContext } from '../../consumers/index.ts';
import { PermanentError } from '../../foundation/index.ts';
import { planReplay, ReplayRun, readReplay, reportReplay } from '../index.ts';
import { askForRelease } from './release-events.ts';

/* What waits in quarantine as the source of a replay: handled for the first time, under the same governance. */

const bench = useTestBench();

interface Shop {
  readonly definitions: readonly Handler[];
  /** Handled, in order: the key, the number, and whether it said that it is a replay. */
  readonly handled: [string, number, string | null][];
  readonly broken: Set<number>;
}

const shopOf = (work: (context: HandlerContext, n: number) => Promise<void> = async () => {}): Shop => {
  const handled: Shop['handled'] = [];
  const broken = new Set<number>();
  const handle = async (
    { data }: { data: { orderId: string; n: number } },
    context: HandlerContext,
  ): Promise<void> => {
    if (broken.has(data.n)) throw new PermanentError('the amount is zero');
    await work(context, data.n);
    handled.push([data.orderId, data.n, context.replay]);
  };
  // No `onReplay`: nothing is handled again.
  return {
    definitions: [defineHandler({ name: 'subject', on: [OrderPlaced], handle: handle as never })],
    handled,
    broken,
  };
};

/** The first event of each key fails; the fingerprint of its group. */
const quarantined = async (process: HandlerProcess, shop: Shop, keys: number): Promise<string> => {
  for (let key = 0; key < keys; key += 1) shop.broken.add(key);
  await process.publish(
    ...Array.from({ length: keys }, (_, key) => placed(`A${key}`, key)),
    ...Array.from({ length: keys }, (_, key) => placed(`A${key}`, 100 + key)),
  );
  await eventually(
    async () =>
      (await process.rows(`select from factline.parked where state = 'quarantined'`)).length === keys &&
      (await process.rows('select from factline.parked')).length === 2 * keys,
    'every key is in quarantine',
  );
  const [group] = await process.rows('select fingerprint from factline.quarantine_groups');
  return String(group?.['fingerprint']);
};

const groupOf = (fingerprint: string): Record<string, unknown> => ({
  selection: { source: 'quarantine', fingerprint },
  rollback: null,
});

test('a group is handled for the first time, as in life, with what waits behind; what joins it later is no part of it', async () => {
  let calls = 0;
  const shop = shopOf(async ({ effect, transaction }, n) => {
    await effect('charge', async () => ({ call: ++calls }));
    await transaction(async (tx) => tx.publish(OrderPaid({ orderId: `A${n % 100}`, n })));
  });
  const { definitions } = shop;
  const process = await bench.launch({ definitions });
  const fingerprint = await quarantined(process, shop, 4);
  shop.broken.clear();
  const id = await beginReplayOf(process, { definitions }, { ...groupOf(fingerprint), canary: [1, 2] });
  const begun = await readReplay(process.database.operations, id);
  expect(begun).toMatchObject({ mode: 'release', frozen: { selected: 4, excluded: 0 } });
  expect(begun.estimate?.blastRadius.warnings).toContain(
    '4 later events of these keys wait behind them, and go on with them',
  );
  shop.broken.add(9);
  await process.publish(placed('B9', 9));
  await eventually(
    async () => (await process.rows(`select from factline.parked where key = 'orderId=B9'`)).length === 1,
    'another event has joined the group',
  );
  const replay = await carryOut(process, definitions, id);
  await process.settled();
  expect(replay).toMatchObject({
    state: 'done',
    run: { released: 4 },
    outcome: { selected: 4, handled: 4, failed: 0 },
  });
  expect(new Set(shop.handled.filter(([, n]) => n < 100).map(([, n]) => n))).toEqual(new Set([0, 1, 2, 3]));
  expect(shop.handled.every(([, , said]) => said === null)).toBe(true);
  expect(shop.handled).toHaveLength(8);
  for (let key = 0; key < 4; key += 1)
    expect(shop.handled.filter(([each]) => each === `A${key}`).map(([, n]) => n)).toEqual([key, 100 + key]);
  expect(calls).toBe(8);
  expect(await process.rows(`select from factline.events where type = 'shop.order.paid.v1'`)).toHaveLength(8);
  expect(await process.rows('select key, state from factline.parked')).toEqual([
    { key: 'orderId=B9', state: 'quarantined' },
  ]);
  const report = await reportReplay(process.database.operations, id);
  expect(report.arrivedSince).toEqual({ count: 1, exact: true });
  expect(report.counts).toMatchObject({
    handled: 4,
    quarantined: 0,
    effects: [{ name: 'charge', count: 4 }],
  });
}, 30_000);

test('what fails again stops it in the canary; the rest stays in quarantine, untouched', async () => {
  const shop = shopOf();
  const { definitions } = shop;
  const process = await bench.launch({ definitions });
  const fingerprint = await quarantined(process, shop, 5);
  const id = await beginReplayOf(process, { definitions }, { ...groupOf(fingerprint), canary: [2] });
  const replay = await carryOut(process, definitions, id);
  expect(replay).toMatchObject({ state: 'paused', paused: { kind: 'guard' } });
  // The first of the two may fail before the second is sent, or while it is under way.
  const { released } = replay.run;
  expect([1, 2]).toContain(released);
  expect(replay.paused?.reason).toMatch(/[12] of [12] events failed in the canary/);
  const run = replayRunOf(process, definitions);
  await eventually(async () => {
    await run.clear();
    return (await reportReplay(process.database.operations, id)).counts.parked === 0;
  }, 'all that was sent has failed');
  const { counts } = await reportReplay(process.database.operations, id);
  expect(counts).toMatchObject({
    handled: 0,
    quarantined: released,
    failures: [{ fingerprint, events: released, known: true }],
  });
  const attempts = await process.rows(
    'select jsonb_array_length(history) as tries from factline.parked_events order by position',
  );
  // Whichever of the two was sent first.
  const tries = attempts.map((attempt) => Number(attempt['tries']));
  expect([tries.slice(0, 2).sort(), tries.slice(2)]).toEqual([
    [released, 2],
    [1, 1, 1],
  ]);
}, 30_000);

test('what a person has discarded meanwhile is not handled, and is counted; a process that dies in the middle loses nothing', async () => {
  const shop = shopOf();
  const { definitions } = shop;
  const process = await bench.launch({ definitions });
  const fingerprint = await quarantined(process, shop, 3);
  shop.broken.clear();
  const id = await beginReplayOf(process, { definitions }, groupOf(fingerprint));
  const [first] = await process.rows(
    `select id from factline.parked where state = 'quarantined' order by position limit 1`,
  );
  await process.ask('subject', 'discard', { id: Number(first?.['id']), reason: 'a test order' });
  await eventually(
    async () => (await process.rows('select from factline.quarantine_discards')).length === 1,
    'it was discarded',
  );
  let died = false;
  const [consumer] = process.engine.running();
  const consumers = new Map(definitions.map((each) => [consumer?.consumer.id ?? 0, each]));
  const run = new ReplayRun({
    database: process.database,
    telemetry: process.telemetry,
    consumers: () => consumers,
    look: async () => ({ consumer: null, danger: 0 }),
    testStep: (step) => {
      if (died || step !== 'replay.in-hand-over') return;
      died = true;
      throw new Error('the process ends here');
    },
  });
  await expect(run.pass()).rejects.toThrow('the process ends here');
  const replay = await carryOut(process, definitions, id);
  await process.settled();
  expect(replay).toMatchObject({
    state: 'done_with_failures',
    outcome: { selected: 3, handled: 2, failed: 0 },
  });
  // Two keys: side by side.
  expect(
    shop.handled
      .filter(([, n]) => n < 100)
      .map(([, n]) => n)
      .sort(),
  ).toEqual([1, 2]);
}, 30_000);

test('what the owner of a lane did not let go is asked for again', async () => {
  const shop = shopOf();
  const { definitions } = shop;
  const process = await bench.launch({ definitions });
  const fingerprint = await quarantined(process, shop, 2);
  shop.broken.clear();
  const id = await beginReplayOf(process, { definitions }, groupOf(fingerprint));
  const [consumer] = process.engine.running();
  const consumers = new Map(definitions.map((each) => [consumer?.consumer.id ?? 0, each]));
  await process.stop();
  // Nobody works the lanes: what was asked for is answered as by an owner whose lane had moved on.
  const other = await bench.launch({ definitions: [] });
  const { database, telemetry } = other;
  const look = async (): Promise<{ consumer: null; danger: number }> => ({ consumer: null, danger: 0 });
  await new ReplayRun({ database, telemetry, consumers: () => consumers, look }).pass();
  const asked = await other.rows(
    `update factline.requests set state = 'done', answer = '{"released": 0}', answered_at = factline.clock()
      where verb = 'release' returning id`,
  );
  expect(asked).toHaveLength(1);
  const heir = await bench.launch({ definitions });
  expect(await carryOut(heir, definitions, id)).toMatchObject({ state: 'done', outcome: { handled: 2 } });
}, 30_000);

test('what has failed again is not asked for a second time while that is not noted yet', async () => {
  const shop = shopOf();
  const { definitions } = shop;
  const process = await bench.launch({ definitions });
  const fingerprint = await quarantined(process, shop, 2);
  const id = await beginReplayOf(process, { definitions }, groupOf(fingerprint));
  await replayRunOf(process, definitions).pass();
  await eventually(
    async () =>
      (
        await process.rows(
          `select from factline.parked p join factline.parked_events e using (consumer_id, replay_id, position)
             join factline.replay_selection s using (position)
            where p.state = 'quarantined' and s.outcome is null and e.last_failed_at > s.released_at`,
        )
      ).length > 0,
    'something has failed again',
  );
  const { operations } = process.database;
  const released = (): Promise<unknown[]> =>
    process.rows("select id from factline.requests where verb = 'release'");
  const before = await released();
  await askForRelease(operations, await readReplay(operations, id), []);
  expect(await released()).toEqual(before);
}, 30_000);

test('what makes no sense is refused, with what to do instead', async () => {
  const shop = shopOf();
  const { definitions } = shop;
  const process = await bench.launch({ definitions });
  const fingerprint = await quarantined(process, shop, 1);
  const plan = (manifest: Record<string, unknown>): Promise<number> =>
    planReplay(process.database.operations, {
      actor: person('ada'),
      code: { codeVersion: '1', definitions, contracts: [OrderPlaced] },
      manifest: {
        title: 'x',
        reason: 'The amount was zero by mistake.',
        consumer: 'subject',
        ...groupOf(fingerprint),
        ...manifest,
      },
    });
  await expect(
    plan({ selection: { source: 'quarantine', fingerprint: '0123456789abcdef' } }),
  ).rejects.toThrow(`one of what it has in quarantine: ${fingerprint}`);
  await expect(plan({ selection: { source: 'quarantine', fingerprint: "' or true" } })).rejects.toThrow(
    'fingerprint of a group',
  );
  await expect(plan({ selection: { source: 'quarantine', fingerprint, to: 9 } })).rejects.toThrow(
    'selection.to',
  );
  await expect(plan({ effects: { policy: 'skip' } })).rejects.toMatchObject({
    code: 'REPLAY_MODE_REFUSED',
    remedy: 'Leave out --effects and --publish.',
  });
  await expect(plan({ publish: 'suppress' })).rejects.toThrow('never handled');
}, 30_000);
