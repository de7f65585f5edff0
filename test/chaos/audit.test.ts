import { describe, expect, test } from 'vitest';
import { auditChaos, type ChaosFacts } from './audit.ts';

describe('the audit sees', () => {
  const right: ChaosFacts = {
    workflows: 1,
    instances: [
      {
        orderId: 'order-0',
        state: 'completed',
        result: 'confirmed',
        steps: ['reserve done', 'book done', 'charge done', 'pack done', 'ship done'],
      },
    ],
    bookings: new Map([['order-0', 1]]),
    ended: new Map([['order-0', 1]]),
    outside: Object.fromEntries(
      ['reserve', 'charge', 'pack', 'ship'].map((name) => [`order-0 ${name}`, { keys: [name], calls: 2 }]),
    ),
    parked: 0,
    intruders: [],
  };
  const [instance] = right.instances;
  if (instance === undefined) throw new Error('there is one');

  test.each<[string, Partial<ChaosFacts>, string]>([
    ['an instance that is missing', { instances: [] }, '0 instances'],
    ['an order with two instances', { instances: [instance, instance] }, '2 instances'],
    ['a wrong end', { instances: [{ ...instance, state: 'failed' }] }, 'state'],
    ['a wrong result', { instances: [{ ...instance, result: 'nobody confirms' }] }, 'result'],
    ['a step that is not recorded', { instances: [{ ...instance, steps: ['reserve done'] }] }, 'steps'],
    ['a booking too many', { bookings: new Map([['order-0', 2]]) }, 'bookings'],
    ['an event too many', { ended: new Map([['order-0', 2]]) }, 'ended'],
    ['a call that is missing', { outside: {} }, 'outside'],
    [
      'a call under two keys',
      { outside: { ...right.outside, 'order-0 ship': { keys: ['a', 'b'], calls: 2 } } },
      '2 idempotency keys',
    ],
    [
      'what was taken back without reason',
      { outside: { ...right.outside, 'order-0 undo book': { keys: ['a'], calls: 1 } } },
      'undo book',
    ],
    ['events that are parked', { parked: 1 }, 'parked'],
    ['a record in the lane of another', { intruders: ['worker 1 has recorded'] }, 'worker 1'],
  ])('%s', (_, wrong, text) => {
    expect(auditChaos(right)).toEqual([]);
    expect(auditChaos({ ...right, ...wrong }).join()).toContain(text);
  });
});
