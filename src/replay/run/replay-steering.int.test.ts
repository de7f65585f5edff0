import { expect, test } from 'vitest';
import { eventually, OrderPlaced, placed, useTestBench } from '../../../test/operational/fixtures.ts';
import { beginReplayOf, carryOut, person, replayRunOf } from '../../../test/operational/replays.ts';
import { defineHandler, type Handler, type LiveDanger } from '../../consumers/index.ts';
import { readReplay, reportReplay, resumeReplay } from '../index.ts';

const bench = useTestBench();

const handlerOf = (handle: (replay: string | null, n: number) => void = () => {}): Handler =>
  defineHandler({
    name: 'subject',
    on: [OrderPlaced],
    onReplay: 'skip',
    retry: { unclassified: { attempts: 1 } },
    handle: async ({ data }, { replay }) => handle(replay, data.n),
  });

const orders = (count: number): ReturnType<typeof placed>[] =>
  Array.from({ length: count }, (_, n) => placed(`A${n}`, n));

test('a canary hands over step by step, and stops at the first that fails', async () => {
  const definitions = [
    handlerOf((replay, n) => {
      if (replay !== null && n === 4) throw new TypeError('a form that only exists in the past');
    }),
  ];
  const process = await bench.launch({ definitions });
  await process.publish(...orders(30));
  await process.settled();
  const id = await beginReplayOf(process, { definitions }, { canary: [1, 8] });
  const paused = await carryOut(process, definitions, id);
  expect(paused).toMatchObject({ state: 'paused', paused: { kind: 'guard' } });
  // The fifth one fails; a busy machine may not have handed over the whole step by then.
  expect(paused.run.released).toBeGreaterThanOrEqual(5);
  expect(paused.run.released).toBeLessThanOrEqual(8);
  expect(paused.paused?.reason).toMatch(/^1 of \d events failed in the canary, more than 5 %$/);
  await resumeReplay(process.database.operations, { actor: person('ada'), id, reason: 'that one is known' });
  const ended = await carryOut(process, definitions, id);
  expect(ended).toMatchObject({ state: 'done_with_failures', outcome: { handled: 29, failed: 1 } });
  expect(ended.outcome?.['newFailures']).toHaveLength(1);
  const { comparison, counts } = await reportReplay(process.database.operations, id);
  expect(counts.failures).toMatchObject([{ events: 1, known: false }]);
  expect(comparison.find(({ what }) => what === 'handled')).toMatchObject({ actual: 29 });
}, 30_000);

