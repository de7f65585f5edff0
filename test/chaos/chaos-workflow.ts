import { defineEvent, defineWorkflow, PermanentError, TransientError } from 'factline';
import { z } from 'zod';

const order = z.object({ orderId: z.string(), number: z.int() });

export const Ordered = defineEvent({ type: 'chaos.order.ordered.v1', key: 'orderId', schema: order });
export const Confirmed = defineEvent({ type: 'chaos.order.confirmed.v1', key: 'orderId', schema: order });
export const Ended = defineEvent({
  type: 'chaos.order.ended.v1',
  key: 'orderId',
  schema: z.object({ orderId: z.string() }),
});

/** How an order has to end. Its number decides, so that whoever audits it knows as well. */
export type Fate = 'confirmed' | 'nobody confirms' | 'fails';
export const fateOf = (number: number): Fate =>
  number % 10 === 3 ? 'fails' : number % 10 === 7 ? 'nobody confirms' : 'confirmed';

export const orderIdOf = (number: number): string => `order-${number}`;

const sleepMsMax = 2_000;

interface Call {
  readonly idempotencyKey: string;
  readonly signal: AbortSignal;
}

const ask =
  (url: string, orderId: string) =>
  async (name: string, { idempotencyKey, signal }: Call): Promise<string> => {
    try {
      const response = await fetch(url, {
        method: 'POST',
        headers: { 'Idempotency-Key': idempotencyKey },
        body: JSON.stringify({ orderId, name }),
        signal,
      });
      if (response.ok) return await response.text();
    } catch (cause) {
      throw new TransientError('outside: no answer', { cause });
    }
    throw new TransientError('outside: not now');
  };

/** Five steps, a timer and a wait; what three of them did can be taken back. */
export const fulfilment = (outsideUrl: string) =>
  defineWorkflow({
    name: 'fulfilment',
    on: Ordered,
    waits: Confirmed,
    // Who lives for three seconds at most must not begin more than it can end.
    concurrency: 20,
    retry: { attempts: 50, firstDelay: '50ms', maxDelay: '500ms' },
    run: async ({ data: { orderId, number } }, { step, sleep, waitFor, publish }) => {
      const outside = ask(outsideUrl, orderId);
      const undo = (name: string) => (_: unknown, call: Call) => outside(`undo ${name}`, call).then(() => {});
      await step('reserve', (call) => outside('reserve', call), { undo: undo('reserve') });
      await step.transaction(
        'book',
        async (tx) => void (await tx.query('insert into bookings values ($1)', [orderId])),
        { undo: undo('book') },
      );
      await sleep(`${(number * 7919) % sleepMsMax}ms`);
      await step('charge', (call) => outside('charge', call), { undo: undo('charge') });
      const silent = fateOf(number) === 'nobody confirms';
      const confirmed = await waitFor(Confirmed, { key: orderId, within: silent ? '1s' : '1h' });
      await step('pack', (call) => outside('pack', call));
      await step('ship', async (call) => {
        if (fateOf(number) === 'fails') throw new PermanentError('it does not fit into the van');
        return outside('ship', call);
      });
      publish(Ended({ orderId }));
      return confirmed === null ? 'nobody confirms' : 'confirmed';
    },
  });
