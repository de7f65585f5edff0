import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { EventContract } from '../contract.ts';
import { defineEvent } from '../define-event.ts';
import { type Accepted, accept } from './accept.ts';
import { approve } from './approve.ts';
import { checkLock } from './check-lock.ts';
import { planDeprecation } from './deprecate.ts';
import type { ContractsLock, Waiver } from './lock.ts';
import { renderLock } from './lock-text.ts';
import { readiness } from './readiness.ts';
import type { GateConsumer, GateSubject } from './subject.ts';

const now = new Date('2026-06-15T12:00:00Z');
const type = 'shop.order.placed.v1';

const event = (terms: Readonly<Record<string, unknown>> = {}): EventContract =>
  defineEvent({
    type,
    key: 'orderId',
    owner: 'orders',
    schema: z.object({ orderId: z.string() }),
    ...terms,
  } as never);

const consumer = (name: string, types: readonly string[]): GateConsumer => ({
  name,
  class: 'operational',
  types,
  ordering: 'key',
  reads: null,
});

const subject = (...contracts: EventContract[]): GateSubject => ({
  app: 'shop',
  contracts,
  upcasters: [],
  consumers: [consumer('payment', [type])],
});

const run = (
  lock: ContractsLock | null,
  given: GateSubject,
  more: Partial<Parameters<typeof accept>[0]> = {},
): Promise<Accepted> => accept({ lock, subject: given, types: [], waivers: [], now, ...more });

const waiver = (more: Partial<Waiver> = {}): Waiver => ({
  contract: type,
  rule: 'ordering-changed',
  path: '',
  owner: 'orders/ada',
  reason: 'nobody relies on it',
  until: '2026-12-31',
  ...more,
});

const paid = event({ type: 'shop.order.paid.v1' });

describe('accept', () => {
  test('writes what is new, what has changed and what is gone, and then the check passes', async () => {
    const first = await run(null, subject(event(), paid));
    expect([...first.changes]).toEqual([
      [type, 'added'],
      ['shop.order.paid.v1', 'added'],
    ]);
    const next = subject(event({ kind: 'integration' }));
    const second = await run(first.lock, next);
    expect([...second.changes]).toEqual([
      [type, 'changed'],
      ['shop.order.paid.v1', 'removed'],
    ]);
    expect(await checkLock(second.lock, next, { now })).toMatchObject({ ok: true, findings: [] });
    expect((await run(second.lock, next)).changes.size).toBe(0);
  });

  test('of one contract leaves the others as they were', async () => {
    const { lock } = await run(null, subject(event(), paid));
    const next = subject(
      event({ kind: 'integration' }),
      event({ type: 'shop.order.paid.v1', kind: 'integration' }),
    );
    const { changes } = await run(lock, next, { types: [type] });
    expect([...changes]).toEqual([[type, 'changed']]);
  });

  test('of a mistyped contract names those that may be meant', async () => {
    await expect(run(null, subject(event()), { types: ['shop.order.placd.v1'] })).rejects.toMatchObject({
      code: 'CONTRACT_UNKNOWN',
      message: expect.stringContaining(type),
    });
  });

  test('refuses what would break somebody, and says what', async () => {
    const { lock } = await run(null, subject(event()));
    await expect(run(lock, subject(event({ ordering: 'none' })))).rejects.toMatchObject({
      code: 'ACCEPT_REFUSED',
      exitCode: 1,
      details: { findings: [{ rule: 'ordering-changed' }] },
    });
  });

  test('takes a break with the waiver of its owner, which stays on record', async () => {
    const { lock } = await run(null, subject(event()));
    const next = subject(event({ ordering: 'none' }));
    const accepted = await run(lock, next, { waivers: [waiver()] });
    expect(accepted.lock.waivers).toEqual([waiver()]);
    expect(await checkLock(accepted.lock, next, { now })).toMatchObject({ ok: true });
    expect(await checkLock(accepted.lock, next, { now: new Date('2027-01-01') })).toMatchObject({
      ok: false,
      findings: [{ rule: 'waiver-expired' }],
    });
    const later = await run(accepted.lock, next, { now: new Date('2027-01-01') });
    expect([later.lock.waivers, later.waiversDropped]).toEqual([[], [waiver()]]);
  });

  test.each([
    ['of another team', { owner: 'payments/bob' }, 'NOT_THE_OWNER', /owner is orders/],
    ['that has ended', { until: '2026-06-14' }, 'WAIVER_INVALID', /would have ended/],
    ['until a day that is none', { until: 'tomorrow' }, 'WAIVER_INVALID', /is not a day/],
    ['until the 31st of February', { until: '2026-02-31' }, 'WAIVER_INVALID', /is not a day/],
    ['that nothing needs', { rule: 'key-changed' }, 'WAIVER_INVALID', /there is ordering-changed/],
    [
      'at a place where nothing is',
      { path: '/pence' },
      'WAIVER_INVALID',
      /nothing breaks ordering-changed at \/pence/,
    ],
  ])('refuses a waiver %s', async (_, more, code, message) => {
    const { lock } = await run(null, subject(event()));
    const refused = run(lock, subject(event({ ordering: 'none' })), { waivers: [waiver(more)] });
    await expect(refused).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  });

  test('begins the history of a transitive mode anew with a break that was let pass', async () => {
    const version = (shape: z.ZodRawShape): GateSubject =>
      subject(
        event({ compatibility: 'backward-transitive', schema: z.object({ orderId: z.string(), ...shape }) }),
      );
    const history = (accepted: Accepted): number | undefined =>
      accepted.lock.contracts.get(type)?.history.length;
    const first = await run(null, version({ a: z.int() }));
    const second = await run(first.lock, version({ a: z.int(), b: z.int().optional() }));
    expect(history(second)).toBe(1);
    expect(history(await run(second.lock, version({ a: z.int(), b: z.int().optional() })))).toBe(1);
    const waivers = [waiver({ rule: 'all' })];
    const broken = await run(second.lock, version({ a: z.string() }), { waivers });
    expect(history(broken)).toBe(0);
    expect(history(await run(broken.lock, version({ a: z.string(), c: z.int().optional() })))).toBe(1);
  });

  test('said again replaces the waiver', async () => {
    const { lock } = await run(null, subject(event()));
    const held = { ...lock, waivers: [waiver({ reason: 'old' })] };
    const { lock: next } = await run(held, subject(event({ ordering: 'none' })), { waivers: [waiver()] });
    expect(next.waivers).toEqual([waiver()]);
  });

  test('a change that is made and taken back leaves the same file', async () => {
    const { lock } = await run(null, subject(event(), paid));
    const there = await run(lock, subject(event({ kind: 'system' }), paid));
    const back = await run(there.lock, subject(event(), paid));
    expect(renderLock(back.lock)).toBe(renderLock(lock));
  });
});

