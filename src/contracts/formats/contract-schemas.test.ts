import { toStandardJsonSchema } from '@valibot/to-json-schema';
import { type } from 'arktype';
import * as v from 'valibot';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { contractSchemas, defineEvent, type PayloadSchema, schemaDigest } from '../index.ts';

const contractOf = (schema: PayloadSchema) =>
  defineEvent({
    type: 'test.thing.made.v1',
    key: 'id',
    schema: schema as z.ZodType<{ id: string }, { id: string }>,
  });
const onlyEncoding = (schema: PayloadSchema) => {
  const [encoding, ...more] = contractSchemas(contractOf(schema)).encodings;
  expect(more).toEqual([]);
  if (encoding === undefined) return expect.unreachable();
  return encoding;
};

describe('the schemas of a contract', () => {
  test('of zod: a default is required in what is written and may be absent in what is accepted', () => {
    const { format, output, input } = onlyEncoding(
      z.object({ id: z.string(), language: z.string().default('en') }),
    );
    expect(format).toBe('json-schema');
    expect(output).toEqual({
      $schema: 'https://json-schema.org/draft/2020-12/schema',
      type: 'object',
      properties: { id: { type: 'string' }, language: { type: 'string', default: 'en' } },
      required: ['id', 'language'],
      additionalProperties: false,
    });
    expect(input).toEqual({
      $schema: 'https://json-schema.org/draft/2020-12/schema',
      type: 'object',
      properties: { id: { type: 'string' }, language: { type: 'string', default: 'en' } },
      required: ['id'],
    });
  });

  test('of zod: what is written is closed exactly where zod drops what it does not know', () => {
    const closed = (schema: PayloadSchema): unknown => {
      const { output, input } = onlyEncoding(schema);
      return [output, input].map((form) => (form as Record<string, unknown>)['additionalProperties']);
    };
    const id = { id: z.string() };
    expect(closed(z.object(id))).toEqual([false, undefined]);
    expect(closed(z.strictObject(id))).toEqual([false, false]);
    expect(closed(z.looseObject(id))).toEqual([{}, {}]);
    // What the log holds is the schema's answer: the words above are true of it.
    expect(contractOf(z.object(id))({ id: 'x', more: 1 } as never).data).toEqual({ id: 'x' });
    expect(contractOf(z.looseObject(id))({ id: 'x', more: 1 } as never).data).toEqual({ id: 'x', more: 1 });
  });

  test('of arktype and of valibot in its wrapper', () => {
    expect(onlyEncoding(type({ id: 'string', 'weight?': 'number', n: 'number = 5' }))).toMatchObject({
      output: { required: ['id', 'n'] },
      input: { required: ['id'], properties: { weight: { type: 'number' } } },
    });
    const wrapped = toStandardJsonSchema(
      v.object({ id: v.string(), language: v.optional(v.string(), 'en') }),
    );
    expect(onlyEncoding(wrapped)).toMatchObject({ input: { required: ['id'] } });
    expect(contractOf(wrapped)({ id: 'x' }).data).toEqual({ id: 'x', language: 'en' });
  });

  test('are nothing but JSON', () => {
    const { output } = onlyEncoding(z.object({ id: z.string() }).meta({ note: undefined, title: 'Thing' }));
    expect(JSON.parse(JSON.stringify(output))).toEqual(output);
    expect(output).toMatchObject({ title: 'Thing' });
  });

  test.each([
    ['zod', z.object({ id: z.string(), at: z.array(z.object({ day: z.date() })) }), 'at.day', /Date/],
    ['zod', z.object({ id: z.string(), n: z.string().transform(Number).optional() }), 'n', /Transforms/],
    ['zod', z.object({ id: z.custom<string>(() => true) }), 'id', /Custom types/],
    ['zod', z.custom(() => true), 'the payload', /Custom types/],
    [
      'valibot',
      toStandardJsonSchema(
        v.object({
          id: v.pipe(
            v.string(),
            v.check(() => true),
          ),
        }),
      ),
      'the payload',
      /check/,
    ],
  ])(
    'that %s cannot write are an error with the place and what to do (%#)',
    (library, schema, path, reason) => {
      expect(() => contractSchemas(contractOf(schema))).toThrowError(
        expect.objectContaining({
          code: 'CONTRACT_SCHEMA_UNAVAILABLE',
          details: expect.objectContaining({
            type: 'test.thing.made.v1',
            library,
            path,
            reason: expect.stringMatching(reason),
          }),
          cause: expect.any(Error),
        }),
      );
    },
  );

  test.each([
    ['valibot', v.object({ id: v.string() }), /@valibot\/to-json-schema/],
    [
      'own',
      { '~standard': { version: 1, vendor: 'own', validate: (value: unknown) => ({ value }) } },
      /jsonSchema/,
    ],
  ])('of a library that offers none (%s) are an error that names the cure', (_library, schema, cure) => {
    expect(() => contractSchemas(contractOf(schema as PayloadSchema))).toThrowError(
      expect.objectContaining({
        code: 'CONTRACT_SCHEMA_UNAVAILABLE',
        remedy: expect.stringMatching(cure),
      }),
    );
  });

  // Written down in docs/contracts.md: a release of zod that begins to say these would change digests.
  test('leave out what zod cannot say: checks that are functions, and the flags of patterns', () => {
    const plain = onlyEncoding(z.object({ id: z.string() }));
    expect(onlyEncoding(z.object({ id: z.string().refine(() => false) }))).toEqual(plain);
    expect(onlyEncoding(z.object({ id: z.string() }).check(() => {}))).toEqual(plain);
    const pattern = { properties: { id: { pattern: 'abc' } } };
    expect(onlyEncoding(z.object({ id: z.string().regex(/abc/i) }))).toMatchObject({ input: pattern });
  });
});

describe('the digest of schemas', () => {
  const digest = (schema: PayloadSchema): string => schemaDigest(contractSchemas(contractOf(schema)));

  test('does not depend on the order of members, and on everything else', () => {
    const one = digest(z.object({ id: z.string(), a: z.int() }).meta({ title: 't', description: 'd' }));
    expect(digest(z.object({ id: z.string(), a: z.int() }).meta({ description: 'd', title: 't' }))).toBe(one);
    expect(
      digest(z.object({ id: z.string(), a: z.number() }).meta({ description: 'd', title: 't' })),
    ).not.toBe(one);
    expect(
      digest(z.strictObject({ id: z.string(), a: z.int() }).meta({ title: 't', description: 'd' })),
    ).not.toBe(one);
    expect(one).toMatch(/^[0-9a-f]{64}$/);
  });
});
