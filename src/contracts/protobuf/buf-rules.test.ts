import { describe, expect, test } from 'vitest';
import type { ProtobufMode } from '../compare/comparison-mode.ts';
import { bufRulesOf } from './buf-rules.ts';
import { compareProtobuf } from './compare-protobuf.ts';

type Files = Readonly<Record<string, string>>;

const file = (body: string, head = 'syntax = "proto3"; package a;'): Files => ({
  'a.proto': `${head} ${body}`,
});
const proto2 = (body: string): Files => file(body, 'syntax = "proto2"; package a;');
const edition = (body: string): Files => file(body, 'edition = "2023"; package a;');

const breaks = (old: Files, after: Files, mode: ProtobufMode): boolean =>
  !compareProtobuf({ old: new Map(Object.entries(old)), new: new Map(Object.entries(after)), mode })
    .compatible;

const option = (name: string, value: string): [Files, Files, Files] => [
  file('message M {}'),
  file(`option ${name} = ${value}; message M {}`),
  file('message M {} message N {}'),
];
const method = (text: string): Files => file(`message M {} message N {} service S { ${text} }`);
const plain = method('rpc A (M) returns (M);');

/** For each rule: a schema, a change that breaks it, and one beside it that does not. */
const cases: Readonly<Record<string, readonly [old: Files, breaking: Files, fine: Files]>> = {
  ENUM_NO_DELETE: [file('enum E { A = 0; }'), file(''), file('enum E { A = 0; B = 1; }')],
  ENUM_SAME_JSON_FORMAT: [
    edition('enum E { A = 0; }'),
    edition('enum E { option features.json_format = LEGACY_BEST_EFFORT; A = 0; }'),
    file('enum E { A = 0; }'),
  ],
  ENUM_SAME_TYPE: [
    proto2('enum E { A = 0; }'),
    file('enum E { A = 0; }'),
    edition('enum E { option features.enum_type = CLOSED; A = 0; }'),
  ],
  ENUM_VALUE_NO_DELETE: [
    file('enum E { A = 0; B = 1; }'),
    file('enum E { A = 0; reserved 1; reserved "B"; }'),
    file('enum E { A = 0; C = 1; }'),
  ],
  ENUM_VALUE_NO_DELETE_UNLESS_NUMBER_RESERVED: [
    file('enum E { A = 0; B = 1; }'),
    file('enum E { A = 0; reserved "B"; }'),
    file('enum E { A = 0; reserved 1 to 4; }'),
  ],
  ENUM_VALUE_NO_DELETE_UNLESS_NAME_RESERVED: [
    file('enum E { A = 0; B = 1; }'),
    file('enum E { A = 0; reserved 1; }'),
    file('enum E { A = 0; reserved "B"; }'),
  ],
  ENUM_VALUE_SAME_NAME: [
    file('enum E { A = 0; B = 1; }'),
    file('enum E { A = 0; C = 1; }'),
    file('enum E { option allow_alias = true; A = 0; B = 1; C = 1; }'),
  ],
  EXTENSION_MESSAGE_NO_DELETE: [
    proto2('message M { extensions 100 to 200; }'),
    proto2('message M { extensions 100 to 150; }'),
    proto2('message M { extensions 100 to 150, 151 to 300; }'),
  ],
  EXTENSION_NO_DELETE: [
    proto2('message M { extensions 100 to 200; } extend M { optional int32 e = 100; }'),
    proto2('message M { extensions 100 to 200; }'),
    proto2(
      'message M { extensions 100 to 200; } extend M { optional int32 e = 100; optional int32 f = 101; }',
    ),
  ],
  FIELD_NO_DELETE: [
    file('message M { int32 a = 1; }'),
    file('message M { reserved 1; reserved "a"; }'),
    file('message M { int32 b = 1; }'),
  ],
  FIELD_NO_DELETE_UNLESS_NUMBER_RESERVED: [
    file('message M { int32 a = 1; }'),
    file('message M { reserved "a"; }'),
    file('message M { reserved 1; }'),
  ],
  FIELD_NO_DELETE_UNLESS_NAME_RESERVED: [
    file('message M { int32 a = 1; }'),
    file('message M { reserved 1; }'),
    file('message M { reserved "a"; }'),
  ],
  FIELD_SAME_CARDINALITY: [
    file('message M { int32 a = 1; M m = 2; }'),
    file('message M { optional int32 a = 1; M m = 2; }'),
    file('message M { int32 a = 1; optional M m = 2; }'),
  ],
  FIELD_WIRE_COMPATIBLE_CARDINALITY: [
    file('message M { int32 a = 1; }'),
    file('message M { repeated int32 a = 1; }'),
    file('message M { optional int32 a = 1; }'),
  ],
  FIELD_WIRE_JSON_COMPATIBLE_CARDINALITY: [
    file('message M { repeated M a = 1; }'),
    file('message M { map<string, M> a = 1; }'),
    file('message M { repeated M b = 1; }'),
  ],
  FIELD_SAME_CPP_STRING_TYPE: [
    file('message M { string a = 1; }'),
    file('message M { string a = 1 [ctype = CORD]; }'),
    file('message M { string a = 1 [ctype = STRING]; }'),
  ],
  FIELD_SAME_DEFAULT: [
    proto2('message M { optional int32 a = 1; optional string s = 2 [default = "x"]; }'),
    proto2('message M { optional int32 a = 1 [default = 7]; optional string s = 2 [default = "x"]; }'),
    proto2('message M { optional int64 a = 1 [default = 0]; optional string s = 2 [default = "x"]; }'),
  ],
  FIELD_SAME_JAVA_UTF8_VALIDATION: [
    proto2('message M { optional string a = 1; }'),
    proto2('option java_string_check_utf8 = true; message M { optional string a = 1; }'),
    proto2('message M { optional string a = 1; optional string b = 2; }'),
  ],
  FIELD_SAME_UTF8_VALIDATION: [
    edition('message M { string a = 1; bytes b = 2; }'),
    edition('message M { string a = 1 [features.utf8_validation = NONE]; bytes b = 2; }'),
    edition('message M { string a = 1; bytes b = 2 [features.utf8_validation = NONE]; }'),
  ],
  FIELD_SAME_JSON_NAME: [
    file('message M { int32 order_id = 1; }'),
    file('message M { int32 order_id = 1 [json_name = "id"]; }'),
    file('message M { int32 orderId = 1; }'),
  ],
  FIELD_SAME_JSTYPE: [
    file('message M { int64 a = 1; }'),
    file('message M { int64 a = 1 [jstype = JS_STRING]; }'),
    file('message M { int64 a = 1 [jstype = JS_NORMAL]; }'),
  ],
  FIELD_SAME_NAME: [
    file('message M { int32 a = 1; }'),
    file('message M { int32 b = 1 [json_name = "a"]; }'),
    file('message M { int64 a = 1; }'),
  ],
  FIELD_SAME_ONEOF: [
    file('message M { int32 a = 1; }'),
    file('message M { oneof o { int32 a = 1; } }'),
    file('message M { optional int32 a = 1; }'),
  ],
  FIELD_SAME_TYPE: [
    file('message M { int32 a = 1; }'),
    file('message M { uint32 a = 1; }'),
    file('message M { repeated int32 a = 1; }'),
  ],
  FIELD_WIRE_COMPATIBLE_TYPE: [
    file('message M { bytes a = 1; int32 b = 2; E e = 3; } enum E { A = 0; }'),
    file('message M { string a = 1; int32 b = 2; E e = 3; } enum E { A = 0; }'),
    file('message M { bytes a = 1; uint64 b = 2; E e = 3; enum E { A = 0; B = 1; } }'),
  ],
  FIELD_WIRE_JSON_COMPATIBLE_TYPE: [
    file('message M { int32 a = 1; fixed64 f = 2; }'),
    file('message M { int64 a = 1; fixed64 f = 2; }'),
    file('message M { uint32 a = 1; sfixed64 f = 2; }'),
  ],
  FILE_NO_DELETE: [
    { ...file('message M {}'), 'b.proto': 'syntax = "proto3"; package a;' },
    file('message M {}'),
    {
      ...file('message M {}'),
      'b.proto': 'syntax = "proto3"; package a;',
      'c.proto': 'syntax = "proto3"; package a;',
    },
  ],
  FILE_SAME_CC_ENABLE_ARENAS: option('cc_enable_arenas', 'false'),
  FILE_SAME_CC_GENERIC_SERVICES: option('cc_generic_services', 'true'),
  FILE_SAME_CSHARP_NAMESPACE: option('csharp_namespace', '"A"'),
  FILE_SAME_GO_PACKAGE: option('go_package', '"a"'),
  FILE_SAME_JAVA_GENERIC_SERVICES: option('java_generic_services', 'true'),
  FILE_SAME_JAVA_MULTIPLE_FILES: option('java_multiple_files', 'true'),
  FILE_SAME_JAVA_OUTER_CLASSNAME: option('java_outer_classname', '"A"'),
  FILE_SAME_JAVA_PACKAGE: option('java_package', '"a"'),
  FILE_SAME_OBJC_CLASS_PREFIX: option('objc_class_prefix', '"A"'),
  FILE_SAME_OPTIMIZE_FOR: option('optimize_for', 'CODE_SIZE'),
  FILE_SAME_PACKAGE: [file('message M {}'), file('message M {}', 'syntax = "proto3"; package b;'), file('')],
  FILE_SAME_PHP_CLASS_PREFIX: option('php_class_prefix', '"A"'),
  FILE_SAME_PHP_METADATA_NAMESPACE: option('php_metadata_namespace', '"A"'),
  FILE_SAME_PHP_NAMESPACE: option('php_namespace', '"A"'),
  FILE_SAME_PY_GENERIC_SERVICES: option('py_generic_services', 'true'),
  FILE_SAME_RUBY_PACKAGE: option('ruby_package', '"A"'),
  FILE_SAME_SWIFT_PREFIX: option('swift_prefix', '"A"'),
  FILE_SAME_SYNTAX: [file('message M {}'), proto2('message M {}'), file('')],
  MESSAGE_NO_DELETE: [
    file('message M { message N {} }'),
    file('message M {}'),
    file('message M { message N {} message O {} }'),
  ],
  MESSAGE_NO_REMOVE_STANDARD_DESCRIPTOR_ACCESSOR: [
    file('message M {}'),
    file('message M { option no_standard_descriptor_accessor = true; }'),
    file('message M { option no_standard_descriptor_accessor = false; }'),
  ],
  MESSAGE_SAME_JSON_FORMAT: [file('message M {}'), proto2('message M {}'), edition('message M {}')],
  MESSAGE_SAME_MESSAGE_SET_WIRE_FORMAT: [
    proto2('message M { extensions 4 to max; }'),
    proto2('message M { option message_set_wire_format = true; extensions 4 to max; }'),
    proto2('message M { option message_set_wire_format = false; extensions 4 to max; }'),
  ],
  MESSAGE_SAME_REQUIRED_FIELDS: [
    proto2('message M { required int32 a = 1; }'),
    proto2('message M { required int32 a = 1; required int32 b = 2; }'),
    proto2('message M { required int32 a = 1; optional int32 b = 2; }'),
  ],
  ONEOF_NO_DELETE: [
    file('message M { oneof o { int32 a = 1; } optional int32 b = 2; }'),
    file('message M { int32 a = 1; optional int32 b = 2; }'),
    file('message M { oneof o { int32 a = 1; } int32 b = 2; }'),
  ],
  PACKAGE_ENUM_NO_DELETE: [
    file('enum E { A = 0; }'),
    file(''),
    { ...file(''), 'b.proto': 'syntax = "proto3"; package a; enum E { A = 0; }' },
  ],
  PACKAGE_EXTENSION_NO_DELETE: [
    proto2('message M { extensions 100 to 200; } extend M { optional int32 e = 100; }'),
    proto2('message M { extensions 100 to 200; }'),
    {
      ...proto2('message M { extensions 100 to 200; }'),
      'b.proto': 'package a; import "a.proto"; extend M { optional int32 e = 100; }',
    },
  ],
  PACKAGE_MESSAGE_NO_DELETE: [
    file('message M {}'),
    file(''),
    { ...file(''), 'b.proto': 'syntax = "proto3"; package a; message M {}' },
  ],
  PACKAGE_NO_DELETE: [
    file('message M {}'),
    file('message M {}', 'syntax = "proto3"; package b;'),
    { 'b.proto': 'syntax = "proto3"; package a;' },
  ],
  PACKAGE_SERVICE_NO_DELETE: [
    plain,
    file('message M {}'),
    {
      ...file('message M {} message N {}'),
      'b.proto': 'syntax = "proto3"; package a; import "a.proto"; service S { rpc A (M) returns (M); }',
    },
  ],
  RESERVED_ENUM_NO_DELETE: [
    file('enum E { A = 0; reserved 5 to 9; reserved "B"; }'),
    file('enum E { A = 0; reserved 5 to 8; reserved "B"; }'),
    file('enum E { A = 0; reserved 5, 6 to 7, 8 to max; reserved "B", "C"; }'),
  ],
  RESERVED_MESSAGE_NO_DELETE: [
    file('message M { reserved 5 to 9; reserved "b"; }'),
    file('message M { reserved 5 to 9; }'),
    file('message M { reserved 1 to 9, 6; reserved "a", "b"; }'),
  ],
  RPC_NO_DELETE: [plain, method(''), method('rpc A (M) returns (M); rpc B (M) returns (M);')],
  RPC_SAME_CLIENT_STREAMING: [
    plain,
    method('rpc A (stream M) returns (M);'),
    method('rpc A (M) returns (stream M);'),
  ],
  RPC_SAME_SERVER_STREAMING: [
    plain,
    method('rpc A (M) returns (stream M);'),
    method('rpc A (stream M) returns (M);'),
  ],
  RPC_SAME_IDEMPOTENCY_LEVEL: [
    plain,
    method('rpc A (M) returns (M) { option idempotency_level = IDEMPOTENT; }'),
    method('rpc A (M) returns (M) { option deprecated = true; }'),
  ],
  RPC_SAME_REQUEST_TYPE: [plain, method('rpc A (N) returns (M);'), method('rpc A (M) returns (N);')],
  RPC_SAME_RESPONSE_TYPE: [plain, method('rpc A (M) returns (N);'), method('rpc A (N) returns (M);')],
  SERVICE_NO_DELETE: [plain, file('message M {} message N {}'), method('')],
};

