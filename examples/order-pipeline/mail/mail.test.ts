import { afterEach, expect, it } from 'vitest';
import { createMailer, type Mailer, messageIdOf } from './mailer.ts';
import { type SmtpSink, startSmtpSink } from './smtp-sink.ts';

let sink: SmtpSink | undefined;
let mailer: Mailer | undefined;
afterEach(async () => {
  mailer?.stop();
  await sink?.stop();
});

it('counts mails by Message-ID, repeats apart, and a retry carries the same one', async () => {
  sink = await startSmtpSink();
  mailer = createMailer(`smtp://127.0.0.1:${sink.port}`);
  const mail = {
    to: 'customer-1@shop.example',
    subject: 'Your order',
    text: '£12.00',
    idempotencyKey: 'k/1 ü',
  };
  const first = await mailer.send(mail);
  await mailer.send(mail);
  await mailer.send({ ...mail, idempotencyKey: 'k/2' });
  expect(sink.received).toEqual(
    new Map([
      [first, 2],
      [messageIdOf('k/2'), 1],
    ]),
  );
  expect(sink.repeats()).toBe(1);
});
