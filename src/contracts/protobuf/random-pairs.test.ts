import protobuf from 'protobufjs';
import { describe, expect, test } from 'vitest';
import { randomFrom } from '../../../test/contracts/random-avro.ts';
import {
  ProtobufGenerator,
  protobufText,
  type RandomField,
  type RandomSchema,
} from '../../../test/contracts/random-protobuf.ts';
import type { Question } from '../compare/comparison-mode.ts';
import { compareProtobuf } from './compare-protobuf.ts';

/** `FACTLINE_PAIRS=100000 npx vitest run …` for the long form. */
const pairs = Number(process.env['FACTLINE_PAIRS'] ?? 250);
const seed = Number(process.env['FACTLINE_SEED'] ?? 20_261_121);

const everyPair = (run: (old: RandomSchema, after: RandomSchema, random: () => number) => void): void => {
  const random = randomFrom(seed);
  const generator = new ProtobufGenerator(random);
  for (let index = 0; index < pairs; index += 1) {
    const old = generator.schema();
    run(old, generator.changed(old), random);
  }
};

const isCompatible = (old: RandomSchema, after: RandomSchema, mode: Question): boolean => {
  const files = (schema: RandomSchema): Map<string, string> =>
    new Map([['shop.proto', protobufText(schema)]]);
  return compareProtobuf({ old: files(old), new: files(after), mode }).compatible;
};

const messageOf = (schema: RandomSchema): protobuf.Type =>
  protobuf.parse(protobufText(schema), new protobuf.Root(), { keepCase: true }).root.lookupType('shop.M0');

const samples: Readonly<Record<string, unknown>> = {
  string: 'text',
  bytes: Buffer.from('abc'),
  bool: true,
  float: 1.5,
  double: 1.5,
  M0: {},
  M1: {},
};

/** At most one field of a oneof; every other field with a value that is not its default. */
const sampleOf = (fields: readonly RandomField[], random: () => number): Record<string, unknown> => {
  const inOneof = fields.filter(({ oneof }) => oneof !== null);
  const chosen = inOneof[Math.floor(random() * inOneof.length)];
  const written = fields.filter((field) => field.oneof === null || field === chosen);
  return Object.fromEntries(
    written.map(({ name, type, label }) => {
      const one = samples[type] ?? 1;
      if (type.startsWith('map')) return [name, type.endsWith('int32>') ? { key: 7 } : { 5: {} }];
      return [name, label === 'repeated ' ? [one, one] : one];
    }),
  );
};

describe('random pairs of Protobuf schemas', () => {
  test('what is called compatible is read, and fields of the same type keep what was written', () => {
    let compatible = 0;
    everyPair((old, after, random) => {
      if (!isCompatible(old, after, 'backward') && !isCompatible(old, after, 'wire')) return;
      compatible += 1;
      const [fields, now] = [old.messages[0]?.fields ?? [], after.messages[0]?.fields ?? []];
      const written = sampleOf(fields, random);
      const [writer, reader] = [messageOf(old), messageOf(after)];
      const read = reader.decode(writer.encode(writer.fromObject(written)).finish()) as unknown as Record<
        string,
        unknown
      >;
      const options = { longs: String, bytes: String, enums: String } as const;
      const [before, again] = [
        writer.toObject(writer.fromObject(written), options),
        reader.toObject(read as never, options),
      ];
      for (const field of fields) {
        const same = now.find(
          ({ number, type, label }) =>
            number === field.number &&
            type === field.type &&
            (label === 'repeated ') === (field.label === 'repeated '),
        );
        if (same !== undefined && field.name in written) expect(again[same.name]).toEqual(before[field.name]);
      }
    });
    expect(compatible).toBeGreaterThan(pairs / 5);
    expect(compatible).toBeLessThan((pairs * 4) / 5);
  });

  test('a schema replaces itself in every mode; forward is backward with the sides swapped; stricter categories refuse more', () => {
    const modes = ['file', 'package', 'wire-json', 'wire'] as const;
    everyPair((old, after) => {
      for (const mode of [...modes, 'csr', 'backward', 'forward'] as const)
        expect(isCompatible(old, old, mode)).toBe(true);
      expect(isCompatible(old, after, 'forward')).toBe(isCompatible(after, old, 'backward'));
      const accepted = modes.map((mode) => Number(isCompatible(old, after, mode)));
      expect(accepted).toEqual([...accepted].sort());
    });
  });
});
