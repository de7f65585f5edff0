/**
 * Lanes are chosen by this hash and it is stored with each event, so it may never change:
 * MurmurHash3 x86_32, seed 0, over the UTF-8 bytes of the key.
 */
const c1 = 0xcc9e2d51;
const c2 = 0x1b873593;

const mixBlock = (hash: number, block: number): number => {
  let k = Math.imul(block, c1);
  k = (k << 15) | (k >>> 17);
  let h = hash ^ Math.imul(k, c2);
  h = (h << 13) | (h >>> 19);
  return (Math.imul(h, 5) + 0xe6546b64) | 0;
};

const mixTail = (hash: number, tail: number): number => {
  const k = Math.imul(tail, c1);
  return hash ^ Math.imul((k << 15) | (k >>> 17), c2);
};

const finish = (hash: number, length: number): number => {
  let h = hash ^ length;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) | 0;
};

const hashBytes = (bytes: Uint8Array): number => {
  const blocksEnd = bytes.length & ~3;
  let hash = 0;
  for (let i = 0; i < blocksEnd; i += 4) {
    hash = mixBlock(
      hash,
      (bytes[i] ?? 0) |
        ((bytes[i + 1] ?? 0) << 8) |
        ((bytes[i + 2] ?? 0) << 16) |
        ((bytes[i + 3] ?? 0) << 24),
    );
  }
  let tail = 0;
  for (let i = bytes.length - 1; i >= blocksEnd; i--) tail = (tail << 8) | (bytes[i] ?? 0);
  if (bytes.length > blocksEnd) hash = mixTail(hash, tail);
  return finish(hash, bytes.length);
};

/** Keys are nearly always ASCII: then the string is hashed without encoding it. Undefined when it is not. */
const hashAscii = (key: string): number | undefined => {
  const length = key.length;
  const blocksEnd = length & ~3;
  let hash = 0;
  let seen = 0;
  for (let i = 0; i < blocksEnd; i += 4) {
    const a = key.charCodeAt(i);
    const b = key.charCodeAt(i + 1);
    const c = key.charCodeAt(i + 2);
    const d = key.charCodeAt(i + 3);
    seen |= a | b | c | d;
    hash = mixBlock(hash, a | (b << 8) | (c << 16) | (d << 24));
  }
  let tail = 0;
  for (let i = length - 1; i >= blocksEnd; i--) {
    const code = key.charCodeAt(i);
    seen |= code;
    tail = (tail << 8) | code;
  }
  if (seen > 127) return undefined;
  if (length > blocksEnd) hash = mixTail(hash, tail);
  return finish(hash, length);
};

/** The stored hash of a key: signed, so that it fits PostgreSQL's `int4`. */
export const keyHash = (key: string): number => hashAscii(key) ?? hashBytes(Buffer.from(key, 'utf8'));

/** The lane of a stored hash; in SQL `(key_hash::bigint & 4294967295) % lanes`. */
export const laneOf = (hash: number, lanes: number): number => (hash >>> 0) % lanes;
