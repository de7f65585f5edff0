import { randomFillSync } from 'node:crypto';

export interface Randomness {
  /** In [0, 1); for jitter, not for secrets. */
  float(): number;
  /** Cryptographically strong bytes, a fresh array each time. */
  bytes(count: number): Uint8Array;
}

/** One call into the kernel per pool instead of one per id. */
const poolSize = 4096;
const pool = new Uint8Array(poolSize);
let poolUsed = poolSize;

const pooledBytes = (count: number): Uint8Array => {
  if (count > poolSize) return randomFillSync(new Uint8Array(count));
  if (poolUsed + count > poolSize) {
    randomFillSync(pool);
    poolUsed = 0;
  }
  const bytes = pool.slice(poolUsed, poolUsed + count);
  poolUsed += count;
  return bytes;
};

export const systemRandomness: Randomness = { float: () => Math.random(), bytes: pooledBytes };
