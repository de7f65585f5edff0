import { describe, expect, test } from 'vitest';
import { eventually, OrderPlaced, placed, useTestBench } from '../../../test/operational/fixtures.ts';
import { defineHandler } from './define-handler.ts';

const bench = useTestBench();
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const inOrder = (numbers: readonly number[]): boolean =>
  numbers.every((n, index) => index === 0 || n > (numbers[index - 1] ?? 0));

describe('fairness over keys', () => {
  test('a key with half of the traffic does not delay the others, and status names it', async () => {
    const handledAt = new Map<string, number[]>();
    const numbers = new Map<string, number[]>();
    let hottest: string | undefined;
    const process = await bench.launch({
      definitions: [
        defineHandler({
          name: 'subject',
          on: [OrderPlaced],
          concurrency: 4,
          handle: async (event) => {
            const { orderId, n } = event.data;
            await pause(orderId === 'hot' ? 3 : 0);
            handledAt.set(orderId, [...(handledAt.get(orderId) ?? []), performance.now()]);
            numbers.set(orderId, [...(numbers.get(orderId) ?? []), n]);
            hottest ??= process.engine.running()[0]?.progress.hottestKey?.key;
          },
        }),
      ],
    });
    const total = 1_100;
    const drafts = Array.from({ length: total }, (_, n) => placed(n % 2 === 0 ? 'hot' : `k${n % 201}`, n));
    for (let at = 0; at < total; at += 500) await process.publish(...drafts.slice(at, at + 500));
    await process.settled();
    const others = [...handledAt].flatMap(([key, times]) => (key === 'hot' ? [] : times));
    const hot = handledAt.get('hot') ?? [];
    expect(hot).toHaveLength(total / 2);
    expect(others).toHaveLength(total / 2);
    // The others were done long before the hot key, whose events stood between theirs in the log.
    const share = hot.filter((time) => time < Math.max(...others)).length / hot.length;
    expect(share).toBeLessThan(0.8);
    for (const own of numbers.values()) expect(inOrder(own)).toBe(true);
    expect(hottest).toBe('orderId=hot');
    expect(await process.parked()).toEqual([]);
    expect(await process.rows('select count(*)::int as n from factline.parked_events')).toEqual([{ n: 0 }]);
  });

  test('a slow key does not delay the others, and keeps its order', async () => {
    const seen: string[] = [];
    let open: () => void = () => {};
    const gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    const process = await bench.launch({
      definitions: [
        defineHandler({
          name: 'subject',
          on: [OrderPlaced],
          concurrency: 4,
          timeout: '1m',
          handle: async (event) => {
            if (event.data.orderId === 'slow' && event.data.n === 0) await gate;
            seen.push(`${event.data.orderId}:${event.data.n}`);
          },
        }),
      ],
    });
    const total = 2_000;
    const drafts = Array.from({ length: total }, (_, n) =>
      n % 3 === 0 ? placed('slow', n / 3) : placed(`k${n % 57}`, n),
    );
    for (let at = 0; at < total; at += 500) await process.publish(...drafts.slice(at, at + 500));
    const others = drafts.filter((draft) => draft.data.orderId !== 'slow').length;
    await eventually(() => seen.length === others, 'all others are handled while the slow one hangs');
    // The mark has passed the slow key: a restart would not begin before it.
    await eventually(async () => {
      const [row] = await process.rows('select min(position)::int as low from factline.checkpoints');
      return Number(row?.['low']) >= total;
    }, 'the checkpoint has passed the slow key');
    open();
    await process.settled();
    const own = seen.filter((each) => each.startsWith('slow:')).map((each) => Number(each.split(':')[1]));
    expect(own).toEqual(Array.from({ length: Math.ceil(total / 3) }, (_, n) => n));
    expect(await process.parked()).toEqual([]);
  });

  // LESSONS: parallel-consumer#857.
  test('parked work holds no slot: poison messages filled the intake and healthy ones starved', async () => {
    let healthy = 0;
    const process = await bench.launch({
      definitions: [
        defineHandler({
          name: 'subject',
          on: [OrderPlaced],
          concurrency: 2,
          retry: { unclassified: { attempts: 100, base: '1h' } },
          handle: async (event) => {
            if (event.data.orderId.startsWith('poison')) throw new Error(`cannot read ${event.data.orderId}`);
            healthy += 1;
          },
        }),
      ],
    });
    // One poisoned key in five: the breaker stays closed, every second slot would be lost.
    const drafts = Array.from({ length: 1_000 }, (_, n) => placed(n % 5 === 0 ? `poison${n}` : `k${n}`, n));
    await process.publish(...drafts);
    await process.settled();
    expect(healthy).toBe(800);
    expect(await process.parked()).toHaveLength(200);
  });

  test('under global order one event after the other is handled, and a quarantined one stops all', async () => {
    const seen: number[] = [];
    const process = await bench.launch({
      definitions: [
        defineHandler({
          name: 'subject',
          on: [OrderPlaced],
          ordering: 'global',
          retry: { unclassified: { attempts: 1 } },
          handle: async (event) => {
            if (event.data.n === 700) throw new Error('stop here');
            seen.push(event.data.n);
          },
        }),
      ],
    });
    await process.publish(...Array.from({ length: 800 }, (_, n) => placed(`A${n % 9}`, n)));
    await process.settled();
    expect(seen).toEqual(Array.from({ length: 700 }, (_, n) => n));
    expect((await process.parked()).map(({ state }) => state)).toEqual([
      'quarantined',
      ...Array.from({ length: 99 }, () => 'waiting'),
    ]);
  });

  test('keeps to its rate over attempts', async () => {
    const at: number[] = [];
    const process = await bench.launch({
      definitions: [
        defineHandler({
          name: 'subject',
          on: [OrderPlaced],
          rate: '50/s',
          handle: async () => void at.push(performance.now()),
        }),
      ],
    });
    await process.publish(...Array.from({ length: 60 }, (_, n) => placed(`A${n}`)));
    await process.settled();
    expect(at).toHaveLength(60);
    const seconds = ((at.at(-1) ?? 0) - (at[0] ?? 0)) / 1_000;
    expect(seconds).toBeGreaterThan(0.9);
  });
});
