import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { keyHash, laneOf } from './key-hash.ts';

/** MurmurHash3 x86_32 again, slowly and differently: on bytes, with big integers. */
const reference = (text: string): number => {
  const u32 = 0xffffffffn;
  const rotate = (x: bigint, by: bigint): bigint => ((x << by) | (x >> (32n - by))) & u32;
  const mixK = (k: bigint): bigint => (rotate((k * 0xcc9e2d51n) & u32, 15n) * 0x1b873593n) & u32;
  const bytes = [...new TextEncoder().encode(text)].map(BigInt);
  const at = (i: number): bigint => bytes[i] ?? 0n;
  let h = 0n;
  let i = 0;
  for (; i + 4 <= bytes.length; i += 4) {
    const k = at(i) | (at(i + 1) << 8n) | (at(i + 2) << 16n) | (at(i + 3) << 24n);
    h = (rotate(h ^ mixK(k), 13n) * 5n + 0xe6546b64n) & u32;
  }
  if (i < bytes.length) h ^= mixK(at(i) | (at(i + 1) << 8n) | (at(i + 2) << 16n));
  h ^= BigInt(bytes.length);
  h = ((h ^ (h >> 16n)) * 0x85ebca6bn) & u32;
  h = ((h ^ (h >> 13n)) * 0xc2b2ae35n) & u32;
  return Number(BigInt.asIntN(32, h ^ (h >> 16n)));
};

describe('keyHash', () => {
  test.each([
    ['', 0],
    ['abc', 0xb3dd93fa],
    ['test', 0xba6bd213],
    ['Hello, world!', 0xc0363e43],
    ['The quick brown fox jumps over the lazy dog', 0x2e4ff723],
  ])('of %j is the published vector', (key, hash) => {
    expect(keyHash(key) >>> 0).toBe(hash);
  });

  test('equals MurmurHash3 of the UTF-8 bytes for any text, and is signed', () => {
    const text = fc.oneof(fc.string(), fc.string({ unit: 'grapheme' }), fc.string({ unit: 'binary' }));
    fc.assert(
      fc.property(text, (key) => {
        expect(keyHash(key)).toBe(reference(key));
      }),
      { numRuns: 500 },
    );
  });
});

describe('laneOf', () => {
  test('is unsigned modulo, as the SQL has it, also for negative hashes', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
        fc.integer({ min: 1, max: 1024 }),
        (hash, lanes) => {
          expect(laneOf(hash, lanes)).toBe(Number((BigInt(hash) & 4294967295n) % BigInt(lanes)));
        },
      ),
    );
  });

  test('spreads ordinary keys evenly', () => {
    const counts = new Array<number>(16).fill(0);
    for (let i = 0; i < 16_000; i++) {
      const lane = laneOf(keyHash(`orderId=${i}`), 16);
      counts[lane] = (counts[lane] ?? 0) + 1;
    }
    expect(Math.min(...counts)).toBeGreaterThan(850);
    expect(Math.max(...counts)).toBeLessThan(1150);
  });
});
