import { describe, expect, test } from 'vitest';
import { type CompareRequest, compare } from './compare.ts';
import type { Change } from './comparison.ts';
import { mergeComparisons, type Part } from './merge-comparisons.ts';

const record = (
  ...fields: readonly string[]
): { type: string; name: string; fields: { name: string; type: string }[] } => ({
  type: 'record',
  name: 'Order',
  fields: fields.map((name) => ({ name, type: 'int' })),
});

const asked = async (request: Partial<CompareRequest>): Promise<readonly string[]> => {
  const { compatible, changes } = await compare({
    format: 'avro',
    mode: 'backward',
    ...request,
  } as CompareRequest);
  const breaking = changes.filter(({ severity }) => severity === 'breaking');
  expect(compatible).toBe(breaking.length === 0);
  return breaking.map(({ rule, path, breaks, version }) =>
    [rule, path, breaks, version].filter((each) => each !== undefined).join(' '),
  );
};

describe('the modes', () => {
  const gained = 'reader-field-missing-default Order.b readers of old data';
  const lost = 'reader-field-missing-default Order.a readers of new data';
  const pair = { old: record('a'), new: record('b') };

  test.each([
    ['backward', [gained]],
    ['forward', [lost]],
    ['full', [gained, lost]],
    ['none', []],
  ] as const)('%s', async (mode, expected) => {
    expect(await asked({ ...pair, mode })).toEqual(expected);
    expect(await asked({ ...pair, mode: mode === 'none' ? mode : `${mode}-transitive` })).toEqual(expected);
  });

  test('plain modes look at the newest version only, transitive ones at all of them, and say which', async () => {
    const versions = {
      history: [record('a'), record('a', 'b')],
      old: record('a', 'b', 'c'),
      new: record('a', 'b', 'c'),
    };
    expect(await asked({ ...versions, mode: 'backward' })).toEqual([]);
    expect(await asked({ ...versions, mode: 'backward-transitive' })).toEqual([
      'reader-field-missing-default Order.c readers of old data 2',
      'reader-field-missing-default Order.b readers of old data 1',
    ]);
  });

  test('what the newest version already breaks is not told again of older ones', async () => {
    const versions = { history: [record('a'), record('a')], old: record('a'), new: record('a', 'b') };
    expect(await asked({ ...versions, mode: 'full-transitive' })).toEqual([gained]);
  });

  test('a change that is breaking one way is not told as harmless the other way', () => {
    const change = (severity: Change['severity'], path = 'p'): Change => ({
      rule: 'r',
      path,
      severity,
      message: severity,
    });
    const part = (compatible: boolean, ...changes: Change[]): Part => ({
      comparison: { compatible, changes },
      version: undefined,
    });
    const other = change('info', 'q');
    const merged = mergeComparisons([part(true, change('info'), other), part(false, change('breaking'))]);
    expect(merged).toEqual({ compatible: false, changes: [other, change('breaking')] });
  });

  test('Protobuf has modes that the others do not have', async () => {
    const text = (name: string): string => `syntax = "proto3"; message M { int32 ${name} = 1; }`;
    const request = { format: 'protobuf', old: text('a'), new: text('b') } as const;
    expect(await asked({ ...request, mode: 'wire' })).toEqual([]);
    expect(await asked({ ...request, mode: 'wire-json' })).toEqual([
      'field-same-name M.b',
      'field-same-json-name M.b',
    ]);
    expect(await asked({ ...request, mode: 'buf:FIELD_SAME_NAME' })).toEqual(['field-same-name M.b']);
    await expect(asked({ mode: 'wire', old: 'int', new: 'int' })).rejects.toThrow(
      /expected backward, forward or full/,
    );
  });
});

describe('what is handed in', () => {
  test('is text or parsed JSON; a bare name is an Avro schema', async () => {
    for (const old of ['int', '"int"', { type: 'int' }, '\u{feff}{"type": "int"}'])
      expect(await asked({ old, new: '["long", "null"]' })).toEqual([]);
    expect(
      await asked({ format: 'json-schema', old: '{"type": "integer"}', new: { type: 'number' } }),
    ).toEqual([]);
  });

  test('Protobuf: a text, files, or a text and what it imports', async () => {
    const line = 'syntax = "proto3"; message Line { int32 n = 1; }';
    const order = 'syntax = "proto3"; import "line.proto"; message Order { Line line = 1; }';
    const files = { 'line.proto': line };
    const request = { format: 'protobuf', old: order, oldFiles: files, new: order, newFiles: files } as const;
    expect(await asked(request)).toEqual([]);
    expect(await asked({ format: 'protobuf', oldFiles: files, newFiles: files })).toEqual([]);
    // The text may be one of the files, or nothing.
    expect(await asked({ ...request, old: line, new: '', mode: 'file' })).toEqual([]);
    const history = [order, { 'order.proto': order, 'line.proto': line }];
    await expect(asked({ ...request, mode: 'full-transitive', history })).rejects.toThrow(
      /old \(version 1\) protobuf.*line\.proto/,
    );
  });

  test.each<[string, object, string, RegExp]>([
    ['an unknown format', { format: 'xml' }, 'OPTION_INVALID', /format.*got xml/],
    ['a format of Object.prototype', { format: '__proto__' }, 'OPTION_INVALID', /got __proto__/],
    ['an unknown mode', { mode: 'backwards' }, 'OPTION_INVALID', /got backwards/],
    ['a mode of Object.prototype', { mode: 'constructor' }, 'OPTION_INVALID', /got constructor/],
    ['an unknown policy', { policy: 'mild' }, 'OPTION_INVALID', /got mild/],
    [
      'an unknown draft',
      { format: 'json-schema', draft: '9', old: true, new: true },
      'OPTION_INVALID',
      /draft-07.*got 9/,
    ],
    ['no old schema', { old: undefined }, 'SCHEMA_INVALID', /old avro.*not given/],
    ['no new schema', { new: undefined }, 'SCHEMA_INVALID', /new avro.*not given/],
    ['a text that is not JSON', { new: '{"type":' }, 'SCHEMA_INVALID', /new avro.*not JSON/],
    ['a schema that is none', { mode: 'none', old: 'x' }, 'SCHEMA_INVALID', /old avro.*"x" is not defined/],
    [
      'a .proto file that is no text',
      { format: 'protobuf', oldFiles: { 'a.proto': 7 } },
      'SCHEMA_INVALID',
      /a\.proto.*text of a \.proto/,
    ],
    [
      'an older schema that is none',
      { mode: 'full-transitive', history: ['int', 'y'] },
      'SCHEMA_INVALID',
      /old \(version 2\)/,
    ],
  ])('%s is refused', async (_what, change, code, message) => {
    const request = { format: 'avro', mode: 'backward', old: 'int', new: 'int', ...change } as CompareRequest;
    await expect(compare(request)).rejects.toThrow(message);
    await expect(compare(request)).rejects.toMatchObject({ code });
  });

  test.each(['7', '07', 'draft7', 'draft-07', 'DRAFT-07'])('the draft %s is draft-07', async (draft) => {
    expect(await asked({ format: 'json-schema', draft, old: true, new: true })).toEqual([]);
  });
});
