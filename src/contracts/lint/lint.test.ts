import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { EventContract } from '../contract.ts';
import { defineCommand } from '../define-command.ts';
import { defineEvent } from '../define-event.ts';
import { emptyLock, type Waiver } from '../gate/lock.ts';
import type { GateConsumer, GateSubject } from '../gate/subject.ts';
import { defineUpcaster } from '../upcasting/define-upcaster.ts';
import { type LintOptions, lint, lintRules } from './lint.ts';

const command = (type: string, shape: z.ZodRawShape = {}, terms: object = {}): EventContract =>
  defineCommand({
    type,
    key: 'orderId',
    schema: z.object({ orderId: z.string(), ...shape }),
    ...terms,
  } as never) as EventContract;

interface Declared {
  readonly owner?: string;
  readonly key?: string;
  readonly [term: string]: unknown;
}

const event = (
  type: string,
  shape: z.ZodRawShape = {},
  { key = 'orderId', ...terms }: Declared = {},
): EventContract =>
  defineEvent({
    type,
    key,
    schema: z.object({ [key]: z.string(), ...shape }),
    ...terms,
  } as never) as EventContract;

const consumer = (
  name: string,
  contracts: readonly EventContract[],
  more: Partial<GateConsumer> = {},
): GateConsumer => ({
  name,
  class: 'operational',
  types: contracts.map(({ type }) => type),
  ordering: 'key',
  reads: null,
  ...more,
});

const subject = (contracts: readonly EventContract[], consumers?: readonly GateConsumer[]): GateSubject => ({
  app: 'shop',
  contracts,
  upcasters: [],
  consumers: consumers ?? [consumer('all', contracts, { class: 'projection' })],
});

/** `rule path` of what is found. */
const found = (given: GateSubject, options?: LintOptions): string[] =>
  lint(given, options).map(({ rule, path }) => (path === '' ? rule : `${rule} ${path}`));

const of = (type: string, shape: z.ZodRawShape = { pence: z.int() }, declared: Declared = {}): string[] =>
  found(subject([event(type, shape, declared)]));

test('a contract as it should be is left alone', () => {
  expect(
    of('shop.order.placed.v1', {
      pence: z.int(),
      placedAt: z.iso.datetime(),
      lines: z.array(z.object({ name: z.string() })),
    }),
  ).toEqual([]);
});

describe('names', () => {
  test.each([
    ['shop.order.placed.v1', []],
    ['shop.order.payment-failed.v12', []],
    ['shop.card-charge.timed-out.v1', []],
    ['shop.eu.order.placed.v1', ['name-form']],
    ['shop.order.place.v1', ['past-tense']],
    ['shop.order.payment.v1', ['past-tense']],
    ['shop.order.created.v1', ['crud-word']],
    ['shop.order.address-changed.v1', ['crud-word']],
    ['shop.order-event.placed.v1', ['transport-name']],
    ['kafka.order.placed.v1', ['transport-name']],
    ['shop.eu.order.update.v1', ['name-form', 'past-tense']],
  ])('%s', (type, rules) => {
    expect(of(type)).toEqual(rules);
  });
});

describe('owners', () => {
  const placed = event('shop.order.placed.v1', { pence: z.int() }, { owner: 'orders' });
  const paid = event('shop.payment.captured.v1', { pence: z.int() }, { owner: 'payments' });

  test('two in one domain are told of each contract, with the other one', () => {
    const findings = lint(subject([placed, paid]));
    expect(findings.map(({ rule, contract }) => [rule, contract])).toEqual([
      ['several-owners', 'shop.order.placed.v1'],
      ['several-owners', 'shop.payment.captured.v1'],
    ]);
    expect(findings[0]?.message).toContain('payments');
  });

  test('an event under the name of another team is told', () => {
    const foreign = event('payments.charge.captured.v1', { pence: z.int() }, { owner: 'orders' });
    const own = event('finance.invoice.paid.v1', { pence: z.int() }, { owner: 'payments' });
    expect(found(subject([foreign, own]))).toEqual(['foreign-domain']);
    expect(found(subject([foreign]))).toEqual([]);
  });
});

