import { describe, expect, test } from 'vitest';
import type { Question } from '../compare/comparison-mode.ts';
import { compareProtobuf } from './compare-protobuf.ts';

const proto3 = (body: string): Map<string, string> =>
  new Map([['order.proto', `syntax = "proto3"; package shop; ${body}`]]);
const proto2 = (body: string): Map<string, string> =>
  new Map([['order.proto', `syntax = "proto2"; package shop; ${body}`]]);

const broken = (old: Map<string, string>, after: Map<string, string>, mode: Question): string[] => {
  const { compatible, changes } = compareProtobuf({ old, new: after, mode });
  const breaking = changes.filter(({ severity }) => severity === 'breaking');
  expect(compatible).toBe(breaking.length === 0);
  for (const { remedy } of breaking) expect(remedy).toMatch(/\.$/);
  return breaking.map(({ rule, path }) => `${rule} ${path}`);
};

/** [what, old, new, breaks backward, breaks forward]; a body in proto3, or all of a file */
const rows: readonly [string, string, string, readonly string[], readonly string[]][] = [
  ['a field added', 'message M {}', 'message M { int32 a = 1; }', [], []],
  ['a field removed', 'message M { int32 a = 1; }', 'message M {}', [], []],
  ['a field renamed', 'message M { int32 a = 1; }', 'message M { int32 b = 1; }', [], []],
  ['a message added', 'message M {}', 'message M {} message N {}', [], ['message-added shop.N']],
  [
    'a message removed',
    'message M {} message N { message O {} }',
    'message M {}',
    ['message-removed shop.N'],
    [],
  ],
  ['an enum added', 'message M {}', 'message M {} enum E { A = 0; }', [], []],
  ['an enum removed', 'message M {} enum E { A = 0; }', 'message M {}', [], []],
  ['an enum value added', 'enum E { A = 0; }', 'enum E { A = 0; B = 1; }', [], []],
  ['an enum value removed', 'enum E { A = 0; B = 1; }', 'enum E { A = 0; }', [], []],
  ['an enum value renamed', 'enum E { A = 0; B = 1; }', 'enum E { A = 0; C = 1; }', [], []],
  ['int32 to int64', 'message M { int32 a = 1; }', 'message M { int64 a = 1; }', [], []],
  ['int32 to bool', 'message M { int32 a = 1; }', 'message M { bool a = 1; }', [], []],
  [
    'int32 to an enum',
    'message M { int32 a = 1; } enum E { A = 0; }',
    'message M { E a = 1; } enum E { A = 0; }',
    [],
    [],
  ],
  ['sint32 to sint64', 'message M { sint32 a = 1; }', 'message M { sint64 a = 1; }', [], []],
  ['fixed32 to sfixed32', 'message M { fixed32 a = 1; }', 'message M { sfixed32 a = 1; }', [], []],
  ['string to bytes', 'message M { string a = 1; }', 'message M { bytes a = 1; }', [], []],
  [
    'int32 to sint32',
    'message M { int32 a = 1; }',
    'message M { sint32 a = 1; }',
    ['field-type-changed shop.M.a'],
    ['field-type-changed shop.M.a'],
  ],
  [
    'int32 to fixed32',
    'message M { int32 a = 1; }',
    'message M { fixed32 a = 1; }',
    ['field-type-changed shop.M.a'],
    ['field-type-changed shop.M.a'],
  ],
  [
    'int32 to string',
    'message M { int32 a = 1; }',
    'message M { string a = 1; }',
    ['field-type-changed shop.M.a'],
    ['field-type-changed shop.M.a'],
  ],
  [
    'float to double',
    'message M { float a = 1; }',
    'message M { double a = 1; }',
    ['field-type-changed shop.M.a'],
    ['field-type-changed shop.M.a'],
  ],
  [
    'string to a message',
    'message M { string a = 1; } message N {}',
    'message M { N a = 1; } message N {}',
    ['field-kind-changed shop.M.a'],
    ['field-kind-changed shop.M.a'],
  ],
  [
    'another message',
    'message M { N a = 1; } message N {} message O {}',
    'message M { O a = 1; } message N {} message O {}',
    ['field-type-changed shop.M.a'],
    ['field-type-changed shop.M.a'],
  ],
  [
    'a message moved inside another',
    'message N {} message M { N a = 1; }',
    'message M { message N {} N a = 1; }',
    ['message-removed shop.N', 'field-type-changed shop.M.a'],
    ['message-added shop.M.N', 'field-type-changed shop.M.a'],
  ],
  [
    'a list becomes a map',
    'message M { repeated string a = 1; }',
    'message M { map<string, string> a = 1; }',
    ['field-kind-changed shop.M.a'],
    ['field-kind-changed shop.M.a'],
  ],
  [
    'values of a map',
    'message M { map<string, int32> a = 1; }',
    'message M { map<string, string> a = 1; }',
    ['field-type-changed shop.M.a'],
    ['field-type-changed shop.M.a'],
  ],
  [
    'values of a map that are read',
    'message M { map<string, int32> a = 1; }',
    'message M { map<string, int64> a = 1; }',
    [],
    [],
  ],
  [
    'one number becomes a list',
    'message M { int32 a = 1; }',
    'message M { repeated int32 a = 1; }',
    ['cardinality-changed shop.M.a'],
    ['cardinality-changed shop.M.a'],
  ],
  [
    'one enum value becomes a list',
    'enum E { A = 0; } message M { E a = 1; }',
    'enum E { A = 0; } message M { repeated E a = 1; }',
    ['cardinality-changed shop.M.a'],
    ['cardinality-changed shop.M.a'],
  ],
  ['one text becomes a list', 'message M { string a = 1; }', 'message M { repeated string a = 1; }', [], []],
  ['one message becomes a list', 'message M { M a = 1; }', 'message M { repeated M a = 1; }', [], []],
  ['presence', 'message M { int32 a = 1; }', 'message M { optional int32 a = 1; }', [], []],
  [
    'one field into a new oneof',
    'message M { int32 a = 1; int32 b = 2; }',
    'message M { oneof o { int32 a = 1; } int32 b = 2; }',
    [],
    [],
  ],
  [
    'two fields into a new oneof',
    'message M { int32 a = 1; int32 b = 2; }',
    'message M { oneof o { int32 a = 1; int32 b = 2; } }',
    ['fields-moved-to-oneof shop.M.o'],
    [],
  ],
  [
    'a field into an oneof that was there',
    'message M { oneof o { int32 a = 1; } int32 b = 2; }',
    'message M { oneof o { int32 a = 1; int32 b = 2; } }',
    ['fields-moved-to-oneof shop.M.o'],
    [],
  ],
  [
    'a field out of a oneof',
    'message M { oneof o { int32 a = 1; int32 b = 2; } }',
    'message M { oneof o { int32 a = 1; } int32 b = 2; }',
    [],
    ['fields-moved-to-oneof shop.M.o'],
  ],
  [
    'a oneof renamed',
    'message M { oneof o { int32 a = 1; int32 b = 2; } }',
    'message M { oneof p { int32 a = 1; int32 b = 2; } }',
    [],
    [],
  ],
  ['a oneof removed with its fields', 'message M { oneof o { int32 a = 1; } }', 'message M {}', [], []],
  [
    'a field of a oneof added',
    'message M { oneof o { int32 a = 1; } }',
    'message M { oneof o { int32 a = 1; int32 b = 2; } }',
    [],
    ['oneof-field-added shop.M.b'],
  ],
  [
    'a field of a oneof removed',
    'message M { oneof o { int32 a = 1; int32 b = 2; } }',
    'message M { oneof o { int32 a = 1; } }',
    ['oneof-field-removed shop.M.b'],
    [],
  ],
  [
    'a field from one oneof to another',
    'message M { oneof o { int32 a = 1; int32 b = 2; } }',
    'message M { oneof o { int32 a = 1; } oneof p { int32 b = 2; } }',
    ['oneof-field-removed shop.M.b'],
    ['fields-moved-to-oneof shop.M.o'],
  ],
  [
    'a method removed',
    'message M {} service S { rpc A (M) returns (M); }',
    'message M {} service S {}',
    [],
    [],
  ],
  ['a service removed', 'message M {} service S { rpc A (M) returns (M); }', 'message M {}', [], []],
];

