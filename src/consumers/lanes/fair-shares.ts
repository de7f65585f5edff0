/** The lanes of one consumer, as far as their distribution is concerned. */
export interface Distribution {
  readonly consumerId: number;
  readonly lanes: number;
  /** Processes that may work it, in rising order of their ids; without one nobody gets a lane. */
  readonly eligible: readonly number[];
  /** How many lanes each process holds now. */
  readonly held: ReadonlyMap<number, number>;
}

/**
 * How many lanes of each consumer each process should hold: consumer id → process id → lanes. Every process computes the
 * same from the same picture. Of one consumer no two processes differ by more than one lane; the lanes left over
 * (every projection has only one) are spread over all processes. Who holds a lane keeps it unless that would be unfair:
 * lanes move when a process joins or leaves, never back and forth.
 */
export const fairShares = (
  distributions: readonly Distribution[],
): ReadonlyMap<number, ReadonlyMap<number, number>> => {
  const remainders = distributions.filter((each) => each.eligible.length > 0);
  const processes = new Set(remainders.flatMap((each) => each.eligible));
  const leftOver = remainders.reduce((sum, each) => sum + (each.lanes % each.eligible.length), 0);
  const quota = Math.ceil(leftOver / Math.max(processes.size, 1));
  const extra = new Map<number, number>();
  const shares = new Map<number, Map<number, number>>();
  for (const each of [...remainders].sort(byFreedom)) {
    const base = Math.floor(each.lanes / each.eligible.length);
    const share = new Map(each.eligible.map((process) => [process, base]));
    for (const process of favoured(each, { base, quota, extra })) {
      share.set(process, base + 1);
      extra.set(process, (extra.get(process) ?? 0) + 1);
    }
    shares.set(each.consumerId, share);
  }
  return shares;
};

/** Consumers that few processes can work come first: what they need cannot go elsewhere. */
const byFreedom = (left: Distribution, right: Distribution): number =>
  left.eligible.length - right.eligible.length || left.consumerId - right.consumerId;

interface Favour {
  readonly base: number;
  readonly quota: number;
  readonly extra: ReadonlyMap<number, number>;
}

/** The processes that get one of the lanes left over: below their quota, holding it already, least burdened. */
const favoured = (each: Distribution, { base, quota, extra }: Favour): readonly number[] => {
  const rank = (process: number): readonly [number, number, number] => {
    const burden = extra.get(process) ?? 0;
    return [burden < quota ? 0 : 1, (each.held.get(process) ?? 0) > base ? 0 : 1, burden];
  };
  const ranked = each.eligible.map((process) => ({ process, rank: rank(process) }));
  ranked.sort((left, right) => {
    const at = left.rank.findIndex((value, index) => value !== right.rank[index]);
    return at < 0 ? left.process - right.process : (left.rank[at] ?? 0) - (right.rank[at] ?? 0);
  });
  return ranked.slice(0, each.lanes % each.eligible.length).map(({ process }) => process);
};
