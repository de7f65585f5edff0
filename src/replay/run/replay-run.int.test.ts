import { expect, test } from 'vitest';
import {
  eventually,
  OrderPaid,
  OrderPlaced,
  placed,
  useTestBench,
} from '../../../test/operational/fixtures.ts';
import { beginReplayOf, carryOut, person, replayRunOf } from '../../../test/operational/replays.ts';
import { defineHandler, type Handler, type HandlerContext } from '../../consumers/index.ts';
import { abortReplay, pauseReplay, readReplay, resumeReplay } from '../index.ts';

const bench = useTestBench();

const handlerOf = (
  handle: (
    event: { data: { orderId: string; n: number }; position: number },
    context: HandlerContext,
  ) => Promise<void>,
  options: Partial<Parameters<typeof defineHandler>[0]> = {},
): Handler =>
  defineHandler({
    name: 'subject',
    on: [OrderPlaced],
    onReplay: 'execute',
    ...options,
    handle: handle as never,
  });

const orders = (count: number, keys = 5): ReturnType<typeof placed>[] =>
  Array.from({ length: count }, (_, n) => placed(`A${n % keys}`, n));

test('every selected event is handled once more, in order per key, beside live events of the same keys', async () => {
  const seen: { replay: string | null; orderId: string; n: number }[] = [];
  const definitions = [
    handlerOf(async ({ data }, { replay, transaction }) => {
      await transaction(async (tx) => {
        await tx.query('select 1');
      });
      seen.push({ replay, orderId: data.orderId, n: data.n });
    }),
  ];
  const process = await bench.launch({ definitions });
  await process.publish(...orders(40));
  await process.settled();
  const id = await beginReplayOf(process, { definitions });
  const working = carryOut(process, definitions, id);
  for (let n = 100; n < 130; n += 1) await process.publish(placed(`A${n % 5}`, n));
  const replay = await working;
  await process.settled();
  expect(replay).toMatchObject({ state: 'done', outcome: { selected: 40, handled: 40, failed: 0 } });
  const replayed = seen.filter((each) => each.replay === String(id));
  expect(replayed).toHaveLength(40);
  expect(seen.filter((each) => each.replay === null)).toHaveLength(70);
  for (let key = 0; key < 5; key += 1) {
    const order = replayed.filter(({ orderId }) => orderId === `A${key}`).map(({ n }) => n);
    expect(order).toEqual([...order].sort((one, other) => one - other));
  }
  expect(await process.rows('select count(*)::int as rows from factline.parked')).toEqual([{ rows: 0 }]);
  const inbox = await process.rows(
    `select count(*)::int as rows from factline.inbox where replay_id = ${id}`,
  );
  expect(inbox).toEqual([{ rows: 40 }]);
}, 30_000);

test('a live event of a key goes before the replayed ones that wait', async () => {
  const order: string[] = [];
  const gate = Promise.withResolvers<void>();
  const definitions = [
    handlerOf(
      async ({ data }, { replay }) => {
        order.push(`${replay === null ? 'live' : 'replay'} ${data.n}`);
        if (replay !== null && data.n === 0) await gate.promise;
      },
      { concurrency: 1 },
    ),
  ];
  const process = await bench.launch({ definitions });
  await process.publish(placed('A1', 0), placed('A1', 1), placed('A1', 2));
  await process.settled();
  order.length = 0;
  const id = await beginReplayOf(process, { definitions });
  const working = carryOut(process, definitions, id);
  await eventually(() => order.includes('replay 0'), 'the replay has begun');
  await process.publish(placed('A1', 3), placed('A1', 4));
  await process.tail.whenSettled(await process.tail.barrier(), { withinMs: 5_000 });
  gate.resolve();
  expect((await working).state).toBe('done');
  expect(order).toEqual(['replay 0', 'live 3', 'live 4', 'replay 1', 'replay 2']);
}, 30_000);

test('effects are skipped: the recorded result is given, and without one the event fails, whatever the handler catches', async () => {
  let calls = 0;
  const results: [boolean, number, unknown][] = [];
  const definitions = [
    handlerOf(async ({ data }, { effect, replay }) => {
      results.push([replay !== null, data.n, await effect('charge', async () => ({ call: ++calls }))]);
      // Only in the replay: nothing is recorded for it.
      if (replay !== null && data.n === 1)
        await effect('mail', async () => ({ call: ++calls })).catch(() => {});
    }),
  ];
  const process = await bench.launch({ definitions });
  await process.publish(placed('A1', 0), placed('A2', 1));
  await process.settled();
  const id = await beginReplayOf(process, { definitions }, { effects: { policy: 'skip' } });
  const replay = await carryOut(process, definitions, id);
  expect(calls).toBe(2);
  const given = (replayed: boolean): unknown[] =>
    results.flatMap(([is, n, result]) => (is === replayed ? [[n, result]] : [])).sort();
  expect(given(true)).toEqual(given(false));
  expect(replay).toMatchObject({ state: 'done_with_failures', outcome: { handled: 1, failed: 1 } });
  const rows = await process.rows(
    'select name, disposition, count(*)::int as n from factline.effects where replay_id > 0 group by 1, 2 order by 1',
  );
  expect(rows).toEqual([
    { name: 'charge', disposition: 'skipped', n: 2 },
    { name: 'mail', disposition: 'blocked', n: 1 },
  ]);
  expect((await process.parked()).map(({ error_code, state }) => [error_code, state])).toEqual([
    ['EFFECT_BLOCKED', 'quarantined'],
  ]);
}, 30_000);

