/*
 * The proof that a hole in the positions may be passed. Pure: the tail feeds it what it read, in this order.
 *
 * Positions are given before commit, so a later one may be visible first, and a rollback leaves a hole for ever.
 * Whoever may still fill a hole holds RowExclusiveLock on the sequence (and on the table) from before its nextval
 * until after its end. So:
 *
 *   rows + head  ──►  holders (strictly later)  ──►  floors, dead bound  ──►  rows again, in a new snapshot
 *
 * floor(holder)  the highest position that was already allocated at an earlier look, when it was not yet a holder:
 *                everything it can still write lies above.
 * dead           every position up to it that a snapshot taken from now on does not show, will never be.
 *
 * A floor never rises and transaction ids are never used again, so a hole waits only for those who were publishing
 * when it was seen: no starvation. Why the order matters is in test/stress, where each wrong order loses events.
 */
export interface Settling {
  /** Everything up to here was delivered or is dead. */
  readonly settled: number;
  /** The highest bound proven; only a read that begins after the proof may use it. */
  readonly dead: number;
  /** The highest allocated position at the last look at the holders. */
  readonly high: number;
  /** By virtual transaction id; exactly those who held the locks at the last look. */
  readonly floors: ReadonlyMap<string, number>;
}

const nobody: ReadonlyMap<string, number> = new Map();

/** `mark`: the stored mark, up to which everything is settled already. */
export const settlingFrom = (mark: number): Settling => ({
  settled: mark,
  dead: mark,
  high: 0,
  floors: nobody,
});

/** After a reconnect or a restart of the server transaction ids have another meaning; what was proven stays proven. */
export const forgetHolders = (state: Settling): Settling => ({ ...state, high: 0, floors: nobody });

/**
 * One look at the holders. `head` must have been read before the look, the rows that it judges must be read after it.
 */
export const lookAtHolders = (state: Settling, head: number, holders: readonly string[]): Settling => {
  const floors = new Map<string, number>();
  const high = Math.max(state.high, head);
  let bound = high;
  for (const holder of holders) {
    const floor = state.floors.get(holder) ?? state.high;
    floors.set(holder, floor);
    if (floor < bound) bound = floor;
  }
  return { settled: state.settled, dead: Math.max(state.dead, bound), high, floors };
};

export interface Walk {
  readonly state: Settling;
  /** How many of the rows may be delivered. */
  readonly passed: number;
  /** The first position that is neither visible nor dead while a later one is visible; null when there is none. */
  readonly gap: number | null;
  /** Beyond the last visible row everything up to here is dead; equal to `settled` when nothing is. */
  readonly deadEnd: number;
}

/**
 * Walks over the visible rows above `settled`, in ascending order. `exhausted`: there was no further row.
 * `settled` does not move past the last visible row here: see `settleDeadEnd`.
 */
export const walk = (state: Settling, positions: readonly number[], exhausted: boolean): Walk => {
  let { settled } = state;
  let passed = 0;
  let gap: number | null = null;
  for (const position of positions) {
    if (position !== settled + 1 && position - 1 > state.dead) {
      settled = Math.max(settled, state.dead);
      gap = settled + 1;
      break;
    }
    settled = position;
    passed += 1;
  }
  const deadEnd = exhausted && gap === null ? Math.max(settled, state.dead) : settled;
  return { state: { ...state, settled }, passed, gap, deadEnd };
};

/**
 * Settles dead positions beyond the last visible row. Only after the mark was stored durably: unlike a visible row,
 * a rolled back position leaves nothing in the write-ahead log that must survive, so after a crash of the server the
 * sequence could give it again.
 */
export const settleDeadEnd = (state: Settling, deadEnd: number): Settling => ({
  ...state,
  settled: Math.max(state.settled, Math.min(deadEnd, state.dead)),
});

/** The holder that the proof waits for: the one with the lowest floor. */
export const lowestHolder = (
  state: Settling,
): { readonly virtualTransaction: string; readonly floor: number } | null => {
  let lowest: { virtualTransaction: string; floor: number } | null = null;
  for (const [virtualTransaction, floor] of state.floors) {
    if (lowest === null || floor < lowest.floor) lowest = { virtualTransaction, floor };
  }
  return lowest;
};
