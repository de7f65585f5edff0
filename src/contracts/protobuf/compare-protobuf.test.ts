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

  test('what files in the wild are full of is read', () => {
    const wild = new Map([
      [
        'wild.proto',
        `// licence
        syntax = 'proto3';
        /* a block */ package acme.v1;
        import public "google/protobuf/timestamp.proto";
        option go_package = "example.org/acme" "/v1;acmev1";
        option (my.option) = { a: 1 b { c: "x" } d: [1, 2] [ext.y]: true };
        message Order {
          option (my.message).x = "}";
          string id = 0x1; // trailing
          repeated .acme.v1.Order.Line lines = 2 [packed = false, (rules).repeated = { min_items: 1 }, json_name = "l"];
          oneof kind { option (my.oneof) = true; string a = 5; google.protobuf.Timestamp at = 6 [deprecated = true]; }
          message Line { uint32 n = 1; Status s = 2; Order parent = 3;; }
          enum Status { NONE = 0; NEGATIVE = -1 [deprecated = true]; OCTAL = 017; }
          reserved 100, 200 to 300, 1000 to max; reserved "foo", "bar";
        };
        service Orders {
          rpc Get (Order) returns (.acme.v1.Order) { option (google.api.http) = { get: "/v1/{name=orders/*}" }; }
        }`,
      ],
    ]);
    for (const mode of ['backward', 'file', 'csr'] as const) expect(broken(wild, wild, mode)).toEqual([]);
    const old = proto2(
      'message M { extensions 100 to 200, 300; optional float f = 1 [default = -inf]; optional string s = 2 [default = "a\\"b\\n"]; optional group G = 3 { optional M m = 1; } } extend M { optional int32 e = 100; }',
    );
    expect(broken(old, old, 'file')).toEqual([]);
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
