import { describe, expect, test } from 'vitest';
import { verdict } from '../../../test/contracts/json-schema-verdict.ts';
import { limits } from './limits.ts';

const numbered = <Made>(count: number, make: (index: number) => Made): Made[] =>
  Array.from({ length: count }, (_, index) => make(index));

/** Models as an API has them: each refers to two others, and so to all. */
const models = (count: number, nameLength: number): object => ({
  $ref: '#/$defs/model0',
  $defs: Object.fromEntries(
    numbered(count, (index) => [
      `model${index}`,
      {
        type: 'object',
        properties: {
          name: { type: 'string', maxLength: index === 3 ? nameLength : 50 + index },
          parent: { $ref: `#/$defs/model${(index * 7 + 3) % count}` },
          items: { type: 'array', items: { $ref: `#/$defs/model${(index * 3 + 1) % count}` } },
        },
        additionalProperties: false,
      },
    ]),
  ),
});

/** Events told apart by their type. */
const events = (count: number, payload: object): object => ({
  oneOf: numbered(count, (index) => ({
    type: 'object',
    properties: {
      type: { const: `event-${index}` },
      payload: { type: 'integer', minimum: index },
      ...payload,
    },
    required: ['type', 'payload'],
    additionalProperties: false,
  })),
});

const fields = (count: number, type: string): object => ({
  type: 'object',
  properties: Object.fromEntries(numbered(count, (index) => [`field${index}`, { type }])),
  required: numbered(count / 2, (index) => `field${index}`),
  additionalProperties: false,
});

/** Definitions one inside the other, and then something else. */
const chain = (length: number, last: object): object => ({
  $ref: '#/$defs/link0',
  $defs: Object.fromEntries(
    numbered(length, (index) => [
      `link${index}`,
      index === length - 1
        ? last
        : { properties: { next: { $ref: `#/$defs/link${index + 1}` }, [`is${index}`]: {} } },
    ]),
  ),
});

describe('large schemas', { timeout: 60_000 }, () => {
  test('200 models that refer to each other: a difference is told by one of its ways', () => {
    expect(verdict(models(200, 100), models(200, 200))).toBe('ok');
    expect(verdict(models(200, 100), models(200, 5))).toBe('max-length-lowered /parent/name');
  });

  test('500 models that refer to each other can be followed', () => {
    expect(verdict(models(500, 100), models(500, 200))).toBe('ok');
  });

  test('a union of 60 events, each of which loses a member', () => {
    const note = { note: { type: 'string' } };
    expect(verdict(events(60, {}), events(60, note))).toBe('ok');
    expect(verdict(events(60, note), events(60, {}))).toMatch(/^property-removed-from-closed-object \/note/);
  });

  test('1,000 fields that all have another type: as many are told as time allows', () => {
    const told = verdict(fields(1000, 'string'), fields(1000, 'boolean')).split(', ');
    expect(told[0]).toBe('type-narrowed /field0');
    expect(told.length).toBeGreaterThan(10);
  });

  test('what is nested deeper than the stack is not proved', () => {
    const [number, integer] = [chain(3000, { type: 'number' }), chain(3000, { type: 'integer' })];
    const before = limits.depth;
    Object.assign(limits, { depth: 10_000 });
    try {
      expect(verdict(number, integer)).toMatch(/^not-proved/);
      expect(verdict(integer, number)).toMatch(/^not-proved/);
    } finally {
      Object.assign(limits, { depth: before });
    }
  });
});
