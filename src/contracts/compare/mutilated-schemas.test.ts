import { expect, test } from 'vitest';
import { AvroGenerator, randomFrom } from '../../../test/contracts/random-avro.ts';
import { ProtobufGenerator, protobufText } from '../../../test/contracts/random-protobuf.ts';
import { FactlineError } from '../../foundation/index.ts';
import { type CompareRequest, compare } from './compare.ts';

const rounds = 400;
const slowMs = 5_000;

const proto2 = `syntax = "proto2"; package a.b; import "google/protobuf/any.proto"; option java_package = "x";
message M { extensions 100 to 200; required int32 a = 1 [default = 5]; optional group G = 3 { optional string s = 1; }
  oneof o { string x = 7; bytes y = 8; } reserved 10, 12 to 14; reserved "foo"; map<string, M> m = 20;
  enum E { option allow_alias = true; A = 0; B = 0; reserved 4 to max; } }
extend M { optional int32 e = 100; } service S { rpc X (stream M) returns (M) { option (foo).bar = { a: [1, 2] }; } }`;

const odd = [...'{}[]()<>=;,."\'\\/*-0x9 \n\0é', '__proto__', 'constructor', '1e999'];

test('schemas that were cut, doubled and spoilt are bad input or compared, and never anything else', async () => {
  const random = randomFrom(20_261_121);
  const place = (text: string): number => Math.floor(random() * text.length);
  const mutilated = (text: string): string => {
    const [from, to] = [place(text), place(text)].sort((a, b) => a - b) as [number, number];
    const roll = random();
    if (roll < 0.3) return text.slice(0, from) + text.slice(from + 8);
    if (roll < 0.5) return text.slice(0, to) + text.slice(Math.max(from, to - 20));
    if (roll < 0.6) return text.slice(0, from);
    return text.slice(0, from) + odd[Math.floor(random() * odd.length)] + text.slice(from);
  };
  const counts = { compared: 0, refused: 0 };
  for (let round = 0; round < rounds; round += 1) {
    const isProtobuf = round % 2 === 0;
    const generated = protobufText(new ProtobufGenerator(random).schema());
    const good = isProtobuf
      ? round % 4 === 0
        ? proto2
        : generated
      : JSON.stringify(new AvroGenerator(random).schema());
    const format = isProtobuf ? 'protobuf' : 'avro';
    const request: CompareRequest = {
      format,
      mode: 'full',
      old: round % 5 === 0 ? good : mutilated(good),
      new: good,
    };
    const begun = performance.now();
    try {
      await compare(request);
      counts.compared += 1;
    } catch (error) {
      expect(FactlineError.is(error, 'SCHEMA_INVALID') ? '' : `${error} of ${JSON.stringify(request)}`).toBe(
        '',
      );
      counts.refused += 1;
    }
    expect(performance.now() - begun).toBeLessThan(slowMs);
  }
  expect(Math.min(counts.compared, counts.refused)).toBeGreaterThan(rounds / 10);
});
