import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { defineCommand, defineEvent, defineUpcaster } from '../contracts/index.ts';
import { withUpcasters } from './definition.ts';
import { refuseTwoHandlers } from './handlers-of-commands.ts';
import { defineHandler } from './operational/define-handler.ts';
import { oneReply } from './operational/one-reply.ts';
import { defineProjection } from './projection/definition.ts';
import { defineSqlProjection } from './projection/sql-definition.ts';

const schema = z.object({ orderId: z.string() });
const Charged = defineEvent({ type: 'payments.card.charged.v1', key: 'orderId', schema });
const Declined = defineEvent({ type: 'payments.card.declined.v1', key: 'orderId', schema });
const Logged = defineEvent({ type: 'payments.card.logged.v1', key: 'orderId', schema });
const Charge = defineCommand({
  type: 'payments.card.charge.v1',
  key: 'orderId',
  schema,
  replies: [Charged, Declined],
});
const ChargeV2 = defineCommand({ type: 'payments.card.charge.v2', key: 'orderId', schema });
const handle = async (): Promise<void> => {};
const payment = defineHandler({ name: 'payment', on: [Charge, Charged], handle });

describe('the one handler of a command', () => {
  test('handles other commands and events as well', () => {
    const refund = defineCommand({ type: 'payments.card.refund.v1', key: 'orderId', schema });
    const other = defineHandler({ name: 'other', on: [refund, Charged], handle });
    expect(() => refuseTwoHandlers([payment, other])).not.toThrow();
  });

  test('is refused beside a second one, which is named', () => {
    const second = defineHandler({ name: 'fraud', on: Charge, handle });
    expect(() => refuseTwoHandlers([payment, second])).toThrow(
      expect.objectContaining({
        code: 'COMMAND_HANDLED_TWICE',
        details: expect.objectContaining({ type: Charge.type, handlers: 'payment, fraud' }),
      }),
    );
  });

  test('is refused beside one that reads the command as a later version', () => {
    const upcaster = defineUpcaster(Charge, ChargeV2, (data) => data);
    const later = withUpcasters(defineHandler({ name: 'later', on: ChargeV2, handle }), [upcaster]);
    expect(() => refuseTwoHandlers([payment, later])).toThrow(
      expect.objectContaining({ code: 'COMMAND_HANDLED_TWICE' }),
    );
  });
});

describe('a projection of a command', () => {
  const refused = expect.objectContaining({
    code: 'CONSUMER_INVALID',
    details: expect.objectContaining({
      issues: [expect.objectContaining({ path: 'on', message: 'a command is for its one handler alone' })],
    }),
  });
  const declaration = {
    name: 'orders',
    primaryKey: 'orderId',
    columns: { orderId: 'text' },
    evolve: () => ({}),
  } as const;

  test('is refused, by the compiler as well', () => {
    // @ts-expect-error a projection reads events and no commands
    expect(() => defineProjection({ ...declaration, on: Charge })).toThrow(refused);
    // @ts-expect-error nor beside events
    expect(() => defineProjection({ ...declaration, on: [Charged, Charge] })).toThrow(refused);
    const sql = { name: 'orders', create: handle, apply: handle };
    // @ts-expect-error nor in the SQL form
    expect(() => defineSqlProjection({ ...sql, on: [Charge] })).toThrow(refused);
    expect(() => defineProjection({ ...declaration, on: [Charged, Declined] })).not.toThrow();
  });
});

describe('what a handler answers a command with', () => {
  const data = { orderId: 'A1' };
  const at = (type: string) => oneReply(payment, { type, id: 'c1' });

  test.each([
    ['nothing', []],
    ['one reply', [Charged(data)]],
    ['one reply, and other events', [Logged(data), Declined(data), Logged(data)]],
  ])('may be %s', (_what, drafts) => {
    expect(() => at(Charge.type)?.(drafts)).not.toThrow();
  });

  test.each([
    ['two different replies', [Charged(data), Declined(data)]],
    ['the same one twice', [Charged(data), Charged(data)]],
  ])('may not be %s', (_what, drafts) => {
    expect(() => at(Charge.type)?.(drafts)).toThrow(
      expect.objectContaining({
        code: 'COMMAND_REPLIED_TWICE',
        details: expect.objectContaining({
          consumer: 'payment',
          replies: drafts.map(({ type }) => type).join(', '),
        }),
      }),
    );
  });

  test('is not looked at after an event', () => {
    expect(at(Charged.type)).toBeUndefined();
  });
});
