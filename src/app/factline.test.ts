import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { defineHandler, defineProjection } from '../consumers/index.ts';
import { defineCommand, defineEvent, defineUpcaster } from '../contracts/index.ts';
import { createFactline, type FactlineOptions, internals } from './index.ts';

const schema = z.object({ orderId: z.string() });
const OrderPlaced = defineEvent({ type: 'shop.order.placed.v1', key: 'orderId', schema });
const orders = defineProjection({
  name: 'orders',
  on: OrderPlaced,
  primaryKey: 'orderId',
  columns: { orderId: 'text' },
  evolve: () => ({}),
});
const mail = defineHandler({ name: 'mail', on: OrderPlaced, handle: async () => {} });

const OrderPlacedV2 = defineEvent({ type: 'shop.order.placed.v2', key: 'orderId', schema });
const upcaster = defineUpcaster(OrderPlaced, OrderPlacedV2, (data) => data);

const CancelOrder = defineCommand({
  type: 'shop.order.cancel.v1',
  key: 'orderId',
  schema,
  replies: [OrderPlaced],
});
const cancel = defineHandler({ name: 'cancel', on: CancelOrder, handle: async () => {} });

const refusal = (options: unknown): unknown => {
  try {
    createFactline(options as FactlineOptions);
    return null;
  } catch (error) {
    return error;
  }
};

describe('createFactline', () => {
  it('does nothing but check its options: no connection, no file, no timer', () => {
    expect(
      createFactline({ database: 'postgres://nobody@127.0.0.1:1/nowhere', consumers: [orders, mail] }),
    ).toBeDefined();
  });

  it('takes a module, and passes over what is no consumer', () => {
    expect(refusal({ consumers: { orders, OrderPlaced, helper: () => 1, text: 'x' } })).toBeNull();
  });

  it('gives each consumer the upcasters that lead to its contracts, and knows all their contracts', () => {
    const newer = defineHandler({ name: 'newer', on: OrderPlacedV2, handle: async () => {} });
    const app = createFactline({ name: 'shop', consumers: [mail, newer], upcasters: { upcaster, other: 1 } });
    const { consumers, contracts } = internals(app).settings;
    expect(consumers.map(({ types, upcasters }) => [[...types], upcasters])).toEqual([
      [[OrderPlaced.type], []],
      [[OrderPlacedV2.type, OrderPlaced.type], [upcaster]],
    ]);
    expect(consumers[0]).toBe(mail);
    expect(internals(createFactline({ consumers: [], upcasters: [upcaster] })).settings.contracts).toEqual([
      OrderPlaced,
      OrderPlacedV2,
    ]);
    expect(contracts).toHaveLength(2);
  });

  it.each([
    [
      'upcasters that contradict each other, also when no consumer needs them',
      { consumers: [], upcasters: [upcaster, defineUpcaster(OrderPlacedV2, OrderPlaced, (data) => data)] },
      { code: 'UPCASTER_INVALID' },
    ],
    [
      'another contract of the type that an upcaster begins at',
      {
        consumers: [orders],
        upcasters: [
          defineUpcaster(
            defineEvent({ type: 'shop.order.placed.v1', key: 'orderId', schema }),
            OrderPlacedV2,
            (data) => data,
          ),
        ],
      },
      { code: 'CONTRACT_DUPLICATE' },
    ],
    [
      'what is no upcaster',
      { consumers: [], upcasters: [OrderPlaced] },
      { code: 'OPTION_INVALID', details: { option: 'upcasters[0]' } },
    ],
    [
      'an unknown option',
      { consumers: [], consumer: [] },
      { code: 'OPTION_INVALID', details: { option: 'consumer' } },
    ],
    [
      'a stranger among the consumers',
      { consumers: [orders, OrderPlaced] },
      { code: 'OPTION_INVALID', details: { option: 'consumers[1]' } },
    ],
    ['no consumers', {}, { code: 'OPTION_INVALID', details: { option: 'consumers' } }],
    [
      'two consumers of one name',
      { consumers: [orders, { ...mail, name: 'orders' }] },
      { code: 'CONSUMER_DUPLICATE' },
    ],
    [
      'two handlers of one command',
      { consumers: [cancel, { ...cancel, name: 'cancel-too' }] },
      { code: 'COMMAND_HANDLED_TWICE', details: { type: CancelOrder.type, handlers: 'cancel, cancel-too' } },
    ],
    [
      'a former name that another one has',
      { consumers: [orders, { ...mail, formerly: ['orders'] }] },
      { code: 'CONSUMER_DUPLICATE' },
    ],
    [
      'two contracts of one type',
      {
        consumers: [orders],
        contracts: [defineEvent({ type: 'shop.order.placed.v1', key: 'orderId', schema })],
      },
      { code: 'CONTRACT_DUPLICATE' },
    ],
    ['an empty name', { consumers: [], name: '' }, { code: 'OPTION_INVALID', details: { option: 'name' } }],
    [
      'a wrong mode',
      { consumers: [], migrations: 'yes' },
      { code: 'OPTION_INVALID', details: { option: 'migrations' } },
    ],
    [
      'a role that there is not',
      { consumers: [], roles: { ada: ['root'] } },
      { code: 'OPTION_INVALID', details: { option: 'roles.ada' } },
    ],
    [
      'a wrong duration',
      { consumers: [], dedupeWindow: '30 days' },
      { code: 'OPTION_INVALID', details: { option: 'dedupeWindow' } },
    ],
  ])('refuses %s, and names it', (_what, options, error) => {
    expect(refusal(options)).toMatchObject(error);
  });
});

