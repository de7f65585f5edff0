/** What the tail knows when it decides how long to wait for the next read. */
export interface PollingSituation {
  /** Milliseconds since something was last delivered or a wake-up came. */
  readonly silenceMs: number;
  /** Reads in a row that met an unfinished position (a hole, or one given and not yet visible); 0 when there is none. */
  readonly unfinishedReads: number;
  /** Wake-ups of other processes arrive on the direct session. */
  readonly listening: boolean;
}

/** An unfinished position is usually one commit away; the read costs about 0.3 ms. */
const unfinishedMsMin = 2;
const unfinishedMsMax = 20;
const unfinishedGrowth = 1.4;
/** With LISTEN polling is only the net below lost notifications: one statement a second when idle. */
const listening = { share: 1 / 2, msMin: 5, msMax: 1000 } as const;
/** Without LISTEN polling finds everything: eight statements a second when idle. */
const deaf = { share: 1 / 4, msMin: 2, msMax: 125 } as const;

const clamp = (value: number, min: number, max: number): number => Math.min(Math.max(value, min), max);

/** Milliseconds until the next read, unless a wake-up comes first. */
export const pollDelayMs = (situation: PollingSituation): number => {
  const { silenceMs, unfinishedReads } = situation;
  if (unfinishedReads > 0)
    return Math.min(unfinishedMsMin * unfinishedGrowth ** Math.min(unfinishedReads - 1, 20), unfinishedMsMax);
  const net = situation.listening ? listening : deaf;
  return clamp(silenceMs * net.share, net.msMin, net.msMax);
};

const reconnectMsMin = 100;
const reconnectMsMax = 5000;

/** Milliseconds before the attempt that follows `failures` failed ones to connect. */
export const reconnectDelayMs = (failures: number): number =>
  Math.min(reconnectMsMin * 2 ** Math.min(Math.max(failures - 1, 0), 10), reconnectMsMax);