test('effects are reused: what is recorded is given, what is not is called under the original key', async () => {
  const keys: string[] = [];
  const definitions = [
    handlerOf(async (_event, { effect }) => {
      await effect('charge', async ({ idempotencyKey }) => {
        keys.push(idempotencyKey);
        return null;
      });
    }),
  ];
  const process = await bench.launch({ definitions });
  await process.publish(placed('A1', 0), placed('A2', 1));
  await process.settled();
  const [lost] = await process.rows(
    `delete from factline.effects where event_id = (select id from factline.events where position = 2) returning idempotency_key`,
  );
  const id = await beginReplayOf(process, { definitions }, { effects: { policy: 'reuse' } });
  expect((await carryOut(process, definitions, id)).outcome).toMatchObject({ handled: 2 });
  expect(keys).toHaveLength(3);
  expect(keys[2]).toBe(lost?.['idempotency_key']);
  const rows = await process.rows('select disposition from factline.effects where replay_id > 0 order by 1');
  expect(rows).toEqual([{ disposition: 'executed' }, { disposition: 'reused' }]);
}, 30_000);

test('effects are executed under keys of the replay, up to the approved number over the whole replay', async () => {
  const keys: string[] = [];
  const definitions = [
    handlerOf(async (_event, { effect }) => {
      await effect('charge', async ({ idempotencyKey }) => void keys.push(idempotencyKey));
    }),
  ];
  const process = await bench.launch({ definitions });
  await process.publish(...orders(8, 8));
  await process.settled();
  const live = new Set(keys.splice(0));
  const checkpoints = (): Promise<unknown[]> =>
    process.rows('select lane, position, dispatch_limit from factline.checkpoints order by lane');
  await eventually(async () => {
    const rows = await process.rows('select min(position)::int as lowest from factline.checkpoints');
    return rows[0]?.['lowest'] === 8;
  }, 'every checkpoint stands at the end');
  const before = await checkpoints();
  const guards = { failureRate: 1, sameFingerprint: 100 };
  const id = await beginReplayOf(
    process,
    { definitions },
    { effects: { policy: 'execute', max: 5 }, guards },
  );
  const replay = await carryOut(process, definitions, id);
  expect(keys).toHaveLength(5);
  expect(keys.some((key) => live.has(key))).toBe(false);
  expect(new Set(keys).size).toBe(5);
  expect(await checkpoints()).toEqual(before);
  expect(replay).toMatchObject({ state: 'done_with_failures', outcome: { handled: 5, failed: 3 } });
  expect(replay.outcome?.['effects']).toEqual([
    { name: 'charge', disposition: 'blocked', count: 3 },
    { name: 'charge', disposition: 'executed', count: 5 },
  ]);
}, 30_000);

test.each([
  ['suppress', 3],
  ['publish', 6],
] as const)(
  'with publish: %s the log holds %i paid orders, and what a replay adds says so',
  async (publish, count) => {
    const definitions = [
      handlerOf(async ({ data }, { transaction }) => {
        await transaction(async (tx) => {
          tx.publish(OrderPaid({ orderId: data.orderId, n: data.n }));
          await tx
            .savepoint(async (inner) => {
              inner.publish(OrderPaid({ orderId: data.orderId, n: -1 }));
              throw new Error('undone');
            })
            .catch(() => {});
        });
      }),
    ];
    const process = await bench.launch({ definitions });
    await process.publish(...orders(3));
    await process.settled();
    const id = await beginReplayOf(
      process,
      { definitions },
      { publish, selection: { source: 'log', from: 1, to: 3 } },
    );
    const { outcome } = await carryOut(process, definitions, id);
    const paid = await process.rows(
      `select distinct id, meta->>'causationId' as cause, meta->>'replayid' as replay, meta->>'replaymode' as mode from factline.events where type = 'shop.order.paid.v1'`,
    );
    expect(paid).toHaveLength(count);
    expect(outcome).toMatchObject(
      publish === 'publish' ? { published: 3, suppressed: 0 } : { published: 0, suppressed: 3 },
    );
    const added = paid.filter(({ replay }) => replay !== null);
    expect(added).toHaveLength(count - 3);
    expect(added.every(({ replay, mode }) => replay === String(id) && mode === 'redeliver')).toBe(true);
    expect(new Set(paid.map(({ cause }) => cause)).size).toBe(3);
  },
  30_000,
);

