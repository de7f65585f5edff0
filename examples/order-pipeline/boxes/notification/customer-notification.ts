import { defineHandler, type EventOf, type HandlerContext } from 'factline';
import { OrderCancelled, OrderPlaced, OrderStopped } from '../../contracts/index.ts';
import { formatPounds } from '../../input/index.ts';
import type { Mailer } from '../../mail/mailer.ts';

type Notified = EventOf<typeof OrderPlaced> | EventOf<typeof OrderCancelled> | EventOf<typeof OrderStopped>;

interface Notification {
  readonly kind: 'order received' | 'order cancelled' | 'order stopped';
  readonly customerId: string;
  readonly subject: string;
  readonly text: string;
}

/**
 * Writes to the customer. A mail is an outside effect: sent at least once, always under the same Message-ID, and a
 * retry that finds it recorded as sent does not send it again.
 */
export function customerNotification({ mailer }: { mailer: Mailer }) {
  return defineHandler({
    name: 'customer-notification',
    owner: 'customer-care',
    on: [OrderPlaced, OrderCancelled, OrderStopped],
    reads: {
      [OrderPlaced.type]: ['orderId', 'customerId', 'totalPence', 'lines'],
      [OrderCancelled.type]: ['orderId', 'customerId', 'pence', 'cancellationId'],
      [OrderStopped.type]: ['orderId', 'reason'],
    },
    startAt: 'beginning',
    onReplay: 'execute', // a mail that was lost on its way may be sent again
    concurrency: 8,
    handle: async (event, { db, effect, transaction, replay }) => {
      const notification = await wordNotification(event, db);
      if (notification === null) return;
      const { kind, customerId, subject, text } = notification;
      const to = `customer-${customerId}@shop.example`;
      const messageId = await effect('mail', ({ idempotencyKey }) =>
        mailer.send({ to, subject, text, idempotencyKey }),
      );
      await transaction((tx) =>
        tx.query(
          `insert into notification.notifications (event_id, order_id, customer_id, kind, message_id)
           values ($1, $2, $3, $4, $5) ${replay === null ? '' : 'on conflict (event_id) do update set message_id = excluded.message_id'}`,
          [event.id, event.data.orderId, customerId, kind, messageId],
        ),
      );
    },
  });
}

async function wordNotification(event: Notified, db: HandlerContext['db']): Promise<Notification | null> {
  const { orderId } = event.data;
  if (OrderPlaced.is(event)) {
    const { customerId, totalPence, lines } = event.data;
    const text = `We have received your order ${orderId}: ${lines.length} lines, £${formatPounds(totalPence)}.`;
    return { kind: 'order received', customerId, subject: `Your order ${orderId}`, text };
  }
  if (OrderCancelled.is(event)) {
    const { customerId, pence, cancellationId } = event.data;
    const text = `Cancellation ${cancellationId} takes £${formatPounds(pence)} off your order ${orderId}.`;
    return { kind: 'order cancelled', customerId, subject: `Your order ${orderId}: cancelled`, text };
  }
  if (event.data.reason === 'cancelled') return null; // the cancellation's own mail has said so
  const { rows } = await db.query(
    'select customer_id as "customerId" from notification.notifications where order_id = $1 limit 1',
    [orderId],
  );
  const customerId = (rows as Array<{ customerId: string }>)[0]?.customerId ?? 'unknown';
  const text = `We cannot deliver your order ${orderId}: ${event.data.reason}.`;
  return { kind: 'order stopped', customerId, subject: `Your order ${orderId}`, text };
}
