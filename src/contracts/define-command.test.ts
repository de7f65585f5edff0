import { inspect } from 'node:util';
import { describe, expect, expectTypeOf, test } from 'vitest';
import { z } from 'zod';
import {
  type CommandContract,
  type CommandDraft,
  ContractSet,
  type DataOf,
  defineCommand,
  defineEvent,
  type EventContract,
  isCommandContract,
  isCommandDraft,
  isDraft,
  isEventContract,
  type On,
  type ReplyOf,
} from './index.ts';

const id = z.object({ orderId: z.string() });
const CardCharged = defineEvent({ type: 'payments.card.charged.v1', key: 'orderId', schema: id });
const CardDeclined = defineEvent({
  type: 'payments.card.declined.v1',
  key: 'orderId',
  schema: id.extend({ reason: z.string() }),
});
const declaration = {
  type: 'payments.card.charge.v1',
  key: 'orderId',
  schema: id.extend({ pence: z.int() }),
} as const;
const ChargeCard = defineCommand({ ...declaration, replies: [CardCharged, CardDeclined], within: '10s' });
const Forget = defineCommand({ type: 'payments.card.forget.v1', key: 'orderId', schema: id });

describe('a command', () => {
  test('is a contract like an event, of a kind of its own, with what answers it', () => {
    const { kind, replies, within } = ChargeCard;
    expect([kind, replies, within]).toEqual(['command', [CardCharged, CardDeclined], '10s']);
    expect([Forget.replies, Forget.within]).toEqual([[], undefined]);
    expect([
      isEventContract(ChargeCard),
      isCommandContract(ChargeCard),
      isCommandContract(CardCharged),
    ]).toEqual([true, true, false]);
    expect([...new ContractSet([ChargeCard]).types]).toEqual([ChargeCard.type]);
  });

  test('called makes a plain draft: whoever stores events can store it', () => {
    const draft = ChargeCard({ orderId: 'A1', pence: 4200 }, { dedupeKey: 'A1' });
    expect(draft).toMatchObject({
      contract: ChargeCard,
      key: 'orderId=A1',
      dataText: '{"orderId":"A1","pence":4200}',
      dedupeKey: 'A1',
    });
    expect([isDraft(draft), isCommandDraft(draft), isCommandDraft(CardCharged({ orderId: 'A1' }))]).toEqual([
      true,
      true,
      false,
    ]);
    expect(() => ChargeCard({ orderId: 'A1', pence: 0.5 })).toThrow(
      expect.objectContaining({ code: 'PAYLOAD_INVALID' }),
    );
  });

  test('shows what it is in JSON and on the console', () => {
    expect(JSON.parse(JSON.stringify(ChargeCard))).toMatchObject({
      kind: 'command',
      replies: [CardCharged.type, CardDeclined.type],
      within: '10s',
    });
    const plain = JSON.parse(JSON.stringify([Forget, CardCharged])) as object[];
    for (const shown of plain) expect(Object.keys(shown)).not.toContain('replies');
    expect(inspect(ChargeCard)).toBe('CommandContract payments.card.charge.v1 (key orderId)');
  });

  test.each([
    ['replies', { replies: [] }],
    ['replies', { replies: CardCharged }],
    ['replies', { replies: ['payments.card.charged.v1'] }],
    ['replies', { replies: [CardCharged, CardCharged] }],
    ['replies', { replies: [Forget] }],
    ['within', { within: '10' }],
    ['within', { within: '0s' }],
    ['within', { within: '2h' }],
    ['within', { within: null }],
    ['kind', { kind: 'domain' }],
    ['type', { type: 'charge.v1' }],
  ])('with a wrong %s is refused: %j', (path, wrong) => {
    expect(() => defineCommand({ ...declaration, ...wrong } as never)).toThrow(
      expect.objectContaining({
        code: 'CONTRACT_INVALID',
        details: expect.objectContaining({ issues: [expect.objectContaining({ path })] }),
      }),
    );
  });

  test('its options are none of an event', () => {
    expect(() => defineEvent({ ...declaration, replies: [CardCharged], kind: 'command' } as never)).toThrow(
      expect.objectContaining({ code: 'CONTRACT_INVALID' }),
    );
  });

  test('tells the compiler its payload and its replies', () => {
    expectTypeOf(ChargeCard).toExtend<CommandContract>();
    expectTypeOf(ChargeCard).toExtend<EventContract>();
    expectTypeOf<DataOf<typeof ChargeCard>>().toEqualTypeOf<{ orderId: string; pence: number }>();
    expectTypeOf(ChargeCard({ orderId: 'A1', pence: 1 })).toExtend<CommandDraft>();
    expectTypeOf<ReplyOf<typeof ChargeCard>['type']>().toEqualTypeOf<
      'payments.card.charged.v1' | 'payments.card.declined.v1'
    >();
    expectTypeOf<ReplyOf<typeof Forget>>().toBeNever();
    expectTypeOf<On<typeof ChargeCard>['data']>().toEqualTypeOf<{ orderId: string; pence: number }>();
    expectTypeOf(ChargeCard.within).toEqualTypeOf<'10s'>();
    expectTypeOf(Forget.within).toEqualTypeOf<undefined>();
    const wrong = (): unknown[] => [
      // @ts-expect-error a member that the payload lacks
      ChargeCard({ orderId: 'A1' }),
      // @ts-expect-error a reply that is no contract
      defineCommand({ ...declaration, replies: ['payments.card.charged.v1'] }),
      // @ts-expect-error a kind
      defineCommand({ ...declaration, kind: 'domain' }),
    ];
    expect(wrong).toBeTypeOf('function');
  });
});
