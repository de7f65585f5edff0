/**
 * How soon somebody should have looked at a group, by what its failure asks of people. Starting values: a consumer that can't
 * be trusted or reached at all comes first, one event that breaks the code within a business day.
 */
export const triageWithinMs = {
  systemic: 15 * 60_000,
  authorisation: 60 * 60_000,
  dependency: 60 * 60_000,
  timeout: 60 * 60_000,
  invariant: 2 * 3_600_000,
  schema: 4 * 3_600_000,
  poison: 8 * 3_600_000,
} as const;

export type GroupDisposition = keyof typeof triageWithinMs;

export interface TriageFacts {
  readonly disposition: GroupDisposition;
  /** How long the oldest event of the group has been parked. */
  readonly oldestMs: number;
  readonly assigned: boolean;
  readonly snoozed: boolean;
}

/** Nobody touches it any more. */
const graveyardMs = 14 * 24 * 3_600_000;

/**
 * The level of on-call that should know: 0 in time, 1 the time is over, 2 at twice and 3 at four times the time; 4 after
 * fourteen days, whatever else holds. An assigned group goes no higher than 1, a snoozed one stays at 0.
 */
export type EscalationLevel = 0 | 1 | 2 | 3 | 4;

export const escalationLevel = ({
  disposition,
  oldestMs,
  assigned,
  snoozed,
}: TriageFacts): EscalationLevel => {
  if (oldestMs >= graveyardMs) return 4;
  if (snoozed) return 0;
  const share = oldestMs / triageWithinMs[disposition];
  const level = share < 1 ? 0 : share < 2 ? 1 : share < 4 ? 2 : 3;
  return assigned && level > 1 ? 1 : level;
};

/** Keys in which a failure is no longer a matter of its events. */
const systemicKeys = 100;

/** systemic: the breaker opened on this failure, or it holds a hundred keys and at least half of all that its consumer has parked. */
export const groupDisposition = (facts: {
  readonly disposition: Exclude<GroupDisposition, 'systemic'>;
  readonly keys: number;
  readonly keysOfConsumer: number;
  readonly trippedBreaker: boolean;
}): GroupDisposition => {
  const wide = facts.keys >= systemicKeys && facts.keys * 2 >= facts.keysOfConsumer;
  return facts.trippedBreaker || wide ? 'systemic' : facts.disposition;
};

/** Where the page on the quarantine says what to do. */
export const runbookOf = (disposition: GroupDisposition): string => `docs/quarantine.md#${disposition}`;
