import { createHash } from 'node:crypto';
import { createTransport } from 'nodemailer';

export interface Mail {
  readonly to: string;
  readonly subject: string;
  readonly text: string;
  /** The effect's idempotency key: a mail sent again carries the same Message-ID. */
  readonly idempotencyKey: string;
}

export interface Mailer {
  /** Resolves with the Message-ID once the mail server has taken the mail. */
  send(mail: Mail): Promise<string>;
  stop(): void;
}

const CONNECTIONS_MAX = 4;
const TIMEOUT_MS = 10_000;

export function createMailer(smtpUrl: string): Mailer {
  const { hostname, port } = new URL(smtpUrl);
  const transport = createTransport({
    pool: true,
    host: hostname,
    port: Number(port),
    secure: false,
    ignoreTLS: true,
    maxConnections: CONNECTIONS_MAX,
    maxMessages: Number.POSITIVE_INFINITY,
    connectionTimeout: TIMEOUT_MS,
    socketTimeout: TIMEOUT_MS,
  });
  return {
    async send({ to, subject, text, idempotencyKey }) {
      const messageId = messageIdOf(idempotencyKey);
      await transport.sendMail({ from: 'Orders <orders@shop.example>', to, subject, text, messageId });
      return messageId;
    },
    stop: () => transport.close(),
  };
}

/** A key may hold characters that a Message-ID may not, so it goes in as a digest. */
export function messageIdOf(idempotencyKey: string): string {
  return `<${createHash('sha256').update(idempotencyKey).digest('hex').slice(0, 40)}@shop.example>`;
}
