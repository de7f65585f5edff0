import { hash } from 'node:crypto';
import type { Randomness } from './random.ts';

const hex: readonly string[] = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

const format = (bytes: Uint8Array): string => {
  let text = '';
  for (let i = 0; i < 16; i++) {
    if (i === 4 || i === 6 || i === 8 || i === 10) text += '-';
    text += hex[bytes[i] ?? 0];
  }
  return text;
};

/** rand_a of RFC 9562 is a counter here (method 1): it begins low enough to leave room for 2,048 ids a millisecond. */
const counterMax = 0xfff;
const counterStartMask = 0x7ff;
let lastMs = 0;
let counter = 0;

/**
 * A UUIDv7 of the given wall time in milliseconds. Within one process each id sorts after the one before,
 * also when the wall clock stands still or goes back.
 */
export const uuidv7 = (wallMs: number, randomness: Randomness): string => {
  const bytes = randomness.bytes(16);
  if (wallMs > lastMs) {
    lastMs = wallMs;
    counter = (((bytes[6] ?? 0) << 8) | (bytes[7] ?? 0)) & counterStartMask;
  } else if (counter === counterMax) {
    lastMs += 1;
    counter = 0;
  } else {
    counter += 1;
  }
  const high = Math.floor(lastMs / 2 ** 16);
  bytes[0] = high >>> 24;
  bytes[1] = high >>> 16;
  bytes[2] = high >>> 8;
  bytes[3] = high;
  bytes[4] = lastMs >>> 8;
  bytes[5] = lastMs;
  bytes[6] = 0x70 | (counter >>> 8);
  bytes[7] = counter;
  bytes[8] = 0x80 | ((bytes[8] ?? 0) & 0x3f);
  return format(bytes);
};

/** Whether an id was made by `uuidv8`: it then is the same on every attempt. */
export const isDerivedId = (id: string): boolean => id[14] === '8';

/** Changing this text changes every derived id: a handler retried by a newer release would publish twice. */
const derivedIdDomain = 'factline.event-id.1';

/**
 * The id of the event that consumer `consumerId` publishes as its `ordinal`-th while handling `eventId`:
 * a UUIDv8, equal on every attempt and in every process.
 */
export const uuidv8 = (
  parts: readonly [consumerId: string | number, eventId: string, ordinal: number],
): string => {
  const [consumerId, eventId, ordinal] = parts;
  const bytes = hash(
    'sha256',
    JSON.stringify([derivedIdDomain, String(consumerId), eventId, ordinal]),
    'buffer',
  );
  bytes[6] = 0x80 | ((bytes[6] ?? 0) & 0x0f);
  bytes[8] = 0x80 | ((bytes[8] ?? 0) & 0x3f);
  return format(bytes);
};
