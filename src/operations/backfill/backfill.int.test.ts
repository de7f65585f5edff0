import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { OrderPlaced, placed, useTestBench } from '../../../test/operational/fixtures.ts';
import type { HandlerProcess } from '../../../test/operational/handler-process.ts';
import { beginReplayOf } from '../../../test/operational/replays.ts';
import { defineHandler } from '../../consumers/index.ts';
import { systemClock } from '../../foundation/index.ts';
import { readReplay } from '../../replay/index.ts';
import { beginBackfill, estimateBackfill, runBackfill } from './backfill.ts';
import { readPastFacts } from './past-facts.ts';

const bench = useTestBench();
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'factline-backfill-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const fileOf = (name: string, lines: readonly string[]): string => {
  const file = path.join(folder, name);
  writeFileSync(file, lines.join('\n'));
  return file;
};

const fact = (n: number, time = `2019-01-0${1 + (n % 9)}T09:00:00Z`): string =>
  JSON.stringify({ type: OrderPlaced.type, data: { orderId: `P${n % 7}`, n }, time });

const contracts = [OrderPlaced];
const nowMs = Date.now();

describe('a file', () => {
  test('is checked as a whole before anything is written; the lines that are wrong are named', async () => {
    const file = fileOf('wrong.jsonl', [
      fact(1),
      '{',
      '',
      JSON.stringify({ type: 'shop.stranger.came.v1', data: {}, time: '2019-01-01T00:00:00Z' }),
      JSON.stringify({
        type: OrderPlaced.type,
        data: { orderId: 'A', n: 'many' },
        time: '2019-01-01T00:00:00Z',
      }),
      fact(2, '2019-01-01T00:00:00'),
      fact(2, '2219-01-01T00:00:00Z'),
      JSON.stringify({ type: OrderPlaced.type, data: {}, time: '2019-01-01T00:00:00Z', id: 7 }),
      '[]',
    ]);
    const error = (await readPastFacts({ file, contracts, nowMs }).catch(
      (thrown: unknown) => thrown,
    )) as Error;
    expect(error).toMatchObject({ code: 'BACKFILL_INVALID' });
    for (const said of [
      'line 2: it is not JSON',
      'line 4: this app has no contract of shop.stranger.came.v1',
      'line 5: The payload of shop.order.placed.v1 breaks its schema',
      'line 6: its time is none with a zone',
      'line 7: its time, 2219-01-01T00:00:00Z, has not passed',
      'line 8: it has id',
      'line 9: it is not an object',
    ])
      expect(error.message).toContain(said);
    await expect(readPastFacts({ file: fileOf('empty.jsonl', ['']), contracts, nowMs })).rejects.toThrow(
      'it is empty',
    );
  });

  test('is counted: lines, types, keys, times', async () => {
    const file = fileOf(
      'counted.jsonl',
      Array.from({ length: 20 }, (_, n) => fact(n)),
    );
    expect(await readPastFacts({ file, contracts, nowMs })).toMatchObject({
      lines: 20,
      types: { [OrderPlaced.type]: 20 },
      keys: { count: 7, exact: true },
      first: '2019-01-01T09:00:00.000Z',
      last: '2019-01-09T09:00:00.000Z',
    });
  });
});

const seen: Record<'skipping' | 'taking', [number, string | undefined, string][]> = {
  skipping: [],
  taking: [],
};
const definitions = (['skipping', 'taking'] as const).map((name) =>
  defineHandler({
    name,
    on: OrderPlaced,
    onReplay: 'skip',
    ...(name === 'taking' ? { onBackfill: 'handle' as const } : {}),
    handle: async ({ data, backfill, time }) => {
      seen[name].push([data.n, backfill, time]);
    },
  }),
);

const backfillOf = (process: HandlerProcess, file: string, ratePerSecond = 10_000) => {
  const { database } = process;
  const request = { file, contracts, consumers: definitions, ratePerSecond, nowMs };
  return {
    estimate: () => estimateBackfill(database.operations, request),
    run: async (signal: AbortSignal, onProgress?: (done: number) => void): Promise<number> => {
      const estimate = await estimateBackfill(database.operations, request);
      await beginBackfill(database.operations, estimate, { name: 'x', actor: 'ada', reason: 'history' });
      return runBackfill({
        ...request,
        database,
        clock: systemClock,
        source: 'test',
        estimate,
        signal,
        ...(onProgress === undefined ? {} : { onProgress }),
      });
    },
  };
};

test('facts enter once, in order, with their own times; who did not ask for them passes them, and a replay of it leaves them out', async () => {
  const process = await bench.launch({ definitions });
  await process.publish(placed('A1', 1_000));
  await process.settled();
  const file = fileOf(
    'facts.jsonl',
    Array.from({ length: 250 }, (_, n) => fact(n)),
  );
  const { estimate, run } = backfillOf(process, file);
  expect(await estimate()).toMatchObject({
    lines: 250,
    done: 0,
    durationSeconds: 1,
    readers: [
      { consumer: 'skipping', does: 'skips' },
      { consumer: 'taking', does: 'handles' },
    ],
  });
  // The process ends after the first batch; the same file goes on there.
  const ending = new AbortController();
  expect(await run(ending.signal, () => ending.abort())).toBe(100);
  expect(await estimate()).toMatchObject({ done: 100 });
  expect(await run(new AbortController().signal)).toBe(250);
  await expect(estimate()).rejects.toMatchObject({ code: 'BACKFILL_DONE' });
  await process.publish(placed('A1', 1_001));
  await process.settled();

  const rows = await process.rows(
    `select (data ->> 'n')::int as n, to_char(time at time zone 'UTC', 'YYYY') as year
       from factline.events where meta ->> 'backfill' = '1' order by position`,
  );
  expect(rows.map(({ n }) => n)).toEqual(Array.from({ length: 250 }, (_, n) => n));
  expect(new Set(rows.map(({ year }) => year))).toEqual(new Set(['2019']));
  expect(seen.skipping.map(([n]) => n)).toEqual([1_000, 1_001]);
  expect(seen.taking).toHaveLength(252);
  expect(seen.taking.find(([n]) => n === 3)).toEqual([3, '1', '2019-01-04T09:00:00Z']);
  expect(seen.taking.find(([n]) => n === 1_000)?.[1]).toBeUndefined();

  const id = await beginReplayOf(process, { definitions }, { consumer: 'skipping' });
  const replay = await readReplay(process.database.operations, id);
  expect(replay.frozen).toMatchObject({ selected: 2, excluded: 250 });
  expect(replay.estimate?.profile.excludedBecause).toEqual({ 'past fact': 250 });
}, 30_000);

test('two who enter one file at once write no fact twice', async () => {
  const process = await bench.launch({ definitions });
  const file = fileOf(
    'twice.jsonl',
    Array.from({ length: 300 }, (_, n) => fact(n)),
  );
  const { signal } = new AbortController();
  const both = await Promise.allSettled([
    backfillOf(process, file).run(signal),
    backfillOf(process, file).run(signal),
  ]);
  const refused = both.filter(({ status }) => status === 'rejected');
  for (const each of refused)
    expect((each as PromiseRejectedResult).reason).toMatchObject({
      code: expect.stringMatching(/^BACKFILL_(BUSY|DONE)$/),
    });
  expect(
    await process.rows(
      'select count(*)::int as facts, count(distinct data)::int as different from factline.events',
    ),
  ).toEqual([{ facts: 300, different: 300 }]);
}, 30_000);