describe('approve', () => {
  const important = { highImpact: true, sla: { handledWithin: '1m' } };

  test('is the word for one state: void after the next change, whoever accepts it', async () => {
    const given = subject(event(important));
    const { lock, findings } = await run(null, given);
    expect(findings).toMatchObject([{ rule: 'approval-missing' }]);
    const approved = approve({ lock, subject: given, type, by: 'orders/ada', now });
    expect(approved).toMatchObject({ accepted: true, approval: { by: 'orders/ada', at: now.toISOString() } });
    expect(await checkLock(approved.lock, given, { now })).toMatchObject({ ok: true });
    const next = subject(event({ ...important, kind: 'integration' }));
    const accepted = await run(approved.lock, next);
    expect(accepted.findings).toMatchObject([
      { rule: 'approval-missing', message: expect.stringContaining('void') },
    ]);
  });

  test('is for the owner that the lock file names', async () => {
    const { lock } = await run(null, subject(event(important)));
    const given = subject(event({ ...important, owner: 'payments' }));
    expect(() => approve({ lock, subject: given, type, by: 'payments/bob', now })).toThrow(
      /its owner is orders/,
    );
    expect(() => approve({ lock, subject: given, type, by: 'orders/', now })).toThrow(/its owner is orders/);
  });

  test('of what nobody knows, or nobody has accepted, says so', async () => {
    const given = subject(event(important));
    expect(() => approve({ lock: null, subject: given, type, by: 'orders', now })).toThrow(
      /does not know shop/,
    );
    expect(() => approve({ lock: null, subject: given, type: 'a.b.c.v1', by: 'orders', now })).toThrow(
      /there are/,
    );
  });

  test('is needed to give up the high impact', async () => {
    const { lock } = await run(null, subject(event(important)));
    const given = subject(event());
    await expect(run(lock, given)).rejects.toMatchObject({ code: 'ACCEPT_REFUSED' });
    const approved = approve({ lock, subject: given, type, by: 'orders', now });
    expect(approved.accepted).toBe(false);
    const accepted = await run(approved.lock, given);
    expect(await checkLock(accepted.lock, given, { now })).toMatchObject({ ok: true });
  });
});

