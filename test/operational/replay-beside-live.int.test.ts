import { expect, test } from 'vitest';
import { defineHandler } from '../../src/consumers/index.ts';
import { pauseReplay, readReplay, resumeReplay } from '../../src/replay/index.ts';
import { OrderPlaced, placed, useTestBench } from './fixtures.ts';
import { beginReplayOf, person, replayRunOf } from './replays.ts';

const bench = useTestBench();
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const share = (values: readonly number[], below: number): number =>
  values.toSorted((one, other) => one - other)[Math.floor(values.length * below)] ?? 0;
const ceiling = Number(process.env['FACTLINE_REPLAY_CEILING'] ?? 50);
const rounds = Number(process.env['FACTLINE_REPLAY_ROUNDS'] ?? 8);

/**
 * By hand, since it needs minutes: FACTLINE_REPLAY_LOAD=1. Live orders, 100 a second, alone and beside the replay in turns, so that
 * whatever else the machine does is in both. Prints what it measured. FACTLINE_REPLAY_CEILING=1000 asks for more than two cores give.
 */
test.skipIf(process.env['FACTLINE_REPLAY_LOAD'] === undefined)(
  'beside live orders a replay at its ceiling is not felt, and a burst presses it down',
  { timeout: 600_000 },
  async () => {
    let slowMs = 0;
    let replayed = 0;
    const publishedAt = new Map<number, number>();
    let delays: number[] = [];
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
          if (replay !== null) replayed += 1;
          else delays.push(performance.now() - (publishedAt.get(data.n) ?? 0));
          if (slowMs > 0 && replay === null) await pause(slowMs);
        },
      }),
    ];
    const process_ = await bench.launch({ definitions });
    const { operations } = process_.database;
    let n = 0;
    const live = async (seconds: number): Promise<readonly number[]> => {
      delays = [];
      const begun = performance.now();
      for (let sent = 0; sent < seconds * 100; sent += 1) {
        publishedAt.set(++n, performance.now());
        await process_.publish(placed(`A${n % 500}`, n));
        await pause(Math.max(begun + sent * 10 - performance.now(), 0));
      }
      await process_.settled();
      return delays;
    };
    for (let lot = 0; lot < Math.max(ceiling / 20, 5); lot += 1)
      await process_.publish(...Array.from({ length: 1_000 }, () => placed(`A${++n % 500}`, n)));
    await process_.settled();
    await live(5);
    const id = await beginReplayOf(process_, { definitions }, { rate: { ceiling, floor: 1 } });
    const run = replayRunOf(process_, definitions);
    let over = false;
    const working = (async () => {
      while (!over) {
        await run.pass();
        await pause(100);
      }
    })();
    const alone: (readonly number[])[] = [];
    const beside: (readonly number[])[] = [];
    let replayedBeside = 0;
    const decision = { actor: person('ada'), id, reason: 'to compare' };
    for (let round = 0; round < rounds; round += 1) {
      await pauseReplay(operations, decision);
      await live(1);
      alone.push(await live(3));
      await resumeReplay(operations, decision);
      await live(1);
      const before = replayed;
      beside.push(await live(3));
      replayedBeside += replayed - before;
    }
    const { run: flowing } = await readReplay(operations, id);
    // The median over the rounds: what the machine does for itself now and then counts in neither.
    const middle = (turns: readonly (readonly number[])[], below: number): number =>
      share(
        turns.map((delays) => share(delays, below)),
        0.5,
      );
    const ratio = (below: number): number => middle(beside, below) / middle(alone, below);
    console.log({
      p99Alone: middle(alone, 0.99),
      p99Beside: middle(beside, 0.99),
      pooled: share(beside.flat(), 0.99) / share(alone.flat(), 0.99),
      ratio: { p50: ratio(0.5), p90: ratio(0.9), p99: ratio(0.99) },
      replayedPerSecond: replayedBeside / (3 * rounds),
      rateNow: flowing.rateNow,
      yielding: flowing.yielding,
    });
    // Forty milliseconds each, eight at once: 200 a second, and 2,000 wait.
    slowMs = 40;
    const rateBefore = flowing.rateNow ?? ceiling;
    const burst = performance.now();
    await process_.publish(...Array.from({ length: 2_000 }, () => placed(`A${++n % 500}`, n)));
    const reached: Record<string, number> = {};
    while (performance.now() - burst < 9_000) {
      const { rateNow } = (await readReplay(operations, id)).run;
      const seconds = Math.round((performance.now() - burst) / 100) / 10;
      if ((rateNow ?? ceiling) <= rateBefore / 2) reached['halved'] ??= seconds;
      if (rateNow === 0) reached['stopped'] ??= seconds;
      await pause(100);
    }
    over = true;
    await working;
    console.log({ afterBurst: reached });
    expect(replayedBeside).toBeGreaterThan(0);
    expect(reached['halved']).toBeDefined();
    expect(reached['stopped']).toBeDefined();
  },
);
