import { createFactline } from 'factline';
import { createTransport } from 'nodemailer';
import pg from 'pg';
import { expect, it } from 'vitest';
import { createTestDatabase } from '../test/database.ts';
import { startSmtpSink } from './smtp-sink.ts';

it('carries an alert over SMTP by a transport of nodemailer, once, under an id that a repeat would carry again', async () => {
  const database = await createTestDatabase('alert_mail');
  const sink = await startSmtpSink();
  const transport = createTransport({ host: '127.0.0.1', port: sink.port, secure: false, ignoreTLS: true });
  const create = () =>
    createFactline({
      name: 'order-pipeline',
      database: database.url,
      consumers: [],
      handleSignals: false,
      alerts: {
        receivers: {
          mail: {
            kind: 'email',
            transport,
            from: 'factline@shop.example',
            to: ['payments@shop.example', 'on-call@shop.example'],
          },
        },
        groupWait: '0s',
      },
    });
  try {
    await create().publish([]);
    const client = new pg.Client({ connectionString: database.url });
    await client.connect();
    await client.query(
      `insert into factline.alerts (app, dedup_key, class, consumer, severity, state, summary, fired_at)
       values ('order-pipeline', 'dependency-down:payment:', 'dependency-down', 'payment', 'page', 'firing', 'payment is paused by its breaker', now())`,
    );
    await client.end();
    const [app, another] = [create(), create()];
    await Promise.all([app.start(), another.start()]);
    await expect.poll(() => sink.received.size, { timeout: 30_000 }).toBe(1);
    await Promise.all([app.stop(), another.stop()]);
    expect([...sink.received]).toEqual([
      [expect.stringMatching(/^<factline-order-pipeline-\d+@shop\.example>$/), 1],
    ]);
  } finally {
    transport.close();
    await sink.stop();
    await database.drop();
  }
}, 60_000);
