/** Of each kind, before anything is said about a consumer. */
const countMin = 100;
/** Chance within a round is only known from several. */
const roundsMin = 5;
/** Of each kind and round: more would say no more. */
const countMax = 500;
/**
 * What is slow: slower than all but this share of the live events that had the process to themselves. Other work makes few of them
 * wait, and those for milliseconds: in the middle there is nothing to see of it.
 */
const slowShare = 0.03;
/** So many more may be slow: the 99th percentile of all then grows by about a tenth. */
const moreMax = 0.02;
/** Standard errors that chance does not explain. */
const surely = 2.75;
/** Of one consumer among several: each is another chance to be wrong. */
const surelyOne = 3.5;
/** What is older says nothing about now. */
const windowMs = 60_000;

export interface LiveDelay {
  readonly consumer: string;
  /** Only compared with each other: all may be off by the same. */
  readonly ms: number;
  /** Whether the work that can wait rested. */
  readonly alone: boolean;
  /** Work and rest alternate; both of a round see the same machine. */
  readonly round: number;
  /** Of any monotonic clock, in milliseconds. */
  readonly now: number;
}

interface Round {
  readonly number: number;
  readonly begunAt: number;
  readonly alone: number[];
  readonly beside: number[];
}

/** Live events of one round, and how many of them were slow. */
interface Counts {
  readonly number: number;
  readonly alone: number;
  readonly slowAlone: number;
  readonly beside: number;
  readonly slowBeside: number;
}

/**
 * What work that can wait costs live events of the process: their delays while it goes on are compared with those while it rests, a
 * moment later, so that whatever else keeps the machine busy is in both. What differs from round to round without it (others
 * come in bursts) counts as chance. Pure.
 */
export class LiveCost {
  readonly #rounds = new Map<string, Round[]>();
  #latest = 0;

  note({ consumer, ms, alone, round, now }: LiveDelay): void {
    const rounds = this.#rounds.get(consumer) ?? [];
    this.#rounds.set(consumer, rounds);
    this.#latest = now;
    while (rounds[0] !== undefined && rounds[0].begunAt < now - windowMs) rounds.shift();
    if (rounds.at(-1)?.number !== round) rounds.push({ number: round, begunAt: now, alone: [], beside: [] });
    const delays = rounds.at(-1)?.[alone ? 'alone' : 'beside'] ?? [];
    if (delays.length < countMax) delays.push(ms);
  }

  /** Whether more live events are slow because of it than may be: of one consumer, or of all together. */
  get felt(): boolean {
    const since = this.#latest - windowMs;
    const each = [...this.#rounds.values()].map((rounds) =>
      countsOf(rounds.filter(({ begunAt }) => begunAt >= since)),
    );
    if (each.some((counts) => isFelt(counts, each.length === 1 ? surely : surelyOne))) return true;
    return each.length > 1 && isFelt(each.flat(), surely);
  }

  /** What was seen so far is about another pace. */
  begin(): void {
    this.#rounds.clear();
  }
}

/** Empty where too little is known. */
const countsOf = (rounds: readonly Round[]): readonly Counts[] => {
  const alone = rounds.flatMap((round) => round.alone);
  const beside = rounds.reduce((sum, round) => sum + round.beside.length, 0);
  if (alone.length < countMin || beside < countMin || rounds.length < roundsMin) return [];
  const limit = alone.toSorted((one, other) => other - one)[Math.floor(alone.length * slowShare)] ?? 0;
  const slow = (delays: readonly number[]): number => delays.filter((ms) => ms > limit).length;
  return rounds.map((round) => ({
    number: round.number,
    alone: round.alone.length,
    slowAlone: slow(round.alone),
    beside: round.beside.length,
    slowBeside: slow(round.beside),
  }));
};

const isFelt = (counts: readonly Counts[], sure: number): boolean => {
  if (counts.length === 0) return false;
  const sum = (of: (each: Counts) => number): number => counts.reduce((total, each) => total + of(each), 0);
  const [alone, beside] = [sum((each) => each.alone), sum((each) => each.beside)];
  const shareAlone = sum((each) => each.slowAlone) / alone;
  const shareBeside = sum((each) => each.slowBeside) / beside;
  // How far each round is from the shares of all, what strikes work and rest alike taken off.
  const strayed = [...Map.groupBy(counts, ({ number }) => number).values()].map((round) =>
    round.reduce(
      (total, each) =>
        total +
        (each.slowBeside - shareBeside * each.beside) / beside -
        (each.slowAlone - shareAlone * each.alone) / alone,
      0,
    ),
  );
  const between = Math.sqrt(strayed.reduce((total, each) => total + each ** 2, 0));
  const within = Math.sqrt(slowShare * (1 - slowShare) * (1 / alone + 1 / beside));
  // As Student's t: from few rounds it is not well known how much they differ.
  const unsure = 1 + 4 / strayed.length;
  return shareBeside - shareAlone > Math.max(moreMax, sure * within, sure * between * unsure);
};
