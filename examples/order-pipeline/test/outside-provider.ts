import { createServer, type Server } from 'node:http';
import { text } from 'node:stream/consumers';
import type { Outside } from 'factline/testing';
import { type Mailer, messageIdOf } from '../mail/mailer.ts';

/** The payment provider over HTTP, in front of the outside world of an exploration: it honours idempotency keys. */
export interface OutsideProvider {
  /** The provider's address for one life of the pipeline. */
  urlFor(outside: Outside): string;
  stop(): Promise<void>;
}

interface Booking {
  readonly orderId: string;
  readonly pence: number;
}

const declined = 'DECLINED';
/** Orders whose number ends so are declined. */
export const declinedOrder = `A-${declined}`;

const book = (
  outside: Outside,
  action: string,
  booking: Booking & { idempotencyKey: string | undefined },
) => {
  const { orderId, pence } = booking;
  const kind = action === 'refunds' ? 'refund' : 'charge';
  const status = kind === 'refund' ? 'refunded' : orderId.endsWith(declined) ? 'declined' : 'captured';
  return outside.call(
    status === 'declined' ? 'decline' : kind,
    { ...booking },
    { id: `${kind}-${orderId}`, status, pence },
  );
};

export async function startOutsideProvider(): Promise<OutsideProvider> {
  const doors: Outside[] = [];
  const server: Server = createServer((request, response) => {
    const [, door = '', action = ''] = (request.url ?? '').split('/');
    const idempotencyKey = request.headers['idempotency-key'] as string | undefined;
    void text(request)
      .then((body) =>
        book(doors[Number(door)] as Outside, action, { ...(JSON.parse(body) as Booking), idempotencyKey }),
      )
      .then((answer) => response.setHeader('Content-Type', 'application/json').end(JSON.stringify(answer)));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  return {
    urlFor: (outside) => `http://127.0.0.1:${port}/${doors.push(outside) - 1}`,
    stop: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Mails of an exploration: the Message-ID is all that a mail server could tell a repeat by. */
export const outsideMailer = (outside: Outside): Mailer => ({
  send: ({ to, subject, idempotencyKey }) =>
    outside.call('mail', { idempotencyKey, to, subject }, messageIdOf(idempotencyKey)),
  stop: () => {},
});