describe('who consumes', () => {
  const placed = event('shop.order.placed.v1', { pence: z.int() });
  const second = event('shop.order.placed.v2', { pence: z.int() });

  test('an event that nobody handles is an orphan, unless it is for others', () => {
    expect(found(subject([placed], []))).toEqual(['orphan-event']);
    expect(
      found(subject([event('shop.order.placed.v1', { pence: z.int() }, { kind: 'integration' })], [])),
    ).toEqual([]);
  });

  test('an old version without consumers can be retired, unless an upcaster or a deprecation is at it', () => {
    const consumers = [consumer('spend', [second])];
    expect(found(subject([placed, second], consumers))).toEqual(['retirable-version']);
    expect(found(subject([placed, second], [consumer('spend', [placed, second])]))).toEqual([]);
    const upcasters = [defineUpcaster(placed, second, (data) => data as never)];
    expect(found({ ...subject([placed, second], consumers), upcasters })).toEqual([]);
    const leaving = event(
      'shop.order.placed.v1',
      { pence: z.int() },
      { deprecated: { since: '2026-01-01', until: '2027-01-01' } },
    );
    expect(found(subject([leaving, second], consumers))).toEqual([]);
  });

  test.each([
    ['key', 'none', ['weaker-ordering']],
    ['global', 'key', ['weaker-ordering']],
    ['key', 'global', []],
    ['none', 'none', []],
  ] as const)('the order %s handled with %s', (promised, ordering, rules) => {
    const contract = event('shop.order.placed.v1', { pence: z.int() }, { ordering: promised });
    expect(found(subject([contract], [consumer('spend', [contract], { ordering })]))).toEqual(rules);
  });
});

describe('keys', () => {
  const order = event('shop.order.placed.v1', { pence: z.int() }, { key: 'id' });
  const customer = event('shop.customer.registered.v1', { country: z.string() }, { key: 'id' });

  test('of two entities with one vague name collide', () => {
    expect(found(subject([order, customer]))).toEqual(['key-collision', 'key-collision']);
    expect(lint(subject([order, customer]))[0]?.remedy).toContain('customerId');
  });

  test('of one entity, or named after an entity that several take part in, do not', () => {
    expect(found(subject([order, event('shop.order.paid.v1', { pence: z.int() }, { key: 'id' })]))).toEqual(
      [],
    );
    expect(
      found(
        subject([
          event('orders.order.placed.v1', { pence: z.int() }),
          event('stock.units.reserved.v1', { units: z.int() }),
        ]),
      ),
    ).toEqual([]);
  });
});

describe('flows', () => {
  test('a request and its answer are told, and so is a return address', () => {
    const asked = event('shop.price.quote-requested.v1', { product: z.string() });
    const answered = event('shop.price.quote-provided.v1', { pence: z.int() });
    expect(found(subject([asked, answered]))).toEqual(['request-reply']);
    expect(found(subject([asked]))).toEqual([]);
    expect(of('shop.order.placed.v1', { pence: z.int(), replyTo: z.string() })).toEqual([
      'request-reply replyTo',
    ]);
    expect(of('shop.order.placed.v1', { pence: z.int(), repliedAt: z.iso.datetime() })).toEqual([]);
  });

  test('a handler of events that share no id has nothing to bring them together', () => {
    const placed = event('shop.order.placed.v1', { pence: z.int(), customerId: z.string() });
    const opened = event('support.ticket.opened.v1', { text: z.string() }, { key: 'ticketId' });
    const moved = event('crm.customer.moved.v1', { country: z.string() }, { key: 'customerId' });
    const correlate = (contracts: readonly EventContract[], more?: Partial<GateConsumer>): string[] =>
      found(subject(contracts, [consumer('desk', contracts, more)]));
    expect(correlate([placed, opened])).toEqual(['missing-correlation', 'missing-correlation']);
    expect(correlate([placed, moved])).toEqual([]);
    expect(correlate([placed, opened], { ordering: 'global' })).toEqual([]);
    expect(correlate([placed, opened], { class: 'projection' })).toEqual([]);
    expect(correlate([opened])).toEqual([]);
  });
});