describe('the directions of Protobuf', () => {
  test.each(rows)('%s', (_what, old, after, backward, forward) => {
    expect(broken(proto3(old), proto3(after), 'backward')).toEqual(backward);
    expect(broken(proto3(old), proto3(after), 'forward')).toEqual(forward);
    // Forward is backward with the sides swapped.
    expect(broken(proto3(after), proto3(old), 'backward')).toHaveLength(forward.length);
  });

  test.each([
    [
      'added',
      'message M {}',
      'message M { required int32 a = 1; }',
      'required-field-added',
      'required-field-added',
    ],
    [
      'removed',
      'message M { required int32 a = 1; }',
      'message M {}',
      'required-field-removed',
      'required-field-removed',
    ],
    [
      'made so',
      'message M { optional int32 a = 1; }',
      'message M { required int32 a = 1; }',
      'required-added',
      'required-added',
    ],
    [
      'made optional',
      'message M { required int32 a = 1; }',
      'message M { optional int32 a = 1; }',
      'required-removed',
      'required-removed',
    ],
  ])('a required field %s breaks both ways', (_what, old, after, backward, forward) => {
    expect(broken(proto2(old), proto2(after), 'backward')).toEqual([`${backward} shop.M.a`]);
    expect(broken(proto2(old), proto2(after), 'forward')).toEqual([`${forward} shop.M.a`]);
  });

  test('another package is one break, in every mode', () => {
    const after = new Map([['order.proto', 'syntax = "proto3"; package store; message M {}']]);
    expect(broken(proto3('message M {}'), after, 'backward')).toEqual(['package-changed order.proto']);
    for (const mode of ['wire', 'wire-json', 'package', 'file', 'csr'] as const)
      expect(broken(proto3('message M {}'), after, mode).length).toBeGreaterThan(0);
  });

  test('a group is not a message, and an extension has a type to keep', () => {
    const group = 'message M { optional group G = 1 { optional int32 x = 1; } }';
    const message = 'message M { message G { optional int32 x = 1; } optional G g = 1; }';
    expect(broken(proto2(group), proto2(message), 'backward')).toEqual(['field-kind-changed shop.M.g']);
    const extended = (type: string): Map<string, string> =>
      proto2(`message M { extensions 100 to 200; } extend M { optional ${type} note = 100; }`);
    expect(broken(extended('string'), extended('int32'), 'backward')).toEqual([
      'field-type-changed shop.note',
    ]);
  });

  test('a field removed without reserving its number is a warning, and reserved it is not', () => {
    const [old, after] = [
      proto3('message M { int32 a = 1; }'),
      (body: string) => proto3(`message M { ${body} }`),
    ];
    const severity = (body: string): string | undefined =>
      compareProtobuf({ old, new: after(body), mode: 'backward' }).changes[0]?.severity;
    expect([severity(''), severity('reserved 1;')]).toEqual(['warning', 'info']);
  });

  test('types are followed through files, however the imports name them', () => {
    const files = (type: string): Map<string, string> =>
      new Map([
        [
          'shop/v1/order.proto',
          'syntax = "proto3"; package shop.v1; import "v1/line.proto"; message Order { Line line = 1; v1.Line other = 2; .shop.v1.Line third = 3; }',
        ],
        ['shop/v1/line.proto', `syntax = "proto3"; package shop.v1; message Line { ${type} n = 1; }`],
      ]);
    expect(broken(files('int32'), files('int64'), 'backward')).toEqual([]);
    expect(broken(files('int32'), files('string'), 'backward')).toEqual([
      'field-type-changed shop.v1.Line.n',
    ]);
    const moved = new Map([
      ...files('int32'),
      ['shop/v1/line.proto', 'syntax = "proto3"; package shop.v1; import "shop/v1/lines.proto";'],
      ['shop/v1/lines.proto', 'syntax = "proto3"; package shop.v1; message Line { int32 n = 1; }'],
    ]);
    expect(broken(files('int32'), moved, 'backward')).toEqual([]);
    expect(broken(files('int32'), moved, 'package')).toEqual([]);
    expect(broken(files('int32'), moved, 'file')).toEqual(['message-no-delete shop.v1.Line']);
  });

  test('well-known types need no file', () => {
    const schema = proto3(
      'import "google/protobuf/timestamp.proto"; message M { google.protobuf.Timestamp at = 1; google.protobuf.NullValue n = 2; }',
    );
    expect(broken(schema, schema, 'backward')).toEqual([]);
  });

  test('editions say with features what syntaxes had fixed', () => {
    const edition = (body: string): Map<string, string> =>
      new Map([['order.proto', `edition = "2023"; package shop; ${body}`]]);
    const same = edition(
      'option features.field_presence = IMPLICIT; message M { int32 a = 1; repeated int32 r = 2; }',
    );
    expect(broken(proto3('message M { int32 a = 1; repeated int32 r = 2; }'), same, 'file')).toEqual([
      'file-same-syntax order.proto',
    ]);
    const required = edition('message M { int32 a = 1 [features.field_presence = LEGACY_REQUIRED]; }');
    expect(broken(edition('message M { int32 a = 1; }'), required, 'backward')).toEqual([
      'required-added shop.M.a',
    ]);
    const delimited = edition('message M { M m = 1 [features.message_encoding = DELIMITED]; }');
    expect(broken(edition('message M { M m = 1; }'), delimited, 'backward')).toEqual([
      'field-kind-changed shop.M.m',
    ]);
    expect(
      broken(
        edition('enum E { A = 0; }'),
        edition('enum E { option features.enum_type = CLOSED; A = 0; }'),
        'buf:ENUM_SAME_TYPE',
      ),
    ).toEqual(['enum-same-type shop.E']);
  });
});

