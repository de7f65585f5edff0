/**
 * Burn rates by the two-window rules of the SRE workbook: an error budget of thirty days that is spent 14.4 times as fast as it
 * would last is gone in two days. The long window says that it matters, the short one that it is still going on.
 */

/** How one window was sampled. */
export interface WindowFacts {
  readonly seconds: number;
  /** How much of it samples speak for. */
  readonly coveredMs: number;
  readonly events: number;
  /** Late or quarantined. */
  readonly failed: number;
}

export type Severity = 'page' | 'ticket';

export interface BurnRule {
  readonly rate: number;
  readonly longSeconds: number;
  readonly shortSeconds: number;
  /** page: somebody is called. ticket: somebody looks at it on the next working day. */
  readonly severity: Severity;
}

const minute = 60;
const hour = 60 * minute;
const day = 24 * hour;

export const burnRules: readonly BurnRule[] = [
  { rate: 14.4, longSeconds: hour, shortSeconds: 5 * minute, severity: 'page' },
  { rate: 6, longSeconds: 6 * hour, shortSeconds: 30 * minute, severity: 'page' },
  { rate: 3, longSeconds: day, shortSeconds: 2 * hour, severity: 'ticket' },
  { rate: 1, longSeconds: 3 * day, shortSeconds: 6 * hour, severity: 'ticket' },
];

/** Windows up to here are summed up from minutes, longer ones from hours. */
const minutesMaxSeconds = 6 * hour;
const windowSeconds: readonly number[] = [
  ...new Set(burnRules.flatMap(({ longSeconds, shortSeconds }) => [longSeconds, shortSeconds])),
];
export const windowsOfMinutes: readonly number[] = windowSeconds.filter((each) => each <= minutesMaxSeconds);
export const windowsOfHours: readonly number[] = windowSeconds.filter((each) => each > minutesMaxSeconds);

/** Less of a window seen than this, and nothing is said of it. */
const coverageMin = 0.8;
/** A budget of nothing is burnt infinitely fast by the first event that fails. */
const burnMax = 1_000_000;

export interface WindowBurn {
  readonly seconds: number;
  /** Times the rate at which the budget lasts thirty days; null: less than 80 % of the window was sampled. */
  readonly burn: number | null;
  /** The sampled share of the window. */
  readonly coverage: number;
}

/** UNKNOWN: too little of one of the windows was sampled; what was not seen may be what matters. */
export type BurnState = 'BURNING' | 'OK' | 'UNKNOWN';

export interface BurnRate {
  readonly rate: number;
  readonly severity: Severity;
  readonly state: BurnState;
  readonly long: WindowBurn;
  readonly short: WindowBurn;
}

/** @example burnRates(facts.windows, 0.01).some(({ state }) => state === 'BURNING') */
export const burnRates = (windows: readonly WindowFacts[], errorBudget: number): readonly BurnRate[] =>
  burnRules.map(({ rate, severity, longSeconds, shortSeconds }) => {
    const long = burnOf(windows, longSeconds, errorBudget);
    const short = burnOf(windows, shortSeconds, errorBudget);
    return { rate, severity, state: stateOf(rate, long, short), long, short };
  });

const stateOf = (rate: number, long: WindowBurn, short: WindowBurn): BurnState => {
  if (long.burn === null || short.burn === null) return 'UNKNOWN';
  return Math.min(long.burn, short.burn) >= rate ? 'BURNING' : 'OK';
};

const burnOf = (windows: readonly WindowFacts[], seconds: number, errorBudget: number): WindowBurn => {
  const found = windows.find((window) => window.seconds === seconds);
  const coverage = found === undefined ? 0 : Math.min(1, found.coveredMs / (seconds * 1_000));
  const rounded = Math.floor(coverage * 1_000) / 1_000;
  if (found === undefined || coverage < coverageMin) return { seconds, burn: null, coverage: rounded };
  const { events, failed } = found;
  // What is quarantined now may have been written before the window.
  const share = failed === 0 ? 0 : failed / Math.max(events, failed);
  const burn = share === 0 ? 0 : Math.min(burnMax, share / errorBudget);
  return { seconds, burn: Math.round(burn * 100) / 100, coverage: rounded };
};
