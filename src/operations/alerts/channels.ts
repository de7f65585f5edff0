import { createHmac } from 'node:crypto';
import {
  type Clock,
  type HttpAnswer,
  type HttpPost,
  httpFailure,
  httpPost,
  withDeadline,
} from '../../foundation/index.ts';
import type { AlertMessage } from './due-messages.ts';
import type { AlertReceiver, EmailReceiver, SlackReceiver, WebhookReceiver } from './receivers.ts';

/** What one delivery needs; tests replace `post`. */
export interface Channel {
  readonly clock: Clock;
  readonly post?: (request: HttpPost) => Promise<HttpAnswer>;
}

/** A message as it is sent: its number stays the same when it is sent again, so that receivers can tell. */
export interface NumberedMessage {
  readonly id: number;
  readonly body: AlertMessage;
}

const timeoutMs = 10_000;

/** Resolves when the receiver has taken the message, with null, or says in a sentence why it did not; never rejects. */
export const sendMessage = async (
  channel: Channel,
  receiver: AlertReceiver,
  message: NumberedMessage,
): Promise<string | null> => {
  try {
    switch (receiver.kind) {
      case 'webhook':
        return await sendWebhook(channel, receiver, message);
      case 'slack':
        return await sendSlack(channel, receiver, message);
      case 'email':
        return await sendEmail(channel, receiver, message);
    }
  } catch (error) {
    return httpFailure(error, timeoutMs);
  }
};

const postTo = async (channel: Channel, request: Omit<HttpPost, 'timeoutMs'>): Promise<string | null> => {
  const { post = httpPost } = channel;
  const { status, text } = await post({ ...request, timeoutMs });
  return status >= 200 && status < 300 ? null : `it answered ${status}: ${text.slice(0, 200)}`;
};

/** @example signatureOf('the secret', 1764000000, body) // 't=1764000000,v1=5f3c…' */
export const signatureOf = (secret: string, seconds: number, body: string): string =>
  `t=${seconds},v1=${createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex')}`;

const sendWebhook = (
  channel: Channel,
  { url, secret, headers = {} }: WebhookReceiver,
  { id, body }: NumberedMessage,
): Promise<string | null> => {
  const text = JSON.stringify({ message: id, ...body });
  const seconds = Math.floor(channel.clock.wall().getTime() / 1_000);
  return postTo(channel, {
    url,
    body: text,
    headers: {
      ...headers,
      'content-type': 'application/json',
      'factline-message': String(id),
      'factline-signature': signatureOf(secret, seconds, text),
    },
  });
};

const sendSlack = (
  channel: Channel,
  { url }: SlackReceiver,
  { body }: NumberedMessage,
): Promise<string | null> =>
  postTo(channel, {
    url,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ text: [`*${escaped(headline(body))}*`, ...lines(body).map(escaped)].join('\n') }),
  });

/** What Slack would take for links and mentions. */
const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

const sendEmail = async (
  channel: Channel,
  { transport, from, to }: EmailReceiver,
  { id, body }: NumberedMessage,
): Promise<null> => {
  const domain = from.slice(from.lastIndexOf('@') + 1).replace(/[^\w.-]/g, '');
  const sending = transport.sendMail({
    from,
    to: typeof to === 'string' ? to : to.join(', '),
    subject: oneLine(headline(body)),
    text: `${[...lines(body), '', `What to do: ${body.runbook}`].join('\n')}\n`,
    messageId: `<factline-${body.app.replace(/[^\w-]/g, '-')}-${id}@${domain}>`,
    headers: { 'X-Factline-Message': String(id) },
  });
  await withDeadline(sending, { ms: timeoutMs * 3, clock: channel.clock, stage: 'sending mail' });
  return null;
};

const oneLine = (text: string): string => text.replace(/[\r\n]+/g, ' ').slice(0, 200);

/** What people read first. */
const headline = ({ app, state, severity, alerts, more }: AlertMessage): string => {
  const firing = alerts.filter((alert) => alert.state === 'firing');
  const [first] = firing.length > 0 ? firing : alerts;
  const others = (firing.length > 0 ? firing.length : alerts.length) + more - 1;
  const rest = others > 0 ? ` (and ${others} more)` : '';
  const word = state === 'resolved' ? 'RESOLVED' : severity === 'page' ? 'FIRING' : 'TICKET';
  return `[${word}] ${app}: ${first?.summary ?? ''}${rest}`;
};

const lines = ({ alerts, more }: AlertMessage): string[] => [
  ...alerts.map(({ state, severity, summary, firedAt, resolvedAt }) => {
    const until = resolvedAt === null ? '' : `, until ${resolvedAt}`;
    return `${state === 'firing' ? '●' : '✓'} ${oneLine(summary)} (${severity}, since ${firedAt}${until})`;
  }),
  ...(more > 0 ? [`… and ${more} more: factline alerts list`] : []),
];