describe('deprecate', () => {
  const plan = (given: GateSubject, lock: ContractsLock | null, more = {}) =>
    planDeprecation({
      subject: given,
      lock,
      type,
      since: '2026-07-01',
      until: '2026-12-31',
      replacement: null,
      ...more,
    });

  test('prints the line for the code, and knows when code and lock file say it', async () => {
    const { lock } = await run(null, subject(event(), paid));
    const asked = plan(subject(event(), paid), lock, { replacement: 'shop.order.paid.v1' });
    expect(asked).toMatchObject({
      line: "deprecated: { since: '2026-07-01', until: '2026-12-31', replacement: 'shop.order.paid.v1' },",
      declared: false,
      accepted: false,
    });
    expect([...asked.consumers.keys()]).toEqual(['payment']);
    const said = subject(event({ deprecated: { since: '2026-07-01', until: '2026-12-31' } }));
    expect(plan(said, lock)).toMatchObject({ declared: true, accepted: false });
    expect(plan(said, (await run(lock, said)).lock)).toMatchObject({ declared: true, accepted: true });
    expect(plan(said, (await run(lock, said)).lock, { until: '2027-01-01' })).toMatchObject({
      declared: false,
      accepted: false,
    });
  });

  test.each([
    [{ type: 'shop.order.placd.v1' }, /there are/],
    [{ replacement: 'shop.order.gone.v1' }, /there are/],
    [{ replacement: type }, /another contract/],
    [{ since: '2026-02-30' }, /a day like/],
    [{ until: 'soon' }, /a day like/],
    [{ until: '2026-06-30' }, /a day from 2026-07-01 on/],
  ])('%j is refused', (more, message) => {
    expect(() => plan(subject(event()), null, more)).toThrow(message);
  });
});

describe('readiness', () => {
  const second = 'shop.order.placed.v2';
  const given = (...consumers: GateConsumer[]): GateSubject => ({
    ...subject(event(), event({ type: second })),
    consumers,
  });
  const states = (...consumers: GateConsumer[]): unknown => {
    const answer = readiness({ subject: given(...consumers), lock: null, type: second });
    return [answer.ready, answer.consumers.map(({ consumer: name, state }) => `${name} ${state}`)];
  };

  test('is about the consumers of the version and of the one before', () => {
    const consumers = [
      consumer('old', [type]),
      consumer('new', [second]),
      consumer('both', [type, second]),
      consumer('other', [paid.type]),
    ];
    expect(states(...consumers)).toEqual([false, ['both both', 'new ready', 'old waiting']]);
    expect(states(...consumers.slice(1))).toEqual([true, ['both both', 'new ready']]);
    expect(states()).toEqual([true, []]);
  });

  test('counts what runs: a consumer whose old release still runs is not ready', () => {
    const live = [
      { codeVersion: '1.0', processes: 2, types: [type] },
      { codeVersion: '2.0', processes: 1, types: [second] },
    ];
    const answer = readiness({
      subject: given({ ...consumer('payment', [second]), live }),
      lock: null,
      type: second,
    });
    expect(answer).toMatchObject({
      ready: false,
      consumers: [{ state: 'ready', live: [{ codeVersion: '1.0', state: 'waiting' }, { state: 'ready' }] }],
    });
  });

  test('shows what each has handled, where that was measured', () => {
    const handled = [
      { consumer: 'payment', type, events: 5, waiting: 1 },
      { consumer: 'payment', type: second, events: 7, waiting: 1 },
      { consumer: 'spend', type, events: 9, waiting: 1 },
    ];
    const answer = readiness({
      subject: given(consumer('payment', [type, second])),
      lock: null,
      type: second,
      handled,
    });
    expect(answer.consumers[0]?.handled).toEqual({ old: 5, new: 7, waiting: 2 });
  });

  test('skips versions that are not there, and refuses unknown types', () => {
    const third = 'shop.order.placed.v10';
    const sparse = {
      ...given(consumer('old', [second])),
      contracts: [event({ type: second }), event({ type: third })],
    };
    expect(readiness({ subject: sparse, lock: null, type: third }).previous).toBe(second);
    expect(() => readiness({ subject: sparse, lock: null, type: 'shop.order.placed.v3' })).toThrow(
      /there are/,
    );
  });
});
