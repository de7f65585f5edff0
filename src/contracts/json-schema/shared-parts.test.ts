import { describe, expect, test } from 'vitest';
import { compareJsonSchema } from './compare-json-schema.ts';
import { Resources, refusing, type SchemaObject } from './resources.ts';
import { SharedParts, sharing } from './shared-parts.ts';

type Schema = SchemaObject & { readonly properties: Readonly<Record<string, SchemaObject>> };

/** The names of those properties that two versions share. */
const sharedNames = (old: Schema, after: Schema, drafts = ['2020-12', '2020-12'] as const): string[] => {
  const now = sharing(old, after) as Schema;
  const parts = new SharedParts(
    new Resources(old, drafts[0], refusing('old')),
    new Resources(now, drafts[1], refusing('new')),
  );
  return Object.keys(now.properties).filter((name) => parts.has(now.properties[name] as SchemaObject));
};

describe('two versions of a schema share', () => {
  test('what is equal at the same place, and nothing else', () => {
    const old = { a: { b: [1, { c: null }], d: 'x' }, e: { f: 1 }, g: {} };
    const after = { e: { f: 2 }, g: [], a: { d: 'x', b: [1, { c: null }] } };
    const copy = structuredClone(after);
    const now = sharing(old, after) as typeof after;
    expect(now).toEqual(copy);
    expect(now.a).toBe(old.a);
    expect(sharing(old, structuredClone(old))).toBe(old);
    expect(sharing([1, 2], [1])).toEqual([1]);
    expect(sharing({}, JSON.parse('{"__proto__":{"a":1}}'))).toEqual(JSON.parse('{"__proto__":{"a":1}}'));
  });

  test('a part of which the definitions are the same as well', () => {
    const schema = (code: object): Schema => ({
      properties: { a: { $ref: '#/$defs/name' }, b: { items: { $ref: '#/$defs/code' } }, c: {} },
      $defs: { name: { type: 'string' }, code },
    });
    expect(sharedNames(schema({ maxLength: 3 }), schema({ maxLength: 4 }))).toEqual(['a', 'c']);
  });

  test('no part that stands in another resource, leads back into itself, or refers to nothing', () => {
    const schema = ($id: string): Schema => ({
      $id,
      properties: {
        elsewhere: { $ref: 'https://example.com/one/code' },
        itself: { $ref: '#/$defs/list' },
        nothing: { $ref: '#/$defs/gone' },
        dynamic: { $dynamicRef: '#list' },
      },
      $defs: {
        list: { $dynamicAnchor: 'list', properties: { next: { $ref: '#/$defs/list' } } },
        code: { $id: 'code', type: 'string' },
      },
    });
    expect(sharedNames(schema('https://example.com/one/a'), schema('https://example.com/two/a'))).toEqual([]);
    expect(
      sharedNames(schema('https://example.com/one/a'), { ...schema('https://example.com/one/a') }),
    ).toEqual(['elsewhere']);
  });

  test('nothing when they are of different drafts', () => {
    const schema = { properties: { a: { type: 'string' } } };
    expect(sharedNames(schema, { ...schema })).toEqual(['a']);
    expect(sharedNames(schema, { ...schema }, ['draft-07', '2020-12'] as never)).toEqual([]);
  });
});

test('a change behind a reference that stayed the same is told, with a witness', () => {
  const schema = (inner: object): object => ({
    properties: { a: { type: 'array', minItems: 1, items: { $ref: '#/$defs/outer' } } },
    required: ['a'],
    $defs: { outer: { properties: { b: { $ref: '#/$defs/inner' } }, required: ['b'] }, inner },
  });
  const { compatible, changes } = compareJsonSchema({
    old: schema({ type: 'string', default: 'x' }),
    new: schema({ type: 'string', default: 'y', maxLength: 0 }),
    direction: 'backward',
    policy: 'strict',
  });
  expect(compatible).toBe(false);
  expect(changes).toMatchObject([
    { rule: 'max-length-added', path: '/a/*/b', witness: { a: [{ b: expect.any(String) }] } },
    { rule: 'default-changed', path: '/a/*/b' },
  ]);
});