test('live danger halves the rate within two looks and stops it at once, and it comes back by itself', async () => {
  const definitions = [handlerOf()];
  const process = await bench.launch({ definitions });
  await process.publish(...orders(200));
  await process.settled();
  const id = await beginReplayOf(process, { definitions }, { rate: { ceiling: 20, floor: 1 } });
  let live: LiveDanger | null = { consumer: 'payment', danger: 0 };
  const run = replayRunOf(process, definitions, {
    look: async () => {
      if (live === null) throw new TypeError('no connection');
      return live;
    },
  });
  const pool = process.database.operations;
  const second = async (): Promise<Awaited<ReturnType<typeof readReplay>>> => {
    const until = Date.now() + 1_000;
    while (Date.now() < until) {
      await run.pass();
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    return readReplay(pool, id);
  };
  expect((await second()).run).toMatchObject({ rateNow: 20, yielding: null });
  live = { consumer: 'payment', danger: 0.6 };
  const slower = (await second()).run;
  expect(slower.rateNow).toBeLessThanOrEqual(10);
  expect(slower.yielding).toBe('goes slower for the sake of payment');
  live = { consumer: 'payment', danger: 0.9 };
  const stopped = await second();
  expect(stopped.run).toMatchObject({
    rateNow: 0,
    yielding: 'stands still: payment would break its promise',
  });
  expect((await second()).run.released).toBe(stopped.run.released);
  live = null;
  expect((await second()).run.yielding).toBe('stands still: nobody knows how live consumers are');
  live = { consumer: 'payment', danger: 0.1 };
  await second();
  expect((await second()).run.rateNow).toBeGreaterThan(0);
  const [impact] = await process.rows('select danger_max, yielded_seconds from factline.replays');
  expect(impact).toMatchObject({ danger_max: 0.9 });
  expect(Number(impact?.['yielded_seconds'])).toBeGreaterThanOrEqual(4);
}, 30_000);

test('where live events take longer beside it the rate is halved, and it says so', async () => {
  const definitions = [handlerOf()];
  const process = await bench.launch({ definitions });
  await process.publish(...orders(200));
  await process.settled();
  const id = await beginReplayOf(process, { definitions }, { rate: { ceiling: 20, floor: 1 } });
  const run = replayRunOf(process, definitions, { look: async () => ({ consumer: null, danger: 0 }) });
  const { operations } = process.database;
  const until = async (holds: (run: { rateNow: number | null; yielding: string | null }) => boolean) => {
    await eventually(async () => {
      await run.pass();
      return holds((await readReplay(operations, id)).run);
    }, 'the rate is what it should be');
  };
  await until(({ rateNow }) => rateNow === 20);
  await process.rows('update factline.replays set strained_at = factline.clock()');
  await until(({ rateNow }) => (rateNow ?? 20) <= 10);
  const { yielding } = (await readReplay(operations, id)).run;
  expect(yielding).toBe('goes slower: live events take longer beside it');
  const slow = (await readReplay(operations, id)).run.rateNow ?? 0;
  await until(({ rateNow }) => (rateNow ?? 0) > slow);
}, 30_000);

test('what was handed over stands still with the rate, and goes on with it by itself', async () => {
  const { promise: gate, resolve: open } = Promise.withResolvers<void>();
  let begun = 0;
  let handled = 0;
  const subject = defineHandler({
    name: 'subject',
    on: [OrderPlaced],
    onReplay: 'skip',
    concurrency: 8,
    handle: async (_, { replay }) => {
      if (replay === null) return;
      begun += 1;
      await gate;
      handled += 1;
    },
  });
  const process = await bench.launch({ definitions: [subject] });
  try {
    await process.publish(...orders(40));
    await process.settled();
    const id = await beginReplayOf(process, { definitions: [subject] }, { rate: { ceiling: 100, floor: 1 } });
    const run = replayRunOf(process, [subject], { look: async () => ({ consumer: null, danger: 0 }) });
    const { operations } = process.database;
    await eventually(async () => {
      await run.pass();
      await process.engine.lookForDueWork();
      return (await readReplay(operations, id)).run.released >= 20;
    }, 'some are handed over');
    // As the control loop does, which does not run any more.
    await process.rows('update factline.replays set rate_now = 0');
    // Two looks of the owner, at most.
    await new Promise((resolve) => setTimeout(resolve, 500));
    const stood = begun;
    open();
    await new Promise((resolve) => setTimeout(resolve, 500));
    // What had begun ends; of what was handed over much is left.
    expect(begun).toBe(stood);
    expect(handled).toBe(stood);
    expect(stood).toBeLessThanOrEqual(2);
    await process.rows('update factline.replays set rate_now = 100');
    await eventually(() => handled >= 20, 'they are handled');
  } finally {
    open();
  }
}, 30_000);

test('two processes at once go no faster than one, and hand nothing over twice', async () => {
  const seen: number[] = [];
  const definitions = [
    handlerOf((replay, n) => {
      if (replay !== null) seen.push(n);
    }),
  ];
  const first = await bench.launch({ definitions });
  const second = await bench.launch({ definitions });
  await first.publish(...orders(60));
  await eventually(async () => {
    await first.settled();
    await second.settled();
    const rows = await first.rows('select count(*)::int as n from factline.checkpoints where position < 60');
    return rows[0]?.['n'] === 0;
  }, 'all is handled');
  const id = await beginReplayOf(first, { definitions }, { rate: { ceiling: 20, floor: 1 } });
  const begun = Date.now();
  const [replay] = await Promise.all([carryOut(first, definitions, id), carryOut(second, definitions, id)]);
  expect(replay).toMatchObject({ state: 'done', outcome: { handled: 60 } });
  expect([...seen].sort((one, other) => one - other)).toEqual(Array.from({ length: 60 }, (_, n) => n));
  // Sixty at twenty a second, the last second of which need not be waited for.
  expect(Date.now() - begun).toBeGreaterThan(1_900);
}, 30_000);

test('a deploy in the middle pauses it, and says why', async () => {
  const definitions = [handlerOf()];
  const process = await bench.launch({ definitions });
  await process.publish(...orders(20));
  await process.settled();
  const id = await beginReplayOf(process, { definitions }, { rate: { ceiling: 5, floor: 1 } });
  const run = replayRunOf(process, definitions, { look: async () => ({ consumer: null, danger: 0 }) });
  await run.pass();
  await bench.launch({ definitions, codeVersion: '2' });
  const { operations } = process.database;
  await eventually(async () => {
    await run.pass();
    return (await readReplay(operations, id)).state === 'paused';
  }, 'it is paused');
  const paused = await readReplay(operations, id);
  expect(paused).toMatchObject({
    state: 'paused',
    paused: { kind: 'guard', reason: 'it was approved for the code 1, and 2 is running' },
  });
}, 30_000);
