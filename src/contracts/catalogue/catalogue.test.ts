import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { EventContract } from '../contract.ts';
import { defineEvent } from '../define-event.ts';
import { accept } from '../gate/accept.ts';
import type { GateSubject } from '../gate/subject.ts';
import { defineUpcaster } from '../upcasting/define-upcaster.ts';
import { catalogue } from './catalogue.ts';

const first = defineEvent({
  type: 'shop.order.placed.v1',
  key: 'orderId',
  owner: 'orders',
  summary: 'A customer has ordered.',
  sla: { handledWithin: '1m' },
  sensitivity: { email: 'personal' },
  deprecated: { since: '2026-01-01', until: '2026-12-31', replacement: 'shop.order.placed.v2' },
  schema: z.object({ orderId: z.string(), email: z.email() }),
});
const second = defineEvent({
  type: 'shop.order.placed.v2',
  key: 'orderId',
  schema: z.object({ orderId: z.string(), email: z.email(), pence: z.int() }),
});

const subject = (more: Partial<GateSubject> = {}): GateSubject => ({
  app: 'shop',
  contracts: [second as EventContract, first as EventContract],
  upcasters: [],
  consumers: [
    {
      name: 'mail',
      class: 'operational',
      owner: 'crm',
      types: [first.type],
      ordering: 'key',
      reads: new Map([[first.type, ['email']]]),
    },
  ],
  ...more,
});

describe('the catalogue', () => {
  test('says everything about an event', async () => {
    const [entry] = await catalogue(subject());
    expect(entry).toMatchObject({
      type: 'shop.order.placed.v1',
      event: 'shop.order.placed',
      version: 1,
      kind: 'domain',
      summary: 'A customer has ordered.',
      owner: 'orders',
      key: ['orderId'],
      ordering: 'key',
      retention: 'standard',
      compatibility: 'backward',
      highImpact: false,
      sla: { handledWithin: '1m' },
      sensitivity: { email: 'personal' },
      deprecated: { since: '2026-01-01', until: '2026-12-31', replacement: 'shop.order.placed.v2' },
      producers: ['shop'],
      consumers: [{ name: 'mail', class: 'operational', owner: 'crm', reads: ['email'], live: [] }],
      changes: null,
      accepted: null,
      gaps: [],
    });
    expect(first.schema['~standard'].validate(entry?.example)).toHaveProperty('value');
    expect(entry?.schemas).toMatchObject([
      { format: 'json-schema', output: { additionalProperties: false }, input: { type: 'object' } },
    ]);
    expect(JSON.parse(JSON.stringify(entry))).toEqual(entry);
  });

  test('is sorted, and names what is missing', async () => {
    const entries = await catalogue(subject());
    expect(entries.map(({ type, gaps }) => [type, gaps])).toEqual([
      ['shop.order.placed.v1', []],
      ['shop.order.placed.v2', ['owner', 'consumer']],
    ]);
  });

  test('says what changed since the version before, and whether old events are read as this one', async () => {
    const upcaster = defineUpcaster(first, second, (data) => ({ ...data, pence: 0 }));
    const [, entry] = await catalogue(subject({ upcasters: [upcaster] }));
    expect(entry?.changes).toMatchObject({ from: 'shop.order.placed.v1', upcast: true });
    expect(entry?.changes?.changes.map(({ path }) => path).join()).toContain('pence');
  });

  test('says what the lock file holds', async () => {
    const one = subject({ contracts: [first as EventContract] });
    const { lock } = await accept({
      lock: null,
      subject: one,
      types: [],
      waivers: [],
      now: new Date('2026-06-15'),
    });
    expect((await catalogue(subject(), { lock })).map(({ accepted }) => accepted)).toEqual([true, false]);
  });

  test('keeps a version that only an upcaster reads', async () => {
    const upcaster = defineUpcaster(first, second, (data) => ({ ...data, pence: 0 }));
    const entries = await catalogue(subject({ contracts: [second as EventContract], upcasters: [upcaster] }));
    expect(entries.map(({ type }) => type)).toEqual(['shop.order.placed.v1', 'shop.order.placed.v2']);
  });

  test('shows no example that the contract itself would refuse', async () => {
    const odd = defineEvent({
      type: 'shop.order.placed.v1',
      key: 'orderId',
      schema: z.object({ orderId: z.string() }).refine(({ orderId }) => orderId === 'nobody guesses this'),
    });
    const [entry] = await catalogue(subject({ contracts: [odd as EventContract] }));
    expect([entry?.example, entry?.gaps]).toEqual([null, ['example', 'owner']]);
  });
});
