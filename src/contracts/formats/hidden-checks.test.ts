import { type } from 'arktype';
import * as v from 'valibot';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { defineEvent, type PayloadSchema } from '../index.ts';
import { hiddenChecks } from './hidden-checks.ts';

const hidden = (schema: PayloadSchema) =>
  hiddenChecks(
    defineEvent({
      type: 'test.thing.made.v1',
      key: 'id',
      schema: schema as z.ZodType<{ id: string }, { id: string }>,
    }),
  ).map(({ path, what }) => `${path}: ${what}`);
const aFunction = 'a check that is a function';
const flags = 'the flags of a pattern';

test('zod: functions and flags are found wherever they are, each with its path', () => {
  interface Tree {
    id: string;
    children: Tree[];
  }
  const tree: z.ZodType<Tree, Tree> = z.lazy(() =>
    z.object({ id: z.string().refine(() => true), children: z.array(tree) }),
  );
  const schema = z
    .object({
      id: z.string(),
      code: z.string().regex(/^a/i).optional(),
      lines: z.array(
        z.object({
          quantity: z
            .int()
            .multipleOf(2)
            .superRefine(() => {}),
        }),
      ),
      either: z.union([z.string(), z.object({ deep: z.number().check(() => {}) }).nullable()]),
      pair: z.tuple([z.string().refine(() => true)]),
      named: z.record(
        z.string(),
        z
          .string()
          .default('x')
          .refine(() => true),
      ),
      tree,
      third: z.custom<string>(() => true),
    })
    .refine(() => true);
  expect(hidden(schema).sort()).toEqual(
    [
      `: ${aFunction}`,
      `code: ${flags}`,
      `either.deep: ${aFunction}`,
      `lines.quantity: ${aFunction}`,
      `named: ${aFunction}`,
      `pair: ${aFunction}`,
      `third: ${aFunction}`,
      `tree.id: ${aFunction}`,
    ].sort(),
  );
});

test('zod: what JSON Schema says is not hidden', () => {
  const schema = z.object({
    id: z.uuid(),
    email: z.email(),
    at: z.iso.datetime(),
    text: z.string().min(1).max(5).regex(/^a/u).startsWith('a'),
    n: z.int().positive().multipleOf(5),
    choice: z.enum(['a', 'b']).default('a'),
    list: z.array(z.string()).nonempty(),
    one: z.discriminatedUnion('k', [z.object({ k: z.literal('a') }), z.object({ k: z.literal('b') })]),
  });
  expect(hidden(schema)).toEqual([]);
});

test('arktype: narrows and flags', () => {
  const schema = type({
    id: 'string.email',
    n: 'number % 5',
    code: /^a/i,
    lines: type({ quantity: type('number').narrow(() => true) }).array(),
  });
  expect(hidden(schema).sort()).toEqual([`code: ${flags}`, `lines.quantity: ${aFunction}`]);
});

test('other libraries hide nothing that is known', () => {
  expect(hidden(v.object({ id: v.string() }))).toEqual([]);
});
