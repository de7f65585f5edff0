import { expect, test } from 'vitest';
import { defineHandler } from '../../src/consumers/index.ts';
import { readReplay } from '../../src/replay/index.ts';
import { OrderPlaced, placed, useTestBench } from './fixtures.ts';
import { beginReplayOf, replayRunOf } from './replays.ts';

const bench = useTestBench();
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** By hand, on a quiet machine: FACTLINE_REPLAY_LOAD=1. Prints what it measured. */
test.skipIf(process.env['FACTLINE_REPLAY_LOAD'] === undefined)(
  'beside live orders a replay at its ceiling is not felt, and a burst presses it down',
  { timeout: 180_000 },
  async () => {
    let slowMs = 0;
    const publishedAt = new Map<number, number>();
    const delays: number[] = [];
    const definitions = [
      defineHandler({
        name: 'subject',
        on: [OrderPlaced],
        onReplay: 'skip',
        concurrency: 8,
        slo: { handledWithin: '4s' },
        handle: async ({ data }, { replay, transaction }) => {
          await transaction(async (tx) => {
            await tx.query('select 1');
          });
          if (replay === null) delays.push(performance.now() - (publishedAt.get(data.n) ?? 0));
          if (slowMs > 0 && replay === null) await pause(slowMs);
        },
      }),
    ];
    const process_ = await bench.launch({ definitions });
    let n = 0;
    const live = async (seconds: number, perSecond: number): Promise<number> => {
      delays.length = 0;
      const begun = performance.now();
      for (let sent = 0; sent < seconds * perSecond; sent += 1) {
        publishedAt.set(++n, performance.now());
        await process_.publish(placed(`A${n % 500}`, n));
        await pause(Math.max(begun + (sent * 1_000) / perSecond - performance.now(), 0));
      }
      await process_.settled();
      const sorted = [...delays].sort((one, other) => one - other);
      return sorted[Math.floor(sorted.length * 0.99)] ?? 0;
    };
    await process_.publish(...Array.from({ length: 5_000 }, () => placed(`A${++n % 500}`, n)));
    await process_.settled();
    await live(5, 100);
    const before = await live(10, 100);
    const id = await beginReplayOf(process_, { definitions }, { rate: { ceiling: 50, floor: 1 } });
    const run = replayRunOf(process_, definitions);
    let over = false;
    const working = (async () => {
      while (!over) {
        await run.pass();
        await pause(100);
      }
    })();
    const beside = await live(10, 100);
    const { run: flowing } = await readReplay(process_.database.operations, id);
    // Forty milliseconds each, eight at once: 200 a second, and 2,000 wait.
    slowMs = 40;
    const burst = performance.now();
    await process_.publish(...Array.from({ length: 2_000 }, () => placed(`A${++n % 500}`, n)));
    const reached: Record<string, number> = {};
    while (performance.now() - burst < 9_000) {
      const { rateNow } = (await readReplay(process_.database.operations, id)).run;
      const seconds = Math.round((performance.now() - burst) / 100) / 10;
      if ((rateNow ?? 50) <= 25) reached['halved'] ??= seconds;
      if (rateNow === 0) reached['stopped'] ??= seconds;
      await pause(100);
    }
    over = true;
    await working;
    console.log({
      p99Before: before,
      p99Beside: beside,
      ratio: beside / before,
      flowing,
      afterBurst: reached,
    });
    expect(flowing.released).toBeGreaterThan(300);
    expect(reached['halved']).toBeDefined();
    expect(reached['stopped']).toBeDefined();
  },
);
