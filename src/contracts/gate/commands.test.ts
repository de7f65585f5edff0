import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { check, consumer, lockOf, subject, told } from '../../../test/contracts/gate-shop.ts';
import { catalogue } from '../catalogue/catalogue.ts';
import type { EventContract } from '../contract.ts';
import { defineCommand } from '../define-command.ts';
import { defineEvent } from '../define-event.ts';
import { defineUpcaster } from '../upcasting/define-upcaster.ts';
import { parseLock, renderLock } from './lock-text.ts';
import type { GateConsumer, GateSubject } from './subject.ts';

const type = 'payments.card.charge.v1';
const id = { orderId: z.string() };
const reply = (action: string, shape: z.ZodRawShape = id): EventContract =>
  defineEvent({ type: `payments.card.${action}.v1`, key: 'orderId', schema: z.object(shape) } as never);
const charged = reply('charged');
const declined = reply('declined');

const charge = (terms: Readonly<Record<string, unknown>> = {}, shape: z.ZodRawShape = {}): EventContract =>
  defineCommand({
    type,
    key: 'orderId',
    schema: z.object({ ...id, ...shape }),
    replies: [charged],
    owner: 'payments',
    producers: ['orders', 'subscriptions'],
    ...terms,
  } as never) as EventContract;

const handler = consumer('payment', { types: [type] });
const shop = (
  command: EventContract = charge(),
  consumers: readonly GateConsumer[] = [handler],
  more: Partial<GateSubject> = {},
): GateSubject => subject([command, charged], { app: 'payments', consumers, ...more });

test('a command passes as it was accepted, also as it stands in the file', async () => {
  const lock = await lockOf(shop());
  expect(lock.contracts.get(type)).toMatchObject({ kind: 'command', replies: [charged.type] });
  expect(await check(parseLock(renderLock(lock), 'lock'), shop())).toEqual([]);
});

describe('a change of a command', () => {
  const changed = async (command: EventContract, contracts: readonly EventContract[] = []) => {
    const lock = await lockOf(shop());
    const next = shop(command);
    return check(lock, { ...next, contracts: [...next.contracts, ...contracts] });
  };

  test('that refuses what senders send today names them beside the handler', async () => {
    const findings = await changed(charge({}, { pence: z.int() }));
    const broken = findings.find(({ kind }) => kind === 'break');
    expect(broken).toMatchObject({ path: '/pence', approver: 'payments' });
    expect(broken?.affected.map(({ name, class: kind }) => `${name} ${kind}`)).toEqual([
      'payment operational',
      'orders sender',
      'subscriptions sender',
    ]);
  });

  test('that its handler can do without breaks nobody', async () => {
    expect(told(await changed(charge({}, { note: z.string().optional() })))).toEqual(['not-accepted']);
  });

  test('by a reply that its senders do not know yet is a break; one reply less is none', async () => {
    const more = await changed(charge({ replies: [charged, declined] }), [declined]);
    expect(told(more)).toEqual(['reply-added', 'not-accepted', 'contract-new']);
    const lock = await lockOf(shop(charge({ replies: [charged, declined] }), [handler]));
    expect(told(await check(lock, shop()))).toEqual(['not-accepted']);
  });

  test('into an event is a break', async () => {
    const event = defineEvent({ type, key: 'orderId', schema: z.object(id), owner: 'payments' } as never);
    expect(told(await changed(event as EventContract))).toEqual(['kind-changed', 'not-accepted']);
  });
});

test('a change of a reply names who waits for it, though they are no consumers', async () => {
  const rich = reply('charged', { ...id, chargeId: z.string(), pence: z.int() });
  const withReply = (event: EventContract): GateSubject =>
    subject([charge({ replies: [event] }), event], { app: 'payments', consumers: [handler] });
  const narrowed = reply('charged', { ...id, chargeId: z.string(), pence: z.string() });
  const findings = await check(await lockOf(withReply(rich)), withReply(narrowed));
  const broken = findings.find(({ kind }) => kind === 'break');
  expect(broken?.contract).toBe(charged.type);
  expect(broken?.affected.map(({ name, class: kind }) => `${name} ${kind}`)).toEqual([
    'orders requester',
    'subscriptions requester',
  ]);
});

describe('the one handler of a command', () => {
  const found = async (given: GateSubject): Promise<string[]> =>
    (await check(await lockOf(given), given)).map(({ rule, message }) => `${rule}: ${message}`);

  test('is missing', async () => {
    expect(await found(shop(charge(), []))).toEqual(['one-handler: It is a command, and nobody handles it.']);
  });

  test('is elsewhere when the app is one of its senders', async () => {
    expect(await found(shop(charge(), [], { app: 'orders' }))).toEqual([]);
  });

  test('has another one beside it, in the code or running', async () => {
    const second = consumer('fraud', { types: [type] });
    const message =
      'one-handler: It is a command, and fraud and payment handle it: each would do what was asked for once.';
    expect(await found(shop(charge(), [handler, second]))).toEqual([message]);
    const live = [{ codeVersion: '1', processes: 1, types: [type] }];
    expect(await found(shop(charge(), [handler, { ...second, types: [], live }]))).toEqual([message]);
  });

  test('may read an earlier version of it through an upcaster', async () => {
    const next = charge({ type: 'payments.card.charge.v2' }, { pence: z.int() });
    const toNext = defineUpcaster(charge(), next, (data) => ({ ...(data as object), pence: 0 }) as never);
    const both = consumer('payment', { types: [next.type, type], upcast: [type] });
    expect(await found(shop(next, [both], { upcasters: [toNext] }))).toEqual([]);
  });
});

test('the catalogue says what answers a command, and which command an event answers', async () => {
  const entries = await catalogue(shop(charge({ within: '5s', owner: 'payments' })));
  expect(entries).toMatchObject([
    { type, kind: 'command', replies: [charged.type], within: '5s', answers: [], gaps: [] },
    { type: charged.type, kind: 'domain', replies: [], within: null, answers: [type] },
  ]);
  expect(entries[1]?.gaps).not.toContain('consumer');
});
