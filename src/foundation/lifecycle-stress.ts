import { FactlineError } from './errors.ts';
import type { Startable } from './lifecycle.ts';

/*
 * The edge cases that every unit with a lifecycle must survive. For tests: each unit's test file calls it once.
 */
export interface LifecycleStress<Unit extends Startable> {
  /** A fresh unit; several are made one after another, never two at once. */
  readonly create: () => Unit;
  readonly nothingRuns?: (unit: Unit) => void | Promise<void>;
  readonly works?: (unit: Unit) => void | Promise<void>;
  /** How often start and stop are hammered at random. Default: 20. */
  readonly rounds?: number;
}

const ended = async (promise: Promise<void>): Promise<void> => {
  try {
    await promise;
  } catch (error) {
    // A start that was interrupted says so; anything else is a failure of the unit.
    if (!FactlineError.is(error, 'STOPPED')) throw error;
  }
};

/** Runs a unit through all the orders of start and stop that happen in life; throws at the first that goes wrong. */
export const stressLifecycle = async <Unit extends Startable>(
  stress: LifecycleStress<Unit>,
): Promise<void> => {
  const { create, nothingRuns = () => undefined, works = () => undefined, rounds = 20 } = stress;

  const neverStarted = create();
  await neverStarted.stop();
  await neverStarted.stop();
  await nothingRuns(neverStarted);

  const ordinary = create();
  await Promise.all([ordinary.start(), ordinary.start()]);
  await ordinary.start();
  await works(ordinary);
  await Promise.all([ordinary.stop(), ordinary.stop()]);
  await ordinary.stop();
  await nothingRuns(ordinary);

  await ordinary.start();
  await works(ordinary);
  const restarted = Promise.all([ordinary.stop(), ordinary.start()]);
  await restarted;
  await works(ordinary);
  await ordinary.stop();
  await nothingRuns(ordinary);

  const interrupted = ended(ordinary.start());
  await ordinary.stop();
  await interrupted;
  await nothingRuns(ordinary);

  const hammered = create();
  const calls: Promise<void>[] = [];
  for (let round = 0; round < rounds; round++) {
    // A fixed irregular pattern, so that a failure comes again.
    calls.push(ended((round * 7) % 5 < 3 ? hammered.start() : hammered.stop()));
    if (round % 3 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  await hammered.stop();
  await Promise.all(calls);
  await hammered.stop();
  await nothingRuns(hammered);
  await hammered.start();
  await works(hammered);
  await hammered.stop();
  await nothingRuns(hammered);
};
