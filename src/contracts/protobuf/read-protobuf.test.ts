import { describe, expect, test } from 'vitest';
import { compareProtobuf } from './compare-protobuf.ts';
import { readProtobuf } from './read-protobuf.ts';

const proto3 = (body: string): Map<string, string> =>
  new Map([['order.proto', `syntax = "proto3"; package shop; ${body}`]]);

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
    [
      'a group in a oneof',
      'message M { oneof o { group G = 1 { optional int32 x = 1; } } }',
      'order.proto',
      /group in a oneof/,
    ],
    ['messages nested too deeply', 'message A {'.repeat(300) + '}'.repeat(300), 'order.proto', /depth/],
  ])('%s is refused with its file', (_what, text, path, reason) => {
    const old = new Map([['order.proto', text]]);
    const failing = (): unknown => readProtobuf(old, 'old');
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
    expect(() => readProtobuf(files, 'old')).toThrow(/shop.M is defined twice/);
  });

  test('names of Object.prototype are names like others', () => {
    const odd = (type: string): Map<string, string> =>
      proto3(
        `message constructor { ${type} toString = 1; ${type} hasOwnProperty = 2; } enum valueOf { isPrototypeOf = 0; }`,
      );
    const breaking = (after: string): number =>
      compareProtobuf({ old: odd('int32'), new: odd(after), mode: 'backward' }).changes.filter(
        ({ severity }) => severity === 'breaking',
      ).length;
    expect(breaking('int32')).toBe(0);
    expect(breaking('string')).toBe(2);
  });

  test('an enum of 20,000 values and a message of 2,000 fields take their time, and no more', () => {
    const values = Array.from({ length: 20_000 }, (_, index) => `V${index} = ${index};`).join(' ');
    const fields = Array.from({ length: 2_000 }, (_, index) => `int32 f${index} = ${index + 1};`).join(' ');
    const large = proto3(`enum E { ${values} } message M { ${fields} }`);
    expect(compareProtobuf({ old: large, new: large, mode: 'file' })).toEqual({
      compatible: true,
      changes: [],
    });
  });
});
