import { describe, expect, it } from 'vitest';
import { FactlineError } from '../../foundation/index.ts';
import { type AlertOptions, checkAlerts } from './receivers.ts';

const webhook = { kind: 'webhook', url: 'https://a.example/x', secret: 'a secret of letters' } as const;
const refusal = (given: unknown): string => {
  try {
    checkAlerts(given as AlertOptions);
    return '';
  } catch (error) {
    if (!FactlineError.is(error, 'OPTION_INVALID')) throw error;
    return error.message;
  }
};
const receiver = (fields: object): unknown => ({ receivers: { onCall: { ...webhook, ...fields } } });

describe('the alerts of an app', () => {
  it('have defaults, for all and for each receiver', () => {
    const transport = { sendMail: async () => undefined };
    const checked = checkAlerts({
      receivers: {
        onCall: { ...webhook, only: 'page', repeatEvery: '30m' },
        team: { kind: 'slack', url: 'https://hooks.example/x' },
        mail: { kind: 'email', transport, from: 'a@x.example', to: ['b@x.example'] },
      },
      groupWait: '0s',
    });
    expect(
      checked.map(({ name, only, schedule }) => [name, only, schedule.groupWaitMs, schedule.repeatEveryMs]),
    ).toEqual([
      ['onCall', 'page', 0, 1_800_000],
      ['team', null, 0, 14_400_000],
      ['mail', null, 0, 14_400_000],
    ]);
    expect(checked[1]?.schedule.groupIntervalMs).toBe(300_000);
  });

  it('are refused with the place that is wrong, and never with a secret in the message', () => {
    expect(refusal([])).toContain('option alerts is not valid: expected an object, got an array');
    expect(refusal({})).toContain('alerts.receivers is not valid: expected an object, got nothing');
    expect(refusal({ receivers: {}, every: '1s' })).toContain('alerts.every');
    expect(refusal({ receivers: { 'a b': webhook } })).toContain('alerts.receivers.a b');
    expect(refusal(receiver({ kind: 'pager' }))).toContain(
      'alerts.receivers.onCall.kind is not valid: expected one of webhook, slack, email',
    );
    expect(refusal(receiver({ secret: 'short-secret' }))).toMatch(/onCall\.secret .* got one of 12/);
    expect(refusal(receiver({ secret: 'short-secret' }))).not.toContain('short-secret');
    expect(refusal(receiver({ secret: undefined }))).toContain('got nothing');
    expect(refusal(receiver({ url: 'ftp://a.example' }))).toContain('onCall.url');
    expect(refusal(receiver({ url: 'https://me:pass@a.example' }))).not.toContain('pass@');
    expect(refusal(receiver({ headers: { a: 1 } }))).toContain('onCall.headers.a');
    expect(refusal(receiver({ only: 'sms' }))).toContain('onCall.only');
    expect(refusal(receiver({ fromLevel: 5 }))).toContain('onCall.fromLevel');
    expect(refusal(receiver({ transport: {} }))).toContain('onCall.transport is not valid: expected one of');
    const mail = {
      kind: 'email',
      transport: { sendMail: async () => undefined },
      from: 'a@x.example',
      to: 'b@x.example',
    };
    expect(refusal({ receivers: { mail } })).toBe('');
    expect(refusal({ receivers: { mail: { ...mail, transport: {} } } })).toContain(
      'nodemailer.createTransport',
    );
    expect(refusal({ receivers: { mail: { ...mail, to: [] } } })).toContain('mail.to');
    expect(refusal({ receivers: { mail: { ...mail, from: 'nobody' } } })).toContain('mail.from');
  });
});
