import { beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { EventContract } from '../contract.ts';
import { defineEvent } from '../define-event.ts';
import { avroSchema } from '../formats/avro.ts';
import { protobufSchema } from '../formats/protobuf.ts';
import { defineUpcaster } from '../upcasting/define-upcaster.ts';
import { accept } from './accept.ts';
import { checkLock } from './check-lock.ts';
import type { Finding } from './finding.ts';
import type { ContractsLock, Waiver } from './lock.ts';
import { parseLock, renderLock } from './lock-text.ts';
import type { GateConsumer, GateSubject } from './subject.ts';

const type = 'shop.order.placed.v1';
const now = new Date('2026-06-15T12:00:00Z');

const base = { orderId: z.string(), pence: z.int(), note: z.string().optional() };

const placed = (shape: z.ZodRawShape = base, terms: Readonly<Record<string, unknown>> = {}): EventContract =>
  defineEvent({
    type,
    key: 'orderId',
    owner: 'orders',
    schema: z.object(shape),
    ...terms,
  } as never) as EventContract;

const consumer = (name: string, more: Partial<GateConsumer> = {}): GateConsumer => ({
  name,
  class: 'operational',
  owner: name,
  types: [type],
  ordering: 'key',
  reads: null,
  ...more,
});

const payment = consumer('payment', { reads: new Map([[type, ['orderId', 'pence']]]) });
const spend = consumer('spend', { class: 'projection' });

const subject = (contracts: readonly EventContract[], more: Partial<GateSubject> = {}): GateSubject => ({
  app: 'shop',
  contracts,
  upcasters: [],
  consumers: [payment, spend],
  ...more,
});

const lockOf = async (given: GateSubject): Promise<ContractsLock> =>
  (await accept({ lock: null, subject: given, types: [], waivers: [], now })).lock;

const check = async (lock: ContractsLock, given: GateSubject, at = now): Promise<readonly Finding[]> => {
  const report = await checkLock(lock, given, { now: at });
  expect(report.ok).toBe(
    !report.findings.some(({ severity, waiver }) => severity === 'error' && waiver === null),
  );
  return report.findings;
};

/** `rule path` of the findings that are not only told. */
const told = (findings: readonly Finding[]): string[] =>
  findings.filter(({ severity }) => severity !== 'info').map(({ rule, path }) => `${rule} ${path}`.trim());

let lock: ContractsLock;
beforeAll(async () => {
  lock = await lockOf(subject([placed()]));
});

test('what was accepted passes, and the report counts it', async () => {
  expect(await checkLock(lock, subject([placed()]), { now })).toEqual({
    ok: true,
    app: 'shop',
    contracts: 1,
    unchanged: 1,
    findings: [],
  });
});

test('what was accepted passes as it stands in the file', async () => {
  expect(await check(parseLock(renderLock(lock), 'lock'), subject([placed()]))).toEqual([]);
});

test('without a lock file every contract is to be accepted', async () => {
  const report = await checkLock(null, subject([placed()]), { now });
  expect([report.ok, told(report.findings)]).toEqual([false, ['contract-new']]);
});

describe('a change of the schema', () => {
  const change = async (shape: z.ZodRawShape, terms = {}, locked = {}): Promise<string[]> =>
    told(
      await check(
        await lockOf(subject([placed(base, locked)])),
        subject([placed(shape, { ...locked, ...terms })]),
      ),
    );

  test('that old data fits is only to be accepted', async () => {
    expect(await change({ ...base, voucher: z.string().optional() })).toEqual(['not-accepted']);
    expect(await change({ ...base, voucher: z.string().default('none') })).toEqual(['not-accepted']);
  });

  test('that old data breaks is told with its place, its proof, its consumers and its owner', async () => {
    const findings = await check(lock, subject([placed({ ...base, voucher: z.string() })]));
    const broken = findings.find(({ kind }) => kind === 'break');
    expect(broken).toMatchObject({
      contract: type,
      severity: 'error',
      approver: 'orders',
      format: 'json-schema',
    });
    expect(broken?.path).toContain('voucher');
    expect(placed().schema['~standard'].validate(broken?.witness)).toMatchObject({
      value: expect.anything(),
    });
    expect(
      placed({ ...base, voucher: z.string() }).schema['~standard'].validate(broken?.witness),
    ).toHaveProperty('issues');
    expect(broken?.affected).toEqual([
      {
        name: 'payment',
        class: 'operational',
        owner: 'payment',
        reads: ['orderId', 'pence'],
        uses: 'no',
        known: 'declared',
        live: [],
      },
      {
        name: 'spend',
        class: 'projection',
        owner: 'spend',
        reads: null,
        uses: 'unknown',
        known: 'declared',
        live: [],
      },
    ]);
  });

  test('is weighed by the forms that meet: a default is filled in by the reader', async () => {
    const withDefault = { ...base, currency: z.string().default('GBP') };
    // What producers wrote always has it, so requiring it breaks nobody.
    const accepted = await lockOf(subject([placed(withDefault)]));
    expect(told(await check(accepted, subject([placed({ ...base, currency: z.string() })])))).toEqual([
      'not-accepted',
    ]);
  });

  test('is compared under the mode of the contract', async () => {
    const without = { orderId: z.string(), note: z.string().optional() };
    const read = { consumers: [spend] };
    const under = async (compatibility: string, shape: z.ZodRawShape): Promise<string[]> => {
      const terms = { compatibility };
      const accepted = await lockOf(subject([placed(base, terms)], read));
      return told(await check(accepted, subject([placed(shape, terms)], read))).map(
        (each) => each.split(' ')[0] ?? '',
      );
    };
    const added = { ...base, voucher: z.string() };
    expect(await under('backward', without)).toEqual(['not-accepted']);
    expect(await under('forward', without)).toHaveLength(2);
    expect(await under('full', without)).toHaveLength(2);
    expect(await under('forward', added)).toEqual(['not-accepted']);
    expect(await under('backward', added)).toHaveLength(2);
    expect(await under('none', { orderId: z.string() })).toEqual(['not-accepted']);
  });

  test('does not escape by weakening its mode in the same breath', async () => {
    const findings = await change({ ...base, voucher: z.string() }, { compatibility: 'none' });
    expect(findings).toContain('compatibility-weakened');
    expect(findings).toHaveLength(3);
  });

  test('under a transitive mode is held against every earlier version', async () => {
    const small = { orderId: z.string(), pence: z.int() };
    const accepted = async (compatibility: string): Promise<string[]> => {
      const terms = { compatibility };
      let current = await lockOf(subject([placed({ ...small, code: z.int() }, terms)]));
      for (const shape of [small, { ...small, note: z.string().optional() }]) {
        const request = {
          lock: current,
          subject: subject([placed(shape, terms)]),
          types: [],
          waivers: [],
          now,
        };
        current = (await accept(request)).lock;
      }
      expect(renderLock(current).includes('"history"')).toBe(compatibility.endsWith('-transitive'));
      // The newest version knows no code; the first one wrote numbers there.
      const again = placed({ ...small, note: z.string().optional(), code: z.string().optional() }, terms);
      return told(await check(parseLock(renderLock(current), 'lock'), subject([again])));
    };
    expect(await accepted('backward')).toEqual(['not-accepted']);
    const [broken, ...rest] = await accepted('backward-transitive');
    expect([broken, rest]).toEqual([expect.stringContaining('/code'), ['not-accepted']]);
  });

  test('tells nothing about what already differed between what is written and what is accepted', async () => {
    const findings = await check(lock, subject([placed({ ...base, voucher: z.string().optional() })]));
    const changes = findings.filter(({ kind }) => kind === 'notice');
    expect(changes.length).toBeGreaterThan(0);
    expect(changes.filter(({ path }) => path !== '/voucher')).toEqual([]);
  });
});

describe('a contract in several encodings', () => {
  const avro = (fields: readonly object[]) =>
    avroSchema<{ orderId: string }>({
      type: 'record',
      name: 'Order',
      fields: [{ name: 'orderId', type: 'string' }, ...fields],
    });
  const proto = (fields: string) =>
    protobufSchema<{ orderId: string }>(
      `syntax = "proto3"; package shop; message Order { string order_id = 1; ${fields} }`,
      'shop.Order',
    );
  const shape = { orderId: z.string() };
  const of = (...encodings: readonly unknown[]): GateSubject =>
    subject([placed(shape, { encodings })], { consumers: [spend] });
  const change = async (before: readonly unknown[], after: readonly unknown[]): Promise<string[]> =>
    (await check(await lockOf(of(...before)), of(...after)))
      .filter(({ severity }) => severity === 'error')
      .map(({ kind, rule, format = 'none' }) => (kind === 'break' ? format : rule));

  test('is checked in each of them', async () => {
    const int = [{ name: 'pence', type: 'int' }];
    expect(await change([avro(int), proto('')], [avro(int), proto('')])).toEqual([]);
    expect(await change([avro([])], [avro(int)])).toEqual(['avro', 'not-accepted']);
    expect(await change([avro([])], [avro([{ ...int[0], default: 0 }])])).toEqual(['not-accepted']);
    expect(await change([proto('int32 pence = 2;')], [proto('string pence = 2;')])).toEqual([
      'protobuf',
      'not-accepted',
    ]);
    // The envelope is JSON: there a new name is a new field.
    expect(await change([proto('int32 pence = 2;')], [proto('int32 amount = 2;')])).toEqual([
      'protobuf',
      'not-accepted',
    ]);
    expect(await change([proto('')], [proto('int32 pence = 2;')])).toEqual(['not-accepted']);
  });

  test('may gain one, and may not lose one', async () => {
    expect(await change([], [avro([])])).toEqual(['not-accepted']);
    const findings = await check(await lockOf(of(avro([]))), of());
    expect(told(findings)).toEqual(['encoding-removed', 'not-accepted']);
    expect(findings[0]).toMatchObject({ format: 'avro', approver: 'orders', affected: [{ name: 'spend' }] });
  });
});

describe('what is declared beside the schema', () => {
  test.each([
    ['key-changed', { key: 'note' }],
    ['owner-changed', { owner: 'payments' }],
    ['ordering-changed', { ordering: 'none' }],
    ['ordering-changed', { ordering: 'global' }],
  ])('%s', async (rule, terms) => {
    const shape = { orderId: z.string(), note: z.string() };
    const read = { consumers: [spend] };
    const accepted = await lockOf(subject([placed(shape)], read));
    const findings = await check(accepted, subject([placed(shape, terms)], read));
    expect(told(findings)).toEqual([rule, 'not-accepted']);
    // The owner that it has had decides, not the one that it would get.
    expect(findings[0]).toMatchObject({ kind: 'break', approver: 'orders', affected: [{ name: 'spend' }] });
  });

  test.each([
    ['retention', { retention: 'forever' }, {}, ['retention-shortened', 'not-accepted']],
    ['retention', {}, { retention: 'forever' }, ['not-accepted']],
    [
      'compatibility',
      { compatibility: 'full' },
      { compatibility: 'forward' },
      ['compatibility-weakened', 'not-accepted'],
    ],
    ['compatibility', {}, { compatibility: 'full-transitive' }, ['not-accepted']],
    ['kind', {}, { kind: 'integration' }, ['not-accepted']],
    ['producers', {}, { producers: ['shop'] }, ['not-accepted']],
    ['sensitivity', {}, { sensitivity: { note: 'personal' } }, ['not-accepted']],
    ['summary', {}, { summary: 'An order came in.' }, []],
  ])('%s from %j to %j', async (_, before, after, rules) => {
    const accepted = await lockOf(subject([placed(base, before)]));
    expect(told(await check(accepted, subject([placed(base, after)])))).toEqual(rules);
  });
});

describe('a contract that is gone', () => {
  test('while its consumers are still there is a break, which names them', async () => {
    const [finding] = await check(lock, subject([], { consumers: [consumer('payment', { types: [] })] }));
    expect(finding).toMatchObject({ rule: 'contract-removed', kind: 'break', approver: 'orders' });
    expect(finding?.message).toContain('payment');
    expect(finding?.affected.map(({ name, known }) => [name, known])).toEqual([
      ['payment', 'removed'],
      ['spend', 'removed'],
    ]);
  });

  test('with its consumers is only to be accepted', async () => {
    expect(await check(lock, subject([], { consumers: [] }))).toMatchObject([
      { rule: 'contract-removed', kind: 'pending' },
    ]);
  });

  test('is a break while another app is seen to consume it', async () => {
    const elsewhere = consumer('crm', {
      types: [],
      live: [{ codeVersion: '2.1', processes: 3, types: [type] }],
    });
    const [finding] = await check(lock, subject([], { consumers: [elsewhere] }));
    expect(finding).toMatchObject({ kind: 'break' });
    expect(finding?.affected.find(({ name }) => name === 'crm')).toMatchObject({
      known: 'running',
      live: [{ codeVersion: '2.1', processes: 3 }],
    });
  });

  test('after its deprecation has run out may go', async () => {
    const leaving = placed(base, { deprecated: { since: '2026-01-01', until: '2026-06-14' } });
    const accepted = await lockOf(subject([leaving]));
    const without = subject([], { consumers: [consumer('payment', { types: [] })] });
    expect(await check(accepted, without)).toMatchObject([{ rule: 'contract-removed', kind: 'pending' }]);
    expect(await check(accepted, without, new Date('2026-06-14T23:00:00Z'))).toMatchObject([
      { kind: 'break' },
    ]);
  });

  test('while the same payload came under another type has changed its type', async () => {
    const renamed = defineEvent({
      type: 'shop.order.submitted.v1',
      key: 'orderId',
      owner: 'orders',
      schema: z.object(base),
    }) as EventContract;
    const findings = await check(
      lock,
      subject([renamed], { consumers: [consumer('payment', { types: [renamed.type] })] }),
    );
    expect(findings.map(({ rule }) => rule)).toEqual(['type-changed', 'contract-new']);
    expect(findings[0]).toMatchObject({ old: type, new: renamed.type, kind: 'break' });
  });
});

describe('upcasters', () => {
  const second = defineEvent({
    type: 'shop.order.placed.v2',
    key: 'orderId',
    owner: 'orders',
    schema: z.object({ orderId: z.string(), total: z.object({ pence: z.int(), currency: z.string() }) }),
  });
  const readers = { consumers: [consumer('payment', { types: [type, second.type] })] };
  const first = defineEvent({ type, key: 'orderId', owner: 'orders', schema: z.object(base) });

  test('let the old version go from what is published: it stays for what is in the log', async () => {
    const good = defineUpcaster(first, second, ({ orderId, pence }) => ({
      orderId,
      total: { pence, currency: 'GBP' },
    }));
    const findings = await check(lock, subject([second as EventContract], { ...readers, upcasters: [good] }));
    expect(told(findings)).toEqual(['not-accepted', 'contract-new']);
  });

  test('let the old contract stay in the code after its deprecation has run out, for what is in the log', async () => {
    const leaving = defineEvent({
      type,
      key: 'orderId',
      owner: 'orders',
      schema: z.object(base),
      deprecated: { since: '2026-01-01', until: '2026-06-01' },
    });
    const upcasters = [
      defineUpcaster(leaving, second, ({ orderId, pence }) => ({
        orderId,
        total: { pence, currency: 'GBP' },
      })),
    ];
    const contracts = [leaving as EventContract, second as EventContract];
    const reading = (upcast: readonly string[]): GateSubject =>
      subject(contracts, {
        upcasters,
        consumers: [consumer('payment', { types: [type, second.type], upcast })],
      });
    const before = new Date('2026-03-01');
    const { lock: moved } = await accept({
      lock: null,
      subject: reading([type]),
      types: [],
      waivers: [],
      now: before,
    });
    expect(told(await check(moved, reading([type])))).toEqual([]);
    expect(told(await check(moved, reading([])))).toEqual([
      'deprecated-consumed',
      'deprecation-expired',
      'not-accepted',
    ]);
    // Beginning to read old events as new ones is what is wanted.
    const { lock: alone } = await accept({
      lock: null,
      subject: { ...reading([type]), consumers: [] },
      types: [],
      waivers: [],
      now: before,
    });
    expect(told(await check(alone, reading([type])))).toEqual(['not-accepted', 'not-accepted']);
  });

  test('that answer what does not fit are found with a payload that shows it', async () => {
    const bad = defineUpcaster(first, second, ({ orderId, pence, note }) => ({
      orderId,
      total: { pence, currency: note as string },
    }));
    const findings = await check(lock, subject([second as EventContract], { ...readers, upcasters: [bad] }));
    const failure = findings.find(({ rule }) => rule === 'upcaster-fails');
    expect(failure?.witness).not.toHaveProperty('note');
    expect(failure?.message).toContain('total.currency');
  });
});

describe('what consumers read', () => {
  const reading = (...fields: string[]): Partial<GateSubject> => ({
    consumers: [consumer('payment', { reads: new Map([[type, fields]]) })],
  });

  test('and nobody promises is a break of that consumer', async () => {
    const findings = await check(lock, subject([placed()], reading('pence', 'total.pence')));
    expect(told(findings)).toEqual(['read-not-promised /total/pence', 'not-accepted']);
    expect(findings[0]?.affected.map(({ name }) => name)).toEqual(['payment']);
  });

  test('and is not always there is told once', async () => {
    const given = subject([placed()], reading('note'));
    expect(told(await check(lock, given))).toEqual(['not-accepted', 'read-optional /note']);
    expect(told(await check(await lockOf(given), given))).toEqual([]);
  });

  test('and is no longer always there is told', async () => {
    const accepted = await lockOf(subject([placed()]));
    const shape = { ...base, pence: z.int().optional() };
    expect(told(await check(accepted, subject([placed(shape)])))).toContain('read-optional /pence');
  });
});

describe('high impact', () => {
  const terms = { highImpact: true, sla: { handledWithin: '1m' } };

  test('needs the word of the owner for exactly this state', async () => {
    const accepted = await lockOf(subject([placed(base, terms)]));
    expect(told(await check(accepted, subject([placed(base, terms)])))).toEqual(['approval-missing']);
    const contract = accepted.contracts.get(type);
    if (contract === undefined) throw new Error('it was accepted');
    const approval = { by: 'orders/ada', at: '2026-06-01T00:00:00.000Z', digest: contract.digest };
    const approved = { ...accepted, contracts: new Map([[type, { ...contract, approval }]]) };
    expect(told(await check(approved, subject([placed(base, terms)])))).toEqual([]);
    const changed = subject([placed({ ...base, voucher: z.string().optional() }, terms)]);
    const findings = await check(approved, changed);
    expect(told(findings)).toEqual(['approval-missing', 'not-accepted']);
    expect(findings[0]?.message).toContain('orders/ada (2026-06-01)');
    expect(told(await check(approved, subject([placed(base)])))).toEqual([
      'approval-missing',
      'not-accepted',
    ]);
  });
});

describe('time', () => {
  test('a deprecation holds for its last day, and not longer', async () => {
    const leaving = placed(base, {
      deprecated: { since: '2026-01-01', until: '2026-06-15', replacement: 'shop.order.placed.v2' },
    });
    const accepted = await lockOf(subject([leaving]));
    expect(told(await check(accepted, subject([leaving])))).toEqual([]);
    const [finding] = await check(accepted, subject([leaving]), new Date('2026-06-16T00:00:00Z'));
    expect(finding).toMatchObject({ rule: 'deprecation-expired', kind: 'demand' });
    expect(finding?.message).toContain('payment, spend still consume it');
  });

  test('nobody begins to consume what is deprecated', async () => {
    const leaving = placed(base, { deprecated: { since: '2026-01-01', until: '2027-01-01' } });
    const accepted = await lockOf(subject([leaving], { consumers: [spend] }));
    expect(told(await check(accepted, subject([leaving])))).toEqual(['deprecated-consumed', 'not-accepted']);
  });
});

describe('waivers', () => {
  const waiver = (more: Partial<Waiver> = {}): Waiver => ({
    contract: type,
    rule: 'ordering-changed',
    path: '',
    owner: 'orders/ada',
    reason: 'nobody relies on it',
    until: '2026-06-15',
    ...more,
  });
  const changed = subject([placed(base, { ordering: 'none' })]);
  const withWaiver = async (more: Partial<Waiver>, at = now): Promise<string[]> =>
    (await check({ ...lock, waivers: [waiver(more)] }, changed, at))
      .filter(
        ({ rule, waiver: by }) => rule === 'waiver-expired' || (rule === 'ordering-changed' && by === null),
      )
      .map(({ rule }) => rule);

  test.each([
    ['of the owner', {}, []],
    ['of the team itself', { owner: 'orders' }, []],
    ['of whatever breaks', { rule: 'all' }, []],
    ['of another rule', { rule: 'key-changed' }, ['ordering-changed']],
    ['of another contract', { contract: 'shop.order.paid.v1' }, ['ordering-changed']],
    ['at another place', { path: '/note' }, ['ordering-changed']],
    ['of another team', { owner: 'payments/bob' }, ['ordering-changed']],
    ['of a team whose name begins alike', { owner: 'orders-emea/bob' }, ['ordering-changed']],
    ['without an end', { until: null }, ['ordering-changed']],
  ])('%s', async (_, more, rules) => {
    expect(await withWaiver(more)).toEqual(rules);
  });

  test('let a finding pass, and stand beside it', async () => {
    const findings = await check({ ...lock, waivers: [waiver()] }, changed);
    expect(findings.find(({ rule }) => rule === 'ordering-changed')?.waiver?.owner).toBe('orders/ada');
  });

  test('that ended fail by themselves', async () => {
    expect(await withWaiver({}, new Date('2026-06-16T00:00:00Z'))).toEqual([
      'ordering-changed',
      'waiver-expired',
    ]);
    const idle = await check({ ...lock, waivers: [waiver({ until: '2026-06-14' })] }, subject([placed()]));
    expect(told(idle)).toEqual(['waiver-expired']);
    expect(idle[0]?.remedy).toContain('Nothing needs it any more');
  });
});

test('a contract whose schema cannot be had is told, and not taken for removed', async () => {
  const opaque = { '~standard': { version: 1, vendor: 'own', validate: (value: unknown) => ({ value }) } };
  const odd = defineEvent({ type, key: 'orderId', schema: opaque } as never) as EventContract;
  const findings = await check(lock, subject([odd]));
  expect(told(findings)).toEqual(['schema-unavailable']);
});
