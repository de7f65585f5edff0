import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { defineEvent } from '../contracts/index.ts';
import { defineHandler } from './operational/index.ts';
import { defineProjection, defineSqlProjection } from './projection/index.ts';

const A = defineEvent({
  type: 'test.a.made.v1',
  key: 'id',
  schema: z.object({ id: z.string(), lines: z.array(z.object({ price: z.int() })), note: z.string() }),
});
const B = defineEvent({
  type: 'test.b.made.v1',
  key: 'id',
  schema: z.object({ id: z.string(), weight: z.number() }),
});
const handle = async (): Promise<void> => {};
const fold = { primaryKey: 'id', columns: { id: 'text' }, evolve: () => ({}) } as const;
const statements = { create: async () => {}, apply: async () => {} };

describe('reads', () => {
  test('are null when they are not declared: it may read everything', () => {
    expect(defineHandler({ name: 'a', on: A, handle }).reads).toBeNull();
    expect(defineProjection({ name: 'a', on: A, ...fold }).reads).toBeNull();
  });

  test('as a list hold for every event', () => {
    const reads = new Map([
      [A.type, ['id']],
      [B.type, ['id']],
    ]);
    expect(defineHandler({ name: 'a', on: [A, B], reads: ['id'], handle }).reads).toEqual(reads);
    expect(defineSqlProjection({ name: 'a', on: [A, B], reads: ['id'], ...statements }).reads).toEqual(reads);
  });

  test('by type name the fields of each', () => {
    const reads = { [A.type]: ['lines.price', 'note'], [B.type]: [] } as const;
    expect(defineHandler({ name: 'a', on: [A, B], reads, handle }).reads).toEqual(
      new Map<string, unknown>([
        [A.type, ['lines.price', 'note']],
        [B.type, []],
      ]),
    );
  });

  test('of a fold include the primary key, which the engine reads unless `rows` names the rows', () => {
    expect(defineProjection({ name: 'a', on: A, reads: ['note'], ...fold }).reads?.get(A.type)).toEqual([
      'id',
      'note',
    ]);
    const rows = () => ({ id: 'x' });
    expect(defineProjection({ name: 'a', on: A, reads: ['note'], ...fold, rows }).reads?.get(A.type)).toEqual(
      ['note'],
    );
  });

  test('do not decide whether rows were made by the same declaration', () => {
    const [one, two] = [
      defineProjection({ name: 'a', on: A, ...fold }),
      defineProjection({ name: 'a', on: A, reads: [], ...fold }),
    ];
    expect(one.declaration).toEqual(two.declaration);
  });

  test.each([
    ['reads', 'id'],
    ['reads', ['a..b']],
    ['reads', { [A.type]: [], [B.type]: [], 'test.c.made.v1': [] }],
    [`reads["${B.type}"]`, { [A.type]: ['id'] }],
    [`reads["${A.type}"]`, { [A.type]: 'id', [B.type]: [] }],
    [`reads["${A.type}"]`, { [A.type]: [5], [B.type]: [] }],
  ])('that are wrong are refused at %s (%#)', (path, reads) => {
    for (const define of [
      () => defineHandler({ name: 'a', on: [A, B], reads: reads as never, handle }),
      () => defineProjection({ name: 'a', on: [A, B], reads: reads as never, ...fold }),
      () => defineSqlProjection({ name: 'a', on: [A, B], reads: reads as never, ...statements }),
    ]) {
      expect(define).toThrowError(
        expect.objectContaining({
          code: 'CONSUMER_INVALID',
          details: expect.objectContaining({ issues: [expect.objectContaining({ path })] }),
        }),
      );
    }
  });

  test('are checked by the compiler', () => {
    const wrong = (): unknown[] => [
      // @ts-expect-error no event has this field
      defineHandler({ name: 'a', on: [A, B], reads: ['colour'], handle }),
      // @ts-expect-error not every event has this field
      defineHandler({ name: 'a', on: [A, B], reads: ['note'], handle }),
      // @ts-expect-error no line has a colour
      defineHandler({ name: 'a', on: [A], reads: { [A.type]: ['lines.colour'] }, handle }),
      // @ts-expect-error what it reads of B is missing
      defineHandler({ name: 'a', on: [A, B], reads: { [A.type]: ['id'] }, handle }),
    ];
    expect(wrong).toBeTypeOf('function');
  });
});