describe('size', () => {
  const wide = Object.fromEntries(Array.from({ length: 41 }, (_, index) => [`part${index}`, z.string()]));
  const nest = (levels: number): z.ZodType =>
    levels === 0 ? z.string() : z.object({ part: nest(levels - 1) });

  test('many fields, many levels, or much in the log make it fat', () => {
    expect(of('shop.order.placed.v1', wide)).toEqual(['fat-event']);
    expect(of('shop.order.placed.v1', { part: nest(5) })).toEqual(['fat-event']);
    expect(of('shop.order.placed.v1', { part: nest(4) })).toEqual([]);
    const contract = event('shop.order.placed.v1', { pence: z.int() });
    const measured = (bytes: number): string[] =>
      found(subject([contract]), { bytesP95: new Map([[contract.type, bytes]]) });
    expect(measured(20_000)).toEqual(['fat-event']);
    expect(measured(2_000)).toEqual([]);
  });

  test('ids alone make it thin, unless another event of the key tells the rest', () => {
    expect(of('shop.order.placed.v1', { customerId: z.string() })).toEqual(['thin-event']);
    const packed = event('shop.order.packed.v1');
    expect(found(subject([packed, event('shop.order.placed.v1', { pence: z.int() })]))).toEqual([]);
  });

  test('a recursive schema is looked at once', () => {
    const node: z.ZodType = z.object({
      name: z.string(),
      get children() {
        return z.array(node);
      },
    });
    expect(of('shop.tree.planted.v1', { node })).toEqual([]);
  });
});

describe('personal data', () => {
  test.each([
    'email',
    'customerEmail',
    'e_mail',
    'phoneNumber',
    'first_name',
    'lastName',
    'fullName',
    'customer_name',
    'birthDate',
    'dateOfBirth',
    'shippingAddress',
    'postcode',
    'zipCode',
    'ipAddress',
    'iban',
    'passportNumber',
    'nationalId',
  ])('%s is told', (field) => {
    expect(of('shop.order.placed.v1', { pence: z.int(), [field]: z.string() })).toEqual([
      `personal-data ${field}`,
    ]);
  });

  test.each([
    ['productName', z.string()],
    ['name', z.string()],
    ['emailSent', z.boolean()],
    ['emailId', z.string()],
    ['customerId', z.string()],
    ['addressed', z.string()],
    ['phonesSold', z.int()],
    ['shipments', z.int()],
    ['description', z.string()],
  ])('%s is not', (field, schema) => {
    expect(of('shop.order.placed.v1', { pence: z.int(), [field]: schema })).toEqual([]);
  });

  test('a name is personal below a person, and what is declared is enough', () => {
    const shape = {
      customer: z.object({ name: z.string(), email: z.string() }),
      product: z.object({ name: z.string() }),
    };
    expect(of('shop.order.placed.v1', shape)).toEqual([
      'personal-data customer.email',
      'personal-data customer.name',
    ]);
    expect(of('shop.order.placed.v1', shape, { sensitivity: { customer: 'personal' } })).toEqual([]);
    expect(of('shop.order.placed.v1', shape, { sensitivity: { 'customer.email': 'personal' } })).toEqual([
      'personal-data customer.name',
    ]);
  });

  test.each(['password', 'apiKey', 'accessToken', 'card_number', 'cvv'])('%s is secret', (field) => {
    const [finding] = lint(subject([event('shop.order.placed.v1', { pence: z.int(), [field]: z.string() })]));
    expect([finding?.rule, finding?.remedy]).toEqual(['personal-data', expect.stringContaining("'secret'")]);
  });
});