const categories = ['wire', 'wire-json', 'package', 'file', 'csr'] as const;
const all = [...new Set(categories.flatMap((category) => bufRulesOf(category).map(({ id }) => id)))];

describe("Buf's rules", () => {
  test('each one has a case here', () => {
    expect(Object.keys(cases).sort()).toEqual([...all].sort());
  });

  test.each(Object.entries(cases))('%s finds its break, and nothing else', (id, [old, breaking, fine]) => {
    expect([
      breaks(old, old, `buf:${id}`),
      breaks(old, breaking, `buf:${id}`),
      breaks(old, fine, `buf:${id}`),
    ]).toEqual([false, true, false]);
  });

  test('stricter categories refuse whatever the laxer ones refuse', () => {
    for (const [old, breaking, fine] of Object.values(cases))
      for (const after of [breaking, fine]) {
        const refusals = (['file', 'package', 'wire-json', 'wire'] as const).map((mode) =>
          breaks(old, after, mode),
        );
        expect(refusals).toEqual([...refusals].sort((a, b) => Number(b) - Number(a)));
        if (breaks(old, after, 'wire-json')) expect(breaks(old, after, 'csr')).toBe(true);
      }
  });

  test('an enum may move, with its name and all its values', () => {
    const outside = file('message M { E e = 1; } enum E { A = 0; B = 1; }');
    const inside = (name: string, values: string): Files =>
      file(`message M { enum ${name} { ${values} } ${name} e = 1; }`);
    for (const mode of ['wire', 'wire-json'] as const) {
      expect(breaks(outside, inside('E', 'A = 0; B = 1; C = 2;'), mode)).toBe(false);
      expect(breaks(outside, inside('F', 'A = 0; B = 1;'), mode)).toBe(true);
      expect(breaks(outside, inside('E', 'A = 0;'), mode)).toBe(true);
      expect(breaks(outside, inside('E', 'A = 0; C = 1;'), mode)).toBe(true);
    }
    expect(breaks(outside, inside('E', 'A = 0; B = 1;'), 'buf:FIELD_SAME_TYPE')).toBe(true);
  });

  test('names that Buf has replaced still work; a name that it never had is refused with the list', () => {
    const [old, after] = [file('message M { int32 a = 1; }'), file('message M { repeated int32 a = 1; }')];
    expect(breaks(old, after, 'buf:FIELD_SAME_LABEL')).toBe(true);
    expect(() => breaks(old, after, 'buf:FIELD_NO_RENAME')).toThrow(
      /FIELD_NO_DELETE, .*got buf:FIELD_NO_RENAME/,
    );
  });
});
