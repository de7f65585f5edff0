import { beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import {
  base,
  check,
  consumer,
  lockOf,
  now,
  placed,
  spend,
  subject,
  told,
  type,
} from '../../../test/contracts/gate-shop.ts';
import type { EventContract } from '../contract.ts';
import { defineEvent } from '../define-event.ts';
import { defineUpcaster } from '../upcasting/define-upcaster.ts';
import { accept } from './accept.ts';
import { checkLock } from './check-lock.ts';
import type { ContractsLock, Waiver } from './lock.ts';
import { parseLock, renderLock } from './lock-text.ts';
import type { GateSubject } from './subject.ts';

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

  test('make a break allowed when the payloads of the old schema come out as the new one wants them, and only then', async () => {
    const withUpcaster = (total: (pence: number) => object): GateSubject =>
      subject([second as EventContract], {
        ...readers,
        upcasters: [
          defineUpcaster(first, second, ({ orderId, pence }) => ({ orderId, total: total(pence) }) as never),
        ],
      });
    const acceptOf = (given: GateSubject) => accept({ lock, subject: given, types: [], waivers: [], now });
    const [good, rounding, lossy] = [
      withUpcaster((pence) => ({ pence, currency: 'GBP' })),
      withUpcaster((pence) => ({ pence: pence + 0.5, currency: 'GBP' })),
      withUpcaster((pence) => ({ pence })),
    ];
    const { lock: moved } = await acceptOf(good);
    expect(told(await check(moved, good))).toEqual([]);
    for (const given of [rounding, lossy]) {
      expect(told(await check(lock, given))).toContain('upcaster-fails');
      await expect(acceptOf(given)).rejects.toMatchObject({ code: 'ACCEPT_REFUSED' });
      // Nor does a lock that has the new version already let it pass.
      expect(told(await check(moved, given))).toContain('upcaster-fails');
    }
    const without = subject([second as EventContract], readers);
    expect((await checkLock(lock, without, { now })).ok).toBe(false);
    await expect(acceptOf(without)).rejects.toMatchObject({ code: 'ACCEPT_REFUSED' });
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
