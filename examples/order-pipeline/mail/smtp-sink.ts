import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import type { Readable } from 'node:stream';
import { SMTPServer } from 'smtp-server';

export interface SmtpSink {
  readonly port: number;
  /** How often each Message-ID arrived. SMTP has no idempotency: a mail sent again after a kill arrives again. */
  readonly received: ReadonlyMap<string, number>;
  /** Mails that arrived more than once, the first copy not counted. */
  repeats(): number;
  stop(): Promise<void>;
}

const MESSAGE_ID = /^message-id:\s*(<[^>]+>)\s*$/im;
/** The headers are within this many bytes; the rest of a mail is read and dropped. */
const HEADER_BYTES_MAX = 8 * 1024;

/**
 * A mail server that takes every mail, delivers none, and counts them by Message-ID.
 *
 * @param journal a file that remembers the Message-IDs over restarts of the server
 */
export async function startSmtpSink({ journal }: { journal?: string } = {}): Promise<SmtpSink> {
  const received = new Map<string, number>();
  const count = (id: string): void => void received.set(id, (received.get(id) ?? 0) + 1);
  if (journal !== undefined && existsSync(journal)) {
    for (const id of readFileSync(journal, 'utf8').split('\n')) if (id !== '') count(id);
  }
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['AUTH', 'STARTTLS'],
    disableReverseLookup: true,
    logger: false,
    onData(stream, _session, done) {
      readHeaders(stream).then(
        (headers) => {
          const id = MESSAGE_ID.exec(headers)?.[1] ?? '<none>';
          if (journal !== undefined) appendFileSync(journal, `${id}\n`);
          count(id);
          done();
        },
        (error: Error) => done(error),
      );
    },
  });
  server.on('error', () => {}); // a client that went away in the middle of a mail
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  return {
    port: (server.server.address() as AddressInfo).port,
    received,
    repeats: () => [...received.values()].reduce((sum, times) => sum + times - 1, 0),
    stop: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

async function readHeaders(stream: Readable): Promise<string> {
  let headers = '';
  for await (const chunk of stream) {
    if (headers.length < HEADER_BYTES_MAX) headers += String(chunk);
  }
  const end = headers.indexOf('\r\n\r\n');
  return end === -1 ? headers : headers.slice(0, end);
}
