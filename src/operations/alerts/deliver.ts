import { loadQueries, type Queryable, run } from '../../postgres/index.ts';
import { type Channel, sendMessage } from './channels.ts';
import type { AlertMessage } from './due-messages.ts';
import type { CheckedReceiver } from './receivers.ts';

const sql = loadQueries<'claim_messages' | 'delivered' | 'not_delivered'>(
  new URL('./alerts.sql', import.meta.url),
);

export interface DeliveryOptions extends Channel {
  readonly app: string;
  readonly receivers: readonly CheckedReceiver[];
}

export interface Delivered {
  readonly receiver: string;
  readonly message: number;
  readonly attempt: number;
  /** Null: the receiver has taken it. */
  readonly failure: string | null;
}

/** Longer than any delivery takes; a process that dies in the middle holds a message up for so long. */
const claimMs = 60_000;
const messagesMax = 20;

/**
 * Delivers what waits for the receivers, each message by one process at a time. A message whose delivery is in doubt is sent again under the
 * same number; one that can't be delivered waits, and is tried again at longer and longer intervals.
 */
export const deliverAlerts = async (
  on: Queryable,
  options: DeliveryOptions,
): Promise<readonly Delivered[]> => {
  const { app, receivers } = options;
  if (receivers.length === 0) return [];
  const names = receivers.map(({ name }) => name);
  const claimed = await run(on, sql.claim_messages, [app, names, claimMs, messagesMax]);
  return Promise.all(
    claimed.map(async (row) => {
      const id = Number(row['id']);
      const receiver = String(row['receiver']);
      const found = receivers.find(({ name }) => name === receiver) as CheckedReceiver;
      const failure = await sendMessage(options, found.receiver, { id, body: row['body'] as AlertMessage });
      if (failure === null) await run(on, sql.delivered, [id]);
      else await run(on, sql.not_delivered, [id, failure]);
      return { receiver, message: id, attempt: Number(row['attempts']), failure };
    }),
  );
};