describe('values', () => {
  test.each([
    ['totalPrice', z.number(), ['money-as-float totalPrice']],
    ['amount', z.number(), ['money-as-float amount']],
    ['amount', z.number().optional(), ['money-as-float amount']],
    ['amount', z.int(), []],
    ['amount', z.number().multipleOf(0.01), ['money-as-float amount']],
    ['amount', z.number().multipleOf(5), []],
    ['amount', z.string(), []],
    ['taxRate', z.number(), []],
    ['weight', z.number(), []],
    ['paidAt', z.iso.datetime(), []],
    ['paidAt', z.iso.datetime({ offset: true }), []],
    ['paidAt', z.iso.datetime({ local: true }), ['time-without-zone paidAt']],
    ['paidAt', z.string(), ['time-without-zone paidAt']],
    ['startTime', z.string(), ['time-without-zone startTime']],
    ['paidAt', z.int(), []],
    ['format', z.string(), []],
  ])('%s', (field, schema, rules) => {
    expect(of('shop.order.placed.v1', { note: z.string(), [field]: schema })).toEqual(rules);
  });

  test('high impact without an SLA is told', () => {
    expect(of('shop.order.placed.v1', { pence: z.int() }, { highImpact: true })).toEqual(['no-sla']);
    expect(
      of('shop.order.placed.v1', { pence: z.int() }, { highImpact: true, sla: { handledWithin: '1m' } }),
    ).toEqual([]);
  });
});

describe('switching rules off', () => {
  const contract = event(
    'shop.order.created.v1',
    { pence: z.int(), email: z.string(), phone: z.string() },
    { owner: 'orders' },
  );
  const waiver = (more: Partial<Waiver>): LintOptions => {
    const whole: Waiver = {
      contract: contract.type,
      rule: 'personal-data',
      path: '',
      owner: 'orders',
      reason: 'r',
      until: null,
      ...more,
    };
    return { lock: { ...emptyLock('shop'), waivers: [whole] }, now: new Date('2026-06-15T12:00:00Z') };
  };
  const all = ['crud-word', 'personal-data email', 'personal-data phone'];

  test.each([
    ['nothing', {}, all],
    ['one rule', { without: ['crud-word'] }, all.slice(1)],
    ['all but one', { only: ['crud-word'] }, ['crud-word']],
    ['by a waiver', waiver({}), ['crud-word']],
    ['at one field', waiver({ path: 'email' }), ['crud-word', 'personal-data phone']],
    ['for all contracts', waiver({ contract: '*', owner: 'anyone' }), ['crud-word']],
    ['by somebody else', waiver({ owner: 'payments' }), all],
    ['by a member of the team', waiver({ owner: 'orders/ada' }), ['crud-word']],
    ['until yesterday', waiver({ until: '2026-06-14' }), all],
    ['until today', waiver({ until: '2026-06-15' }), ['crud-word']],
  ] as const)('%s', (_, options, rules) => {
    expect(found(subject([contract]), options)).toEqual(rules);
  });
});

test('a check that no comparison sees is pointed at', () => {
  expect(
    of('shop.order.placed.v1', { code: z.string().regex(/^a/i), pence: z.int().refine(() => true) }),
  ).toEqual(['hidden-check code', 'hidden-check pence']);
});

test('each rule explains itself', () => {
  for (const { name, why } of lintRules) {
    expect(name).toMatch(/^[a-z-]+$/);
    expect(why).toMatch(/^[A-Z].*\.$/);
  }
});

describe('a command', () => {
  const handled = (type: string) => found(subject([command(type)]));

  test.each(['charge', 'reserve-stock', 'set', 'reset-password', 'check-out', 'feed'])(
    'may be called %s',
    (action) => {
      expect(handled(`shop.order.${action}.v1`)).toEqual([]);
    },
  );

  test.each(['charged', 'stock-reserved', 'timed-out', 'payment-requested', 'created'])(
    'is not called %s, like a fact',
    (action) => {
      expect(handled(`shop.order.${action}.v1`)).toContain('imperative');
    },
  );

  test('is no orphan without a consumer here: its handler is what `check` looks at', () => {
    expect(found(subject([command('shop.order.cancel.v1')], []))).toEqual([]);
  });

  test('makes no orphans of the events that answer it', () => {
    const done = event('shop.order.cancelled.v1', { reason: z.string() });
    expect(found(subject([done], []))).toEqual(['orphan-event']);
    const cancel = command('shop.order.cancel.v1', {}, { replies: [done] });
    expect(found(subject([cancel, done], []))).toEqual([]);
  });
});
