import { createHash } from 'node:crypto';
import { z } from 'zod';

/** How the provider behaves, on request: slow, choosy, not there at all, or unwilling. */
const shape = z.strictObject({
  /** Every answer takes a random time between the two, in milliseconds. */
  latencyMs: z.tuple([z.int().min(0).max(60_000), z.int().min(0).max(60_000)]),
  /** So many charges in a hundred are declined; which ones follows from the idempotency key, so it never changes. */
  declinePercent: z.int().min(0).max(100),
  /** Everything but the administration answers 503. */
  outage: z.boolean(),
  /** The shop's account is suspended: everything but the administration answers 403. */
  suspended: z.boolean(),
});

export const behaviourSchema = shape.refine(
  ({ latencyMs: [from, to] }) => from <= to,
  'latencyMs: the first must not exceed the second',
);

/** A change of some of it. */
export const changeSchema = shape.partial();

export type Behaviour = z.infer<typeof behaviourSchema>;

export const DEFAULT_BEHAVIOUR: Behaviour = {
  latencyMs: [0, 0],
  declinePercent: 0,
  outage: false,
  suspended: false,
};

export function declines(behaviour: Behaviour, key: string): boolean {
  if (behaviour.declinePercent === 0) return false;
  return createHash('sha256').update(key).digest().readUInt32BE(0) % 100 < behaviour.declinePercent;
}

export function latencyOf({ latencyMs: [from, to] }: Behaviour): number {
  return from + Math.random() * (to - from);
}