test('a poison that fails only in the replay stops its key there, pauses the replay, and no live event', async () => {
  const definitions = [
    handlerOf(
      async ({ data }, { replay }) => {
        if (replay !== null && data.orderId === 'A1') throw new TypeError('cannot read the old form');
      },
      { retry: { unclassified: { attempts: 1 } } },
    ),
  ];
  const process = await bench.launch({ definitions });
  await process.publish(...orders(10, 2));
  await process.settled();
  const guards = { failureRate: 1, sameFingerprint: 1 };
  const id = await beginReplayOf(process, { definitions }, { guards });
  const paused = await carryOut(process, definitions, id);
  expect(paused).toMatchObject({ state: 'paused', paused: { kind: 'guard', by: 'replay' } });
  expect(paused.paused?.reason).toMatch(/1 events failed with/);
  await process.publish(placed('A1', 50));
  await process.settled();
  expect(await process.rows(`select count(*)::int as n from factline.parked where replay_id = 0`)).toEqual([
    { n: 0 },
  ]);
  await resumeReplay(process.database.operations, { actor: person('ada'), id, reason: 'one order, known' });
  const ended = await carryOut(process, definitions, id);
  expect(ended).toMatchObject({
    state: 'done_with_failures',
    outcome: { handled: 5, failed: 1, behindFailed: 4 },
  });
}, 30_000);

test('what had not begun when it was paused is given back: its row waits again, and nobody begins it', async () => {
  const gate = Promise.withResolvers<void>();
  let begun = 0;
  const definitions = [
    handlerOf(
      async (_event, { replay }) => {
        if (replay === null) return;
        begun += 1;
        await gate.promise;
      },
      { concurrency: 2 },
    ),
  ];
  const process = await bench.launch({ definitions });
  await process.publish(...orders(20, 20));
  await process.settled();
  const id = await beginReplayOf(process, { definitions });
  const working = carryOut(process, definitions, id);
  const running = async (): Promise<number> =>
    (await process.rows(`select from factline.parked where replay_id = ${id} and state = 'running'`)).length;
  // One slot: one has begun, and the next are taken so that they are there when it ends.
  await eventually(async () => begun === 1 && (await running()) > 1, 'one runs, others are held');
  await pauseReplay(process.database.operations, { actor: person('ada'), id, reason: 'peak hour' });
  await eventually(async () => (await running()) === 1, 'what had not begun is given back');
  gate.resolve();
  await eventually(async () => (await running()) === 0, 'what had begun has ended');
  await working;
  await process.engine.lookForDueWork();
  const { run } = await readReplay(process.database.operations, id);
  expect(begun).toBe(1);
  expect(
    await process.rows('select state, count(*)::int as rows from factline.parked group by state'),
  ).toEqual([{ state: 'waiting', rows: run.released - 1 }]);
}, 30_000);

test('a pause and an abort hold within a second, at a real position', async () => {
  let replayed = 0;
  const definitions = [
    handlerOf(
      async (_event, { replay }) => {
        if (replay === null) return;
        replayed += 1;
        // Slower than events are handed over: there is always something that waits.
        await new Promise((resolve) => setTimeout(resolve, 50));
      },
      { concurrency: 2 },
    ),
  ];
  const process = await bench.launch({ definitions });
  await process.publish(...orders(300, 50));
  await process.settled();
  const id = await beginReplayOf(process, { definitions }, { rate: { ceiling: 100, floor: 1 } });
  const pool = process.database.operations;
  const working = carryOut(process, definitions, id);
  await eventually(() => replayed > 10, 'it runs');
  await pauseReplay(pool, { actor: person('ada'), id, reason: 'peak hour' });
  await working;
  await new Promise((resolve) => setTimeout(resolve, 900));
  const at = replayed;
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect(replayed).toBe(at);
  expect(await process.rows(`select state from factline.parked where state <> 'waiting'`)).toEqual([]);
  const paused = await readReplay(pool, id);
  const [sum] = await process.rows(
    'select (select count(*) from factline.inbox where replay_id > 0)::int as handled, (select count(*) from factline.parked)::int as parked',
  );
  expect(Number(sum?.['handled']) + Number(sum?.['parked'])).toBe(paused.run.released);
  await resumeReplay(pool, { actor: person('ada'), id });
  const again = carryOut(process, definitions, id);
  await eventually(() => replayed > at, 'it goes on');
  await abortReplay(pool, { actor: person('ada'), id, reason: 'not needed any more' });
  await again;
  const run = replayRunOf(process, definitions);
  await eventually(async () => {
    await run.clear();
    return (await process.parked()).length === 0;
  }, 'what was handed over is taken back');
  expect(replayed).toBeLessThan(300);
}, 30_000);
