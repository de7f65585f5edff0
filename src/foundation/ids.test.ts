import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { uuidv7, uuidv8 } from './ids.ts';
import { systemRandomness } from './random.ts';

const uuid = /^[\da-f]{8}-[\da-f]{4}-([\da-f])[\da-f]{3}-([89ab])[\da-f]{3}-[\da-f]{12}$/;
const wallMs = Date.UTC(2026, 10, 21);

describe('uuidv7', () => {
  test('carries the wall time in its first 48 bits, version 7 and the variant', () => {
    const ms = wallMs + 86_400_000;
    const id = uuidv7(ms, systemRandomness);
    expect(uuid.exec(id)?.[1]).toBe('7');
    expect(Number.parseInt(id.replaceAll('-', '').slice(0, 12), 16)).toBe(ms);
  });

  test('sorts in the order of making, within one millisecond, over a counter overflow and when the clock goes back', () => {
    const start = wallMs + 2 * 86_400_000;
    const ids: string[] = [];
    for (let i = 0; i < 10_000; i++) ids.push(uuidv7(start, systemRandomness));
    for (let i = 0; i < 100; i++) ids.push(uuidv7(start - i * 60_000, systemRandomness));
    for (let i = 0; i < 100; i++) ids.push(uuidv7(start + i * 1_000, systemRandomness));
    expect(ids).toEqual([...ids].sort());
    expect(new Set(ids).size).toBe(ids.length);
  });
});

describe('uuidv8', () => {
  const eventId = '01940000-0000-7000-8000-000000000000';

  test('is the same for the same parts, in every process and release', () => {
    // A literal, because a changed derivation would let a handler publish twice over a deploy.
    expect(uuidv8([7, eventId, 0])).toBe('abdb6ede-1912-8ee6-bf10-81d07b9b391b');
    expect(uuidv8(['7', eventId, 0])).toBe(uuidv8([7, eventId, 0]));
  });

  test('has version 8 and the variant', () => {
    expect(uuid.exec(uuidv8([1, eventId, 3]))?.[1]).toBe('8');
  });

  test('differs when any part differs, however the parts are cut', () => {
    const parts = fc.tuple(fc.string(), fc.string(), fc.nat());
    fc.assert(
      fc.property(parts, parts, (a, b) => {
        const same = a[0] === b[0] && a[1] === b[1] && a[2] === b[2];
        expect(uuidv8(a) === uuidv8(b)).toBe(same);
      }),
    );
    expect(uuidv8(['1', '2', 3])).not.toBe(uuidv8(['12', '', 3]));
  });
});
