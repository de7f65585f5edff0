import fc from 'fast-check';
import { expect, test } from 'vitest';
import { RecentRows } from './recent-rows.ts';
import type { StoredEvent } from './stored-event.ts';

const event = (position: number, type = 'a', data = '{}'): StoredEvent => ({
  position,
  id: '',
  type,
  source: '',
  key: 'k',
  keyHash: 0,
  data,
  meta: '{}',
  time: '',
  recordedAt: '',
});

test('answers what follows a position, and how far it looked', () => {
  const rows = new RecentRows(10);
  rows.append([event(11), event(13, 'b'), event(14)], 20);
  const positions = (after: number, max: number, types: ReadonlySet<string> | 'all' = 'all') => {
    const { events, upTo } = rows.take(after, max, { types });
    return [events.map((each) => each.position), upTo];
  };
  expect(positions(10, 10)).toEqual([[11, 13, 14], 20]);
  expect(positions(10, 2)).toEqual([[11, 13], 13]);
  expect(positions(11, 10, new Set(['a']))).toEqual([[14], 20]);
  expect(positions(14, 10, new Set(['b']))).toEqual([[], 20]);
  expect(positions(25, 10)).toEqual([[], 25]);
});

test('every event is in one share of the keys, and a share says how far it looked at all', () => {
  const rows = new RecentRows(0);
  const hashes = [5, -3, 8, 0, -1, 7];
  rows.append(
    hashes.map((keyHash, index) => ({ ...event(index + 1), keyHash })),
    9,
  );
  const shares = [0, 1, 2].map((lane) => rows.take(0, 10, { types: 'all', share: { lane, lanes: 3 } }));
  expect(shares.map(({ upTo }) => upTo)).toEqual([9, 9, 9]);
  expect(shares.flatMap(({ events }) => events.map(({ position }) => position)).sort()).toEqual([
    1, 2, 3, 4, 5, 6,
  ]);
  expect(shares.map(({ events }) => events.map(({ keyHash }) => (keyHash >>> 0) % 3))).toEqual(
    shares.map(({ events }, lane) => events.map(() => lane)),
  );
});

test('is bounded in rows and in bytes, and says from where on it is complete', () => {
  const rows = new RecentRows(0);
  for (let from = 1; from < 20_000; from += 100) {
    rows.append(
      Array.from({ length: 100 }, (_, index) => event(from + index)),
      from + 99,
    );
  }
  expect(rows.size).toBe(4096);
  expect(rows.from).toBe(rows.to - 4096);
  const large = 'x'.repeat(20 * 1024 * 1024);
  rows.append([event(rows.to + 1, 'a', large), event(rows.to + 2, 'a', large)], rows.to + 2);
  expect(rows.size).toBe(1);
});

test('however it is filled and read, every matching event is answered once', () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ gap: fc.integer({ min: 1, max: 3 }), type: fc.constantFrom('a', 'b') }), {
        maxLength: 200,
      }),
      fc.integer({ min: 1, max: 7 }),
      (steps, max) => {
        const rows = new RecentRows(0);
        const expected: number[] = [];
        const answered: number[] = [];
        let position = 0;
        let cursor = 0;
        const types = new Set(['a']);
        for (const [index, step] of steps.entries()) {
          position += step.gap;
          rows.append([event(position, step.type)], position);
          if (step.type === 'a') expected.push(position);
          if (index % 3 !== 0) continue;
          const batch = rows.take(cursor, max, { types });
          answered.push(...batch.events.map((each) => each.position));
          cursor = batch.upTo;
        }
        while (cursor < position) {
          const batch = rows.take(cursor, max, { types });
          answered.push(...batch.events.map((each) => each.position));
          cursor = batch.upTo;
        }
        expect(answered).toEqual(expected);
      },
    ),
  );
});
