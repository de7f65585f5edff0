import { type Duration, FactlineError, toMilliseconds } from '../../foundation/index.ts';
import type { Severity } from '../burn-rate.ts';
import type { AlertSchedule } from './due-messages.ts';

interface AnyReceiver {
  /** Only alerts of this severity. Default: all. */
  readonly only?: Severity;
  /** Only alerts that have come to this level of on-call: 2 for who is called when the first has not looked, and so on. Default: 1, all. */
  readonly fromLevel?: 1 | 2 | 3 | 4;
  /** How often it hears again of what still fires. Default: that of all. */
  readonly repeatEvery?: Duration;
}

/** JSON by POST, signed: `factline-signature: t=SECONDS,v1=HMAC-SHA256(secret, "SECONDS.BODY")`. */
export interface WebhookReceiver extends AnyReceiver {
  readonly kind: 'webhook';
  readonly url: string;
  /** Shared with the receiver; at least 16 characters. */
  readonly secret: string;
  /** Sent along; an authorization, for instance. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** An incoming webhook of Slack, or of what understands the same: Mattermost, Rocket.Chat, Discord (`…/slack`). */
export interface SlackReceiver extends AnyReceiver {
  readonly kind: 'slack';
  readonly url: string;
}

/** A transport of nodemailer has this form; so may anything else that sends mail. */
export interface MailTransport {
  sendMail(mail: {
    readonly from: string;
    readonly to: string;
    readonly subject: string;
    readonly text: string;
    readonly messageId: string;
    readonly headers: Readonly<Record<string, string>>;
  }): Promise<unknown>;
}

export interface EmailReceiver extends AnyReceiver {
  readonly kind: 'email';
  /** `nodemailer.createTransport('smtps://user:password@mail.example')` */
  readonly transport: MailTransport;
  readonly from: string;
  readonly to: string | readonly string[];
}

export type AlertReceiver = WebhookReceiver | SlackReceiver | EmailReceiver;

export interface AlertOptions {
  /** Who is told, by a name that people know: `{ onCall: { kind: 'webhook', … } }`. A renamed one counts as another. */
  readonly receivers: Readonly<Record<string, AlertReceiver>>;
  /** How long others of its class may join an alert's first message. Default: 30s. */
  readonly groupWait?: Duration;
  /** At least so long between two messages of a class. Default: 5m. */
  readonly groupInterval?: Duration;
  /** How often receivers hear again of what still fires. Default: 4h. */
  readonly repeatEvery?: Duration;
}

export interface CheckedReceiver {
  readonly name: string;
  readonly receiver: AlertReceiver;
  readonly only: Severity | null;
  readonly fromLevel: number;
  readonly schedule: AlertSchedule;
}

const known = ['receivers', 'groupWait', 'groupInterval', 'repeatEvery'];
const knownOf: Readonly<Record<AlertReceiver['kind'], readonly string[]>> = {
  webhook: ['url', 'secret', 'headers'],
  slack: ['url'],
  email: ['transport', 'from', 'to'],
};
const secretMin = 16;
/** As escalationLevel (triage/service-level.ts) has them; every other alert is of the first. */
const levels: readonly number[] = [1, 2, 3, 4];
const nameForm = /^[A-Za-z0-9][\w.-]{0,63}$/;

/** @throws FactlineError OPTION_INVALID, naming the option and never its value: that may be a secret. */
export const checkAlerts = (given: AlertOptions): readonly CheckedReceiver[] => {
  const options = fieldsOf('alerts', given, known);
  const schedule = {
    groupWaitMs: time(options, 'groupWait', '30s'),
    groupIntervalMs: time(options, 'groupInterval', '5m'),
    repeatEveryMs: time(options, 'repeatEvery', '4h'),
  };
  const receivers = record('alerts.receivers', options['receivers']);
  return Object.entries(receivers).map(([name, value]) => {
    const place = `alerts.receivers.${name}`;
    if (!nameForm.test(name))
      throw invalid(place, 'a name of letters, digits, dots, dashes and underscores', 'another one');
    return checkReceiver(place, name, { value, schedule });
  });
};

const checkReceiver = (
  place: string,
  name: string,
  { value, schedule }: { readonly value: unknown; readonly schedule: AlertSchedule },
): CheckedReceiver => {
  const { kind } = record(place, value);
  if (typeof kind !== 'string' || !Object.hasOwn(knownOf, kind))
    throw invalid(`${place}.kind`, `one of ${Object.keys(knownOf).join(', ')}`, kindOf(kind));
  const names = knownOf[kind as AlertReceiver['kind']];
  const fields = fieldsOf(place, value, ['kind', 'only', 'fromLevel', 'repeatEvery', ...names]);
  const { only, fromLevel = 1 } = fields;
  if (only !== undefined && only !== 'page' && only !== 'ticket')
    throw invalid(`${place}.only`, 'page or ticket', kindOf(only));
  if (!levels.includes(fromLevel as number))
    throw invalid(`${place}.fromLevel`, `a level of on-call, ${levels.join(', ')}`, kindOf(fromLevel));
  checks[kind as AlertReceiver['kind']](place, fields);
  const { repeatEvery } = fields;
  const repeatEveryMs =
    repeatEvery === undefined
      ? schedule.repeatEveryMs
      : toMilliseconds(repeatEvery as Duration, `${place}.repeatEvery`);
  return {
    name,
    receiver: value as AlertReceiver,
    only: only ?? null,
    fromLevel: fromLevel as number,
    schedule: { ...schedule, repeatEveryMs },
  };
};

type Fields = Readonly<Record<string, unknown>>;

const checks: Readonly<Record<AlertReceiver['kind'], (place: string, fields: Fields) => void>> = {
  webhook: (place, fields) => {
    webAddress(place, fields);
    const { secret, headers } = fields;
    if (typeof secret !== 'string' || secret.length < secretMin)
      throw invalid(
        `${place}.secret`,
        `a text of at least ${secretMin} characters, by which the receiver knows the sender`,
        typeof secret === 'string' ? `one of ${secret.length}` : kindOf(secret),
      );
    if (headers === undefined) return;
    for (const [name, value] of Object.entries(record(`${place}.headers`, headers)))
      if (typeof value !== 'string') throw invalid(`${place}.headers.${name}`, 'a text', kindOf(value));
  },
  slack: webAddress,
  email: (place, { transport, from, to }) => {
    if (typeof (transport as Partial<MailTransport> | undefined)?.sendMail !== 'function')
      throw invalid(
        `${place}.transport`,
        'an object with sendMail, such as that of nodemailer.createTransport',
        kindOf(transport),
      );
    for (const [name, value] of [
      ['from', [from]],
      ['to', Array.isArray(to) ? to : [to]],
    ] as const)
      if (value.length === 0 || !value.every((each) => typeof each === 'string' && each.includes('@')))
        throw invalid(`${place}.${name}`, 'an e-mail address', kindOf(name === 'from' ? from : to));
  },
};

function webAddress(place: string, { url }: Fields): void {
  const address = typeof url === 'string' && URL.canParse(url) ? new URL(url) : null;
  if (address === null || !['http:', 'https:'].includes(address.protocol))
    throw invalid(`${place}.url`, 'an http or https address', kindOf(url));
  if (address.username !== '' || address.password !== '')
    throw invalid(`${place}.url`, 'an address without a user: use headers', 'one with a user');
}

const time = (fields: Fields, name: string, fallback: Duration): number =>
  toMilliseconds((fields[name] ?? fallback) as Duration, `alerts.${name}`);

const record = (place: string, value: unknown): Fields => {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw invalid(place, 'an object', kindOf(value));
  return value as Fields;
};

const fieldsOf = (place: string, value: unknown, allowed: readonly string[]): Fields => {
  const fields = record(place, value);
  for (const name of Object.keys(fields))
    if (!allowed.includes(name))
      throw invalid(`${place}.${name}`, `one of ${allowed.join(', ')}`, 'an unknown option');
  return fields;
};

const kindOf = (value: unknown): string =>
  value === undefined
    ? 'nothing'
    : value === null
      ? 'null'
      : Array.isArray(value)
        ? 'an array'
        : `a ${typeof value}`;

const invalid = (option: string, expected: string, actual: string): FactlineError =>
  new FactlineError('OPTION_INVALID', { option, expected, actual });
