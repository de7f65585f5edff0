import type { Json } from '../../foundation/index.ts';
import type { TrailStep } from './avro-findings.ts';
import { isPromotable, isSameName, writtenFields } from './avro-reading.ts';
import type { AvroRecord, AvroType, AvroUnion } from './avro-type.ts';

/** Values in Avro's JSON encoding: what is not null stands in a union under its branch's name. */

/** Larger ones are not worth printing. */
const valuesMax = 2_000;

export const branchName = (branch: AvroType): string => ('name' in branch ? branch.name : branch.kind);

/** Writes small values of a schema, one along a trail. */
export class AvroSampler {
  #written = 0;
  readonly #open = new Set<AvroType>();

  /**
   * A value of `type` that has, at the end of the trail, what `leaf` says; undefined where that would take too much.
   * @param leaf at the end: the value; undefined for any
   */
  along(type: AvroType, trail: readonly TrailStep[], leaf: Json | undefined): Json | undefined {
    const [step, ...rest] = trail;
    if (step === undefined) return leaf === undefined ? this.#any(type) : leaf;
    const next = (inner: AvroType): Json | undefined => this.along(inner, rest, leaf);
    if (type.kind === 'array') return wrapped(next(type.items), (value) => [value]);
    if (type.kind === 'map') return wrapped(next(type.values), (value) => ({ key: value }));
    if (type.kind === 'union' && step.into === 'branch') {
      const value = next(step.branch);
      return value === undefined ? undefined : inBranch(step.branch, value);
    }
    if (type.kind !== 'record' || step.into !== 'field') return undefined;
    return this.#record(type, (name, inner) => (name === step.name ? next(inner) : this.#any(inner)));
  }

  /** The shortest: no items, null where it may be. */
  #any(type: AvroType): Json | undefined {
    this.#written += 1;
    if (this.#written > valuesMax) return undefined;
    switch (type.kind) {
      case 'null':
        return null;
      case 'boolean':
        return false;
      case 'int':
      case 'long':
      case 'float':
      case 'double':
        return 1;
      case 'string':
      case 'bytes':
        return '';
      case 'fixed':
        return '\0'.repeat(type.size);
      case 'array':
        return [];
      case 'map':
        return {};
      case 'enum':
        return [...type.symbols][0];
      case 'union':
        return this.#branch(type);
      case 'record': {
        // Only a branch of a union leads out of a record inside itself.
        if (this.#open.has(type)) return undefined;
        this.#open.add(type);
        const record = this.#record(type, (_name, inner) => this.#any(inner));
        this.#open.delete(type);
        return record;
      }
    }
  }

  #branch({ branches }: AvroUnion): Json | undefined {
    for (const branch of [...branches].sort(
      (a, b) => Number(b.kind === 'null') - Number(a.kind === 'null'),
    )) {
      const value = this.#any(branch);
      if (value !== undefined) return inBranch(branch, value);
    }
    return undefined;
  }

  #record(
    { fields }: AvroRecord,
    fill: (name: string, type: AvroType) => Json | undefined,
  ): Json | undefined {
    const entries: [string, Json][] = [];
    for (const { name, type } of fields.values()) {
      const value = fill(name, type);
      if (value === undefined) return undefined;
      entries.push([name, value]);
    }
    return Object.fromEntries(entries);
  }
}

const wrapped = (value: Json | undefined, wrap: (value: Json) => Json): Json | undefined =>
  value === undefined ? undefined : wrap(value);

const inBranch = (branch: AvroType, value: Json): Json =>
  branch.kind === 'null' ? null : { [branchName(branch)]: value };

type Members = Readonly<Record<string, Json>>;

/** Whether a reader takes this one value, as the specification resolves it: without memory and without guesses. */
export const readsDatum = (reader: AvroType, writer: AvroType, datum: Json): boolean => {
  if (writer.kind === 'union') {
    const [name = 'null'] = datum === null ? [] : Object.keys(datum);
    const branch = writer.branches.find((each) => branchName(each) === name);
    return (
      branch !== undefined &&
      readsDatum(reader, branch, datum === null ? null : ((datum as Members)[name] ?? null))
    );
  }
  if (reader.kind === 'union') return reader.branches.some((branch) => readsDatum(branch, writer, datum));
  if (!isPromotable(reader, writer)) return false;
  if ('name' in reader && 'name' in writer && !isSameName(reader, writer)) return false;
  if (reader.kind === 'array' && writer.kind === 'array')
    return (datum as readonly Json[]).every((item) => readsDatum(reader.items, writer.items, item));
  if (reader.kind === 'map' && writer.kind === 'map')
    return Object.values(datum as Members).every((item) => readsDatum(reader.values, writer.values, item));
  if (reader.kind === 'fixed' && writer.kind === 'fixed') return reader.size === writer.size;
  if (reader.kind === 'enum') return reader.default !== undefined || reader.symbols.has(datum as string);
  if (reader.kind !== 'record' || writer.kind !== 'record') return true;
  return [...reader.fields.values()].every((field) => {
    const [written] = writtenFields(field, writer);
    if (written === undefined) return field.default !== undefined;
    return readsDatum(field.type, written.type, (datum as Members)[written.name] ?? null);
  });
};
