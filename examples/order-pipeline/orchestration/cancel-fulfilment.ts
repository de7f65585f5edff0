import { type Factline, FactlineError, TransientError } from 'factline';
import type { fulfilOrder } from './fulfil-order.ts';

/** In these it works; in all others it has ended, or takes back what it did already. */
const AT_WORK: ReadonlySet<string> = new Set(['queued', 'running', 'waiting', 'stuck']);

/**
 * Asks the order's workflow to take back what it did. Nothing happens when it has ended; when it has not begun yet, it will
 * find that fulfilment has stopped the order.
 */
export async function cancelFulfilment(
  app: Pick<Factline, 'workflow'>,
  workflow: ReturnType<typeof fulfilOrder>,
  orderId: string,
): Promise<void> {
  const instance = await app.workflow(workflow, { key: orderId }).catch((error: unknown) => {
    if (FactlineError.is(error, 'WORKFLOW_INSTANCE_UNKNOWN')) return null;
    throw error;
  });
  try {
    await instance?.cancel('the order was cancelled whole');
  } catch (cause) {
    // It may have ended meanwhile, or its owner may have died before it answered.
    if (instance !== null && AT_WORK.has(await instance.status()))
      throw new TransientError(`the workflow of order ${orderId} has not been cancelled yet`, { cause });
  }
}
