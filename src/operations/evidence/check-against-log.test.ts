import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { defineEvent, defineUpcaster, type EventContract, type Upcaster } from '../../contracts/index.ts';
import type { StoredEvent } from '../../log/index.ts';
import { checkAgainstLog, type LogEvidence } from './check-against-log.ts';
import { observedInLog } from './observed.ts';
import type { SampledEvent } from './sample.ts';

const Placed = defineEvent({
  type: 'shop.order.placed.v2',
  key: 'orderId',
  schema: z.object({
    orderId: z.string(),
    lines: z.array(z.object({ price: z.int().positive() })).default([]),
    note: z
      .string()
      .refine((text) => text !== 'nonsense', 'makes no sense')
      .optional(),
  }),
});
const PlacedV1 = defineEvent({
  type: 'shop.order.placed.v1',
  key: 'orderId',
  schema: z.object({ orderId: z.string(), price: z.int() }),
});
const v1ToV2 = defineUpcaster(PlacedV1, Placed, ({ orderId, price }) => ({ orderId, lines: [{ price }] }));

let position = 1_000;

const sampled = (data: object, options: Partial<StoredEvent> & { parked?: SampledEvent['parked'] } = {}) => {
  position -= 1;
  const { parked = [], ...event } = options;
  return {
    event: {
      position,
      id: `id-${position}`,
      type: Placed.type,
      source: 'shop',
      key: 'orderId=A1',
      keyHash: 7,
      data: JSON.stringify(data),
      meta: '{"subject":"A1","correlationId":"c"}',
      time: '2026-11-20T10:00:00.000Z',
      recordedAt: `2026-11-20T10:00:00.${position}Z`,
      ...event,
    } as StoredEvent,
    members: Object.keys(data).sort(),
    parked,
  };
};

const check = (
  events: readonly ReturnType<typeof sampled>[],
  contracts: readonly EventContract[] = [Placed],
  upcasters: readonly Upcaster[] = [],
): LogEvidence =>
  checkAgainstLog({ contracts, upcasters, sample: { events, span: { after: 0, upTo: 1_000 } } });

const good = { orderId: 'A1', lines: [] };

describe('events that are really in the log', () => {
  test('count by the version of who wrote them, and what the new schema refuses is named', () => {
    const events = [
      sampled(good),
      sampled({ orderId: 'A1', lines: [{ price: 0 }, { price: -1 }] }),
      sampled({ orderId: 'A1', note: 'nonsense' }, { source: 'till' }),
    ];
    const evidence = check(events);
    expect(evidence).toMatchObject({
      checked: 3,
      refused: 2,
      contracts: [
        {
          contract: Placed.type,
          checked: 3,
          refused: 2,
          versions: [
            {
              source: 'shop',
              members: ['lines', 'orderId'],
              parked: false,
              checked: 2,
              refused: 1,
              // Both lines are the same reason, once for the event.
              refusals: [{ path: '/lines/*/price', count: 1, events: [{ id: events[1]?.event.id }] }],
            },
            {
              source: 'till',
              members: ['note', 'orderId'],
              refused: 1,
              refusals: [{ path: '/note', message: 'makes no sense' }],
            },
          ],
        },
      ],
    });
    expect(JSON.parse(JSON.stringify(evidence))).toEqual(evidence);
  });

  test('of an old version are held against the contract that reads them through an upcaster, and against their own', () => {
    const old = (price: unknown) => sampled({ orderId: 'A1', price }, { type: PlacedV1.type });
    const events = [old(5), old(0), old('five')];
    const evidence = check(events, [Placed, PlacedV1], [v1ToV2]);
    const [own, upcast] = evidence.contracts;
    expect(own).toMatchObject({ contract: PlacedV1.type, checked: 3, refused: 1 });
    expect(own?.versions[0]?.refusals).toMatchObject([{ code: 'PAYLOAD_INVALID', path: '/price' }]);
    // What the older contract refuses is told there, once.
    expect(upcast).toMatchObject({ contract: Placed.type, checked: 3, refused: 1 });
    expect(upcast?.versions[0]).toMatchObject({
      type: PlacedV1.type,
      refusals: [{ code: 'UPCAST_FAILED', path: '/lines/*/price', events: [{ id: events[1]?.event.id }] }],
    });
    expect(evidence).toMatchObject({ checked: 3, refused: 2 });
  });

  test('that nobody looked at are told as such: a contract without events is left out', () => {
    expect(check([], [Placed])).toMatchObject({ checked: 0, refused: 0, contracts: [] });
  });

  test("are never quoted: their values are somebody's data", () => {
    const text = JSON.stringify(check([sampled({ orderId: 4711, lines: 'secret text' })]));
    expect(text).not.toContain('4711');
    expect(text).not.toContain('secret');
  });

  test('a failure names twenty of them at most', () => {
    const evidence = check(Array.from({ length: 30 }, () => sampled({})));
    const [refusal] = evidence.contracts[0]?.versions[0]?.refusals ?? [];
    expect(refusal).toMatchObject({ count: 30 });
    expect(refusal?.events).toHaveLength(20);
  });
});

describe('as findings of the gate', () => {
  const factsOf = (evidence: LogEvidence, contract: EventContract = Placed) =>
    observedInLog(evidence, [contract]).get(contract.type) ?? [];
  const wrong = { orderId: 'A1', lines: [{ price: 0 }] };

  test('one reason is one finding, which names how many, who wrote them, and which', () => {
    const events = [sampled(wrong), sampled(wrong, { source: 'till' }), sampled(good)];
    const facts = factsOf(check(events));
    expect(facts).toMatchObject([
      { rule: 'log-event-refused', kind: 'break', severity: 'error', path: '/lines/*/price' },
    ]);
    expect(facts[0]?.message).toMatch(/^2 of 3 events looked at would be refused, in the log: /);
    expect(facts[0]?.message).toContain('1 of 2 that shop wrote');
    expect(facts[0]?.message).toContain('1 of 1 that till wrote');
    expect(facts[0]?.message).toContain(`position ${events[0]?.event.position} (${events[0]?.event.id})`);
  });

  test('what is parked has failed already: a warning, apart', () => {
    const facts = factsOf(
      check([sampled(wrong, { parked: [{ id: 12, consumer: 'payment', failureClass: 'schema' }] })]),
    );
    expect(facts).toMatchObject([{ rule: 'parked-event-refused', kind: 'notice', severity: 'warning' }]);
    expect(facts[0]?.message).toContain('quarantine 12');
  });

  test('what is parked for another reason, or waits, has not: it counts like the rest of the log', () => {
    for (const failureClass of ['permanent', null]) {
      const facts = factsOf(
        check([sampled(wrong, { parked: [{ id: 12, consumer: 'payment', failureClass }] })]),
      );
      expect(facts).toMatchObject([{ rule: 'log-event-refused', severity: 'error' }]);
    }
  });

  test.each(['none', 'forward', 'forward-transitive'] as const)(
    'under %s the new code need not read the old events: a warning',
    (compatibility) => {
      const contract = defineEvent({
        type: Placed.type,
        key: 'orderId',
        schema: Placed.schema,
        compatibility,
      } as never);
      expect(factsOf(check([sampled(wrong)], [contract]), contract)).toMatchObject([
        { rule: 'log-event-refused', kind: 'notice', severity: 'warning' },
      ]);
    },
  );

  test('without a refusal there is none', () => {
    expect([...observedInLog(check([sampled(good)]), [Placed])]).toEqual([]);
  });
});
