import { type Clock, sleepWith } from './clock.ts';

/** A clock for tests: it stands still until `advance` is called. */
export interface ManualClock extends Clock {
  /** Moves both clocks and runs what became due, in order of time; lets promises settle between two timers. */
  advance(ms: number): Promise<void>;
  /** Timers that are armed and have not fired: zero after a clean stop. */
  readonly armed: number;
}

interface Pending {
  readonly at: number;
  readonly run: () => void;
}

/** Lets every promise that is ready run on. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

export const createManualClock = (wallStart: Date = new Date(0)): ManualClock => {
  const pending = new Set<Pending>();
  let elapsed = 0;
  const timer: Clock['timer'] = (ms, run) => {
    const entry: Pending = { at: elapsed + Math.max(ms, 0), run };
    pending.add(entry);
    return { cancel: () => void pending.delete(entry) };
  };
  const nextDue = (until: number): Pending | undefined => {
    let first: Pending | undefined;
    for (const entry of pending)
      if (entry.at <= until && (first === undefined || entry.at < first.at)) first = entry;
    return first;
  };
  return {
    monotonic: () => elapsed,
    wall: () => new Date(wallStart.getTime() + elapsed),
    timer,
    sleep: (ms, signal) => sleepWith(timer, ms, signal),
    get armed() {
      return pending.size;
    },
    async advance(ms) {
      const until = elapsed + ms;
      await settle();
      for (let due = nextDue(until); due !== undefined; due = nextDue(until)) {
        pending.delete(due);
        elapsed = due.at;
        due.run();
        await settle();
      }
      elapsed = until;
      await settle();
    },
  };
};
