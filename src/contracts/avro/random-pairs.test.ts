import avro from 'avsc';
import { describe, expect, test } from 'vitest';
import { AvroGenerator, randomFrom, type Schema } from '../../../test/contracts/random-avro.ts';
import type { Json } from '../../foundation/index.ts';
import { readsDatum } from './avro-datum.ts';
import { compareAvro } from './compare-avro.ts';
import { readAvro } from './read-avro.ts';

/** `FACTLINE_PAIRS=100000 npx vitest run …` for the long form. */
const pairs = Number(process.env['FACTLINE_PAIRS'] ?? 1_500);
const seed = Number(process.env['FACTLINE_SEED'] ?? 20_261_121);

const typeOf = (schema: Schema): avro.Type =>
  avro.Type.forSchema(structuredClone(schema) as avro.Schema, { wrapUnions: 'always' });

/** What avsc says, an independent implementation of the same specification. */
const isReadable = (reader: avro.Type, writer: avro.Type): boolean => {
  try {
    reader.createResolver(writer);
    return true;
  } catch {
    return false;
  }
};

/** Undefined where the library builds a recursive value that never ends. */
const randomValue = (type: avro.Type): { readonly value: unknown } | undefined => {
  try {
    return { value: type.random() };
  } catch {
    return undefined;
  }
};

const isUsable = (schema: Schema): boolean => {
  try {
    compareAvro({ old: schema, new: schema, direction: 'backward' });
    typeOf(schema);
    return true;
  } catch {
    return false;
  }
};

const everyPair = (run: (old: Schema, after: Schema) => void): number => {
  const random = randomFrom(seed);
  const generator = new AvroGenerator(random);
  let used = 0;
  for (let index = 0; index < pairs; index += 1) {
    const old = generator.schema();
    const after = random() < 0.3 ? generator.schema() : generator.changed(old);
    if (!isUsable(old) || !isUsable(after)) continue;
    used += 1;
    run(old, after);
  }
  return used;
};

const isCompatible = (old: Schema, after: Schema, direction: 'backward' | 'forward'): boolean =>
  compareAvro({ old, new: after, direction }).compatible;

describe('random pairs of Avro schemas', () => {
  test('what is called compatible is read by avsc, value by value', () => {
    const counts = { compatible: 0, incompatible: 0, values: 0, witnesses: 0 };
    const wrong: unknown[] = [];
    const used = everyPair((old, after) => {
      const [writer, reader] = [typeOf(old), typeOf(after)];
      const { compatible, changes } = compareAvro({ old, new: after, direction: 'backward' });
      if (changes.some((change) => 'witness' in change)) counts.witnesses += 1;
      counts[compatible ? 'compatible' : 'incompatible'] += 1;
      if (compatible !== isReadable(reader, writer)) wrong.push({ compatible, old, after });
      if (!compatible) return;
      const resolver = reader.createResolver(writer);
      for (let each = 0; each < 3; each += 1) {
        const written = randomValue(writer);
        if (written === undefined) continue;
        const value: unknown = reader.fromBuffer(writer.toBuffer(written.value), resolver);
        expect(reader.isValid(value)).toBe(true);
        const datum = JSON.parse(writer.toString(written.value)) as Json;
        expect(readsDatum(readAvro(after, 'new'), readAvro(old, 'old'), datum)).toBe(true);
        counts.values += 1;
      }
    });
    expect(wrong.slice(0, 3)).toEqual([]);
    expect(used).toBeGreaterThan(pairs / 2);
    expect(counts.witnesses).toBeGreaterThan(0.9 * counts.incompatible);
    expect(Math.min(counts.compatible, counts.incompatible)).toBeGreaterThan(used / 5);
  });

  test('a schema reads what it wrote; forward is backward with the sides swapped; only the breaking are incompatible', () => {
    everyPair((old, after) => {
      expect(isCompatible(old, old, 'backward')).toBe(true);
      expect(isCompatible(old, after, 'forward')).toBe(isCompatible(after, old, 'backward'));
      const { compatible, changes } = compareAvro({ old, new: after, direction: 'backward' });
      expect(changes.some(({ severity }) => severity === 'breaking')).toBe(!compatible);
    });
  });
});
