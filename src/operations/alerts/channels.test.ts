import { createHmac } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { createManualClock, type HttpPost } from '../../foundation/index.ts';
import { sendMessage } from './channels.ts';
import type { AlertMessage } from './due-messages.ts';
import type { AlertReceiver, MailTransport } from './receivers.ts';

const body: AlertMessage = {
  version: 1,
  app: 'shop',
  receiver: 'on-call',
  class: 'consumer-stopped',
  incident: 'FL-03',
  state: 'firing',
  severity: 'page',
  runbook: 'docs/alerts.md#consumer-stopped',
  alerts: [
    {
      id: 1,
      key: 'consumer-stopped:payment:',
      state: 'firing',
      severity: 'page',
      level: 1,
      consumer: 'payment',
      summary: 'payment has stopped: <!channel> & more',
      facts: {},
      metAt: '2026-11-21T10:00:00Z',
      firedAt: '2026-11-21T10:01:00Z',
      resolvedAt: null,
    },
  ],
  more: 2,
};

const clock = createManualClock(new Date(1_764_000_000_000));
const sent: HttpPost[] = [];
const send = (receiver: AlertReceiver, status = 200): Promise<string | null> => {
  sent.length = 0;
  const post = async (request: HttpPost) => {
    sent.push(request);
    return { status, text: 'no such channel' };
  };
  return sendMessage({ clock, post }, receiver, { id: 42, body });
};
const webhook = { kind: 'webhook', url: 'https://a.example/x', secret: 'sixteen letters…' } as const;

describe('the delivery of a message', () => {
  it('to a webhook is signed over the time and the whole body, and numbered so that a repeat can be told', async () => {
    expect(await send({ ...webhook, headers: { authorization: 'Bearer b' } })).toBeNull();
    const [{ headers, body: text } = { headers: {}, body: '' }] = sent;
    const signature = createHmac('sha256', webhook.secret).update(`1764000000.${text}`).digest('hex');
    expect(headers).toEqual({
      authorization: 'Bearer b',
      'content-type': 'application/json',
      'factline-message': '42',
      'factline-signature': `t=1764000000,v1=${signature}`,
    });
    expect(JSON.parse(text)).toMatchObject({ message: 42, version: 1, alerts: [{ consumer: 'payment' }] });
  });

  it('to Slack is text in which nothing becomes a mention', async () => {
    await send({ kind: 'slack', url: 'https://hooks.example/T/B/secret' });
    expect(JSON.parse(sent[0]?.body ?? '')).toEqual({
      text: [
        '*[FIRING] shop: payment has stopped: &lt;!channel&gt; &amp; more (and 2 more)*',
        '● payment has stopped: &lt;!channel&gt; &amp; more (page, since 2026-11-21T10:01:00Z)',
        '… and 2 more: factline alerts list',
      ].join('\n'),
    });
  });

  it('by mail keeps its id when it is sent again, and has one line as its subject', async () => {
    const mails: Parameters<MailTransport['sendMail']>[0][] = [];
    const transport = {
      sendMail: async (mail: Parameters<MailTransport['sendMail']>[0]) => mails.push(mail),
    };
    const receiver = {
      kind: 'email',
      transport,
      from: 'factline@shop.example',
      to: ['a@x.example', 'b@x.example'],
    } as const;
    expect(await send(receiver)).toBeNull();
    await send(receiver);
    expect(mails[0]).toEqual(mails[1]);
    expect(mails[0]).toMatchObject({
      to: 'a@x.example, b@x.example',
      subject: '[FIRING] shop: payment has stopped: <!channel> & more (and 2 more)',
      messageId: '<factline-shop-42@shop.example>',
      text: expect.stringContaining('What to do: docs/alerts.md#consumer-stopped'),
    });
  });

  it('says why it failed, without the address, which may be a secret', async () => {
    expect(await send({ kind: 'slack', url: 'https://hooks.example/T/B/secret' }, 404)).toBe(
      'it answered 404: no such channel',
    );
    expect(await send(webhook, 302)).toMatch(/^it answered 302/);
    const nobody = await sendMessage(
      { clock },
      { ...webhook, url: 'http://127.0.0.1:1/secret' },
      { id: 1, body },
    );
    expect(nobody).not.toContain('secret');
    expect(nobody).not.toBeNull();
    const transport = { sendMail: () => Promise.reject(new Error('550 mailbox unavailable')) };
    expect(await send({ kind: 'email', transport, from: 'a@x.example', to: 'b@x.example' })).toBe(
      '550 mailbox unavailable',
    );
  });
});