describe('a Protobuf schema that is not one', () => {
  test.each<[string, string, string, RegExp]>([
    ['no Protobuf at all', 'hello world', 'order.proto:1', /illegal token 'hello'/],
    [
      'a bracket that is missing',
      'syntax = "proto3";\nmessage M {\n  int32 a = 1;',
      'order.proto:3',
      /end of input/,
    ],
    [
      'a statement without an end',
      'syntax = "proto3";\nmessage M {\n  int32 a = 1\n}',
      'order.proto:4',
      /illegal token/,
    ],
    ['an unknown syntax', 'syntax = "proto4";', 'order.proto:1', /syntax "proto4" is not known/],
    ['an unknown edition', 'edition = "1999";', 'order.proto:1', /edition "1999" is not known/],
    [
      'a label in proto3',
      'syntax = "proto3"; message M { required int32 a = 1; }',
      'order.proto:1',
      /required/,
    ],
    ['no label in proto2', 'message M { int32 a = 1; }', 'order.proto:1', /int32/],
    [
      'a number twice',
      'syntax = "proto3"; message M { int32 a = 1; int32 b = 1; }',
      'order.proto',
      /duplicate id 1/,
    ],
    [
      'a number twice, in a oneof',
      'syntax = "proto3"; message M { int32 a = 1; oneof o { int32 b = 1; } }',
      'order.proto',
      /duplicate id 1/,
    ],
    [
      'a name twice',
      'syntax = "proto3"; message M { int32 a = 1; int32 a = 2; }',
      'order.proto',
      /duplicate name 'a'/,
    ],
    ['a message twice', 'message M {} message M {}', 'order.proto', /duplicate name 'M'/],
    ['a value twice', 'syntax = "proto3"; enum E { A = 0; B = 0; }', 'order.proto', /duplicate id 0/],
    ['an enum without values', 'syntax = "proto3"; enum E {}', 'order.proto', /has no values/],
    ['a value beyond 32 bits', 'syntax = "proto3"; enum E { A = 2147483648; }', 'order.proto', /32 bits/],
    ['the number 0', 'syntax = "proto3"; message M { int32 a = 0; }', 'order.proto', /number 0/],
    [
      'a number too large',
      'syntax = "proto3"; message M { int32 a = 536870912; }',
      'order.proto',
      /536870912/,
    ],
    [
      "a number of Protobuf's own",
      'syntax = "proto3"; message M { int32 a = 19500; }',
      'order.proto',
      /19500/,
    ],
    [
      'a reserved number',
      'syntax = "proto3"; message M { int32 a = 4; reserved 3 to 5; }',
      'order.proto',
      /reserved/,
    ],
    [
      'a reserved name',
      'syntax = "proto3"; message M { int32 a = 4; reserved "a"; }',
      'order.proto',
      /reserved/,
    ],
    [
      'a reserved value',
      'syntax = "proto3"; enum E { A = 0; B = 4; reserved 4 to max; }',
      'order.proto',
      /reserved/,
    ],
    [
      'a type that is missing',
      'syntax = "proto3"; message M { N n = 1; }',
      'order.proto',
      /M refers to N, which is not defined/,
    ],
    [
      'a well-known type that is none',
      'syntax = "proto3"; message M { google.protobuf.Time n = 1; }',
      'order.proto',
      /not defined/,
    ],
    [
      'a file that is missing',
      'syntax = "proto3"; import "other.proto";',
      'order.proto',
      /imports other.proto, which was not given/,
    ],
    [
      'a prototype for a name',
      'syntax = "proto3"; message M { int32 __proto__ = 1; }',
      'order.proto',
      /__proto__/,
    ],
    [
      'a prototype for a package',
      'syntax = "proto3"; package a.__proto__.b; message M {}',
      'order.proto',
      /__proto__/,
    ],
    ['messages nested too deeply', 'message A {'.repeat(300) + '}'.repeat(300), 'order.proto', /depth/],
  ])('%s is refused with its file', (_what, text, path, reason) => {
    const old = new Map([['order.proto', text]]);
    const failing = (): unknown => compareProtobuf({ old, new: proto3(''), mode: 'wire' });
    expect(failing).toThrow(reason);
    expect(failing).toThrow(
      expect.objectContaining({
        code: 'SCHEMA_INVALID',
        details: expect.objectContaining({ path, side: 'old', format: 'protobuf' }),
      }),
    );
  });

  test('one type in two files', () => {
    const files = new Map([
      ...proto3('message M {}'),
      ['other.proto', 'syntax = "proto3"; package shop; message M {}'],
    ]);
    expect(() => compareProtobuf({ old: files, new: files, mode: 'wire' })).toThrow(
      /shop.M is defined twice/,
    );
  });

  test('names of Object.prototype are names like others', () => {
    const odd = (type: string): Map<string, string> =>
      proto3(
        `message constructor { ${type} toString = 1; ${type} hasOwnProperty = 2; } enum valueOf { isPrototypeOf = 0; }`,
      );
    expect(broken(odd('int32'), odd('int32'), 'file')).toEqual([]);
    expect(broken(odd('int32'), odd('string'), 'backward')).toHaveLength(2);
  });

  test('an enum of 20,000 values and a message of 2,000 fields take their time, and no more', () => {
    const values = Array.from({ length: 20_000 }, (_, index) => `V${index} = ${index};`).join(' ');
    const fields = Array.from({ length: 2_000 }, (_, index) => `int32 f${index} = ${index + 1};`).join(' ');
    const large = proto3(`enum E { ${values} } message M { ${fields} }`);
    expect(broken(large, large, 'file')).toEqual([]);
  });
});
