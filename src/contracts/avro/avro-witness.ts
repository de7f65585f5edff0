import avro from 'avsc';
import type { Json } from '../../foundation/index.ts';
import { AvroSampler, readsDatum } from './avro-datum.ts';
import type { AvroFacts, AvroFinding } from './avro-findings.ts';
import type { AvroType } from './avro-type.ts';

interface Sides {
  readonly reader: AvroType;
  readonly writer: AvroType;
  /** The schemas as they were handed in. */
  readonly readerSchema: unknown;
  readonly writerSchema: unknown;
}

/** Each costs a value to build and to check; who has seen some has seen enough. */
const witnessesMax = 20;
/** avsc compiles functions for each record: with more of them a pair would take too long. */
const recordsMax = 50;

/**
 * Finds values, in Avro's JSON encoding, that the writing schema encodes and the reading one refuses. Each is encoded by avsc, which
 * must refuse the pair as well: where it disagrees with Apache, there is no witness.
 */
export class AvroWitnesses {
  readonly #sides: Sides;
  #judge: avro.Type | null | undefined;
  #left = witnessesMax;

  constructor(sides: Sides) {
    this.#sides = sides;
  }

  find(finding: AvroFinding): Json | undefined {
    if (this.#left <= 0) return undefined;
    this.#left -= 1;
    const { reader, writer } = this.#sides;
    const datum = new AvroSampler().along(writer, finding.trail, leafOf(finding));
    if (datum === undefined || readsDatum(reader, writer, datum)) return undefined;
    return this.#isWritable(datum) ? datum : undefined;
  }

  #isWritable(datum: Json): boolean {
    if (this.#judge === undefined) this.#judge = judgeOf(this.#sides);
    try {
      this.#judge?.fromString(JSON.stringify(datum));
      return this.#judge !== null;
    } catch {
      return false;
    }
  }
}

/** The value that the reader does not know. */
const leafOf = ({ rule, facts }: AvroFinding): Json | undefined =>
  rule === 'missing-enum-symbols' ? (facts as AvroFacts[typeof rule]).symbols[0] : undefined;

/** avsc's type of the writer; null when avsc reads the pair, or one of the schemas not at all. */
const judgeOf = ({
  reader: readerType,
  writer: writerType,
  readerSchema,
  writerSchema,
}: Sides): avro.Type | null => {
  if (countRecords(readerType) + countRecords(writerType) > recordsMax) return null;
  const options = (): object => ({ wrapUnions: 'always' });
  let writer: avro.Type;
  let reader: avro.Type;
  try {
    writer = avro.Type.forSchema(writerSchema as avro.Schema, options());
    reader = avro.Type.forSchema(readerSchema as avro.Schema, options());
  } catch {
    return null;
  }
  try {
    reader.createResolver(writer);
    return null;
  } catch {
    return writer;
  }
};

const countRecords = (type: AvroType, seen: Set<AvroType> = new Set()): number => {
  if (seen.has(type) || seen.size > recordsMax) return seen.size;
  if (type.kind === 'record') seen.add(type);
  for (const inner of partsOf(type)) countRecords(inner, seen);
  return seen.size;
};

const partsOf = (type: AvroType): readonly AvroType[] => {
  if (type.kind === 'array') return [type.items];
  if (type.kind === 'map') return [type.values];
  if (type.kind === 'union') return type.branches;
  return type.kind === 'record' ? [...type.fields.values()].map((field) => field.type) : [];
};