it('an app with a command has the contracts of its replies, as its handler and as its sender', () => {
  for (const options of [{ consumers: [cancel] }, { consumers: [], contracts: [CancelOrder] }])
    expect(internals(createFactline(options)).settings.contracts).toEqual([CancelOrder, OrderPlaced]);
});

describe('commands of an app that was not started', () => {
  const app = createFactline({ database: 'postgres://nobody@127.0.0.1:1/nowhere', consumers: [cancel] });
  const command = CancelOrder({ orderId: 'A1' });
  const event = OrderPlaced({ orderId: 'A1' });

  it('are sent and not published, and events the other way round; nothing is opened to say so', async () => {
    await expect(app.publish(command)).rejects.toMatchObject({
      code: 'DRAFT_MISDIRECTED',
      details: { type: CancelOrder.type, given: 'publish', verb: 'send' },
    });
    await expect(app.publish([event, command])).rejects.toMatchObject({ code: 'DRAFT_MISDIRECTED' });
    // @ts-expect-error an event is not sent
    await expect(app.send(event)).rejects.toMatchObject({ details: { given: 'send', verb: 'publish' } });
  });

  it('cannot be requested: the reply is found by the tail', async () => {
    const request = app.request(CancelOrder, { orderId: 'A1' }, { within: '1s' });
    await expect(request).rejects.toMatchObject({ code: 'NOT_STARTED' });
  });

  it('are requested with a time limit, and only where a reply is declared: the compiler says so', () => {
    const Quick = defineCommand({
      type: 'shop.order.quit.v1',
      key: 'orderId',
      schema,
      replies: [OrderPlaced],
      within: '1s',
    });
    const Silent = defineCommand({ type: 'shop.order.hide.v1', key: 'orderId', schema });
    const data = { orderId: 'A1' };
    const calls = (): unknown[] => [
      app.request(Quick, data),
      app.request(Quick, data, { within: '2s', dedupeKey: 'x' }),
      // @ts-expect-error no time limit
      app.request(CancelOrder, data),
      // @ts-expect-error no time limit in the options
      app.request(CancelOrder, data, { dedupeKey: 'x' }),
      // @ts-expect-error no replies
      app.request(Silent, data, { within: '1s' }),
      // @ts-expect-error an event
      app.request(OrderPlaced, data, { within: '1s' }),
      // @ts-expect-error a member that the payload lacks
      app.request(Quick, {}),
    ];
    expect(calls).toBeTypeOf('function');
  });
});
