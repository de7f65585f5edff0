import { describe, expect, it } from 'vitest';
import { findingsOf, type Observed } from './findings.ts';

const nothing: Observed = { calls: [], repeated: [], waiting: [] };
const charge = (idempotencyKey: string | null, pence = 1, repeated = false) => ({
  name: 'charge',
  idempotencyKey,
  request: { pence },
  repeated,
});

describe('what is wrong whatever a saga is about', () => {
  it('is an effect under two keys, not a repeat under one', () => {
    const once = { ...nothing, calls: [charge('a')] };
    expect(findingsOf(once, { ...nothing, calls: [charge('a'), charge('a', 1, true)] })).toEqual([]);
    expect(findingsOf(once, { ...nothing, calls: [charge('a'), charge('b')] })).toEqual([
      'charge {"pence":1} was done 2 times, under 2 different idempotency keys',
    ]);
    expect(findingsOf(once, { ...nothing, calls: [charge(null), charge(null)] })).toEqual([
      'charge {"pence":1} was done 2 times, without an idempotency key',
    ]);
  });

  it('is not what the saga does twice undisturbed', () => {
    const twice = { ...nothing, calls: [charge('a'), charge('b')] };
    expect(findingsOf(twice, twice)).toEqual([]);
  });

  it('is one key for different things', () => {
    const observed = { ...nothing, calls: [charge('a', 1), charge('a', 2, true)] };
    expect(findingsOf(observed, observed)).toEqual([
      'one idempotency key stands for different things: charge {"pence":1} and charge {"pence":2}',
    ]);
  });

  it('is an event that one event has caused twice', () => {
    const observed = { ...nothing, repeated: [{ type: 'a.b.c.v1', data: '{}', times: 2 }] };
    expect(findingsOf(nothing, observed)).toEqual(['a.b.c.v1 {} was published 2 times because of one event']);
    expect(findingsOf(observed, observed)).toEqual([]);
  });

  it('is what an injection leaves in quarantine', () => {
    const observed = {
      ...nothing,
      waiting: [{ consumer: 'pay', what: 'a.b.c.v1', message: 'duplicate key' }],
    };
    expect(findingsOf(nothing, observed)).toEqual([
      'a.b.c.v1 is left waiting for a person in pay: duplicate key',
    ]);
    expect(findingsOf(observed, observed)).toEqual([]);
  });
});
