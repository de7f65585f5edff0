import { type Clock, createTelemetry, FactlineError } from '../../foundation/index.ts';
import { createTail } from '../../log/index.ts';
import type { Database } from '../../postgres/index.ts';

const settleMs = 3_000;

/**
 * Up to where nothing can appear in the log any more: a selection that ends there can never gain an event. Waits a moment
 * for transactions that are about to commit.
 */
export const settledPosition = async (
  database: Database,
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<number> => {
  const tail = createTail({ database, clock, telemetry: createTelemetry() });
  await tail.start();
  try {
    const barrier = await tail.barrier();
    await tail.whenSettled(barrier, { withinMs: settleMs, signal });
    return barrier;
  } catch (error) {
    if (FactlineError.is(error, 'WAIT_TIMED_OUT')) return tail.settled;
    throw error;
  } finally {
    await tail.stop();
  }
};
