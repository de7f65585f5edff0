import { z } from 'zod';
import { createFactline, defineCommand, defineEvent, defineHandler, type Factline } from '../../src/index.ts';

/** A command for tests over several processes. */
const schema = z.object({ orderId: z.string() });
export const Charged = defineEvent({ type: 'payments.card.charged.v1', key: 'orderId', schema });
export const ChargeCard = defineCommand({
  type: 'payments.card.charge.v1',
  key: 'orderId',
  schema,
  replies: [Charged],
  within: '50s',
});

export const requesting = (database: string): Factline =>
  createFactline({ name: 'shop', database, consumers: [], contracts: [ChargeCard], handleSignals: false });

/** `beforeCommit` is reached with the reply published and not committed. */
export const charging = (database: string, beforeCommit: () => Promise<void>): Factline =>
  createFactline({
    name: 'payments',
    database,
    handleSignals: false,
    consumers: [
      defineHandler({
        name: 'payment',
        on: ChargeCard,
        handle: ({ data }, { transaction }) =>
          transaction(async (tx) => {
            tx.publish(Charged(data));
            await beforeCommit();
          }),
      }),
    ],
  });
