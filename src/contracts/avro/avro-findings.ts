import {
  type AvroReading,
  isOtherMeaning,
  isPromotable,
  isSameName,
  mayRead,
  unknownSymbols,
  writtenFields,
} from './avro-reading.ts';
import { type AvroField, type AvroRecord, type AvroType, type AvroUnion, logicalOf } from './avro-type.ts';

export interface TwoTypes {
  readonly reader: AvroType;
  readonly writer: AvroType;
}

/** What is known of each finding, told from the reader's and the writer's view, without a direction. */
export interface AvroFacts {
  'type-mismatch': TwoTypes;
  'name-mismatch': TwoTypes;
  'fixed-size-mismatch': TwoTypes;
  'missing-union-branch': TwoTypes;
  'logical-type': TwoTypes;
  'logical-type-one-sided': TwoTypes;
  'missing-enum-symbols': { readonly symbols: readonly string[]; readonly fallback: string | undefined };
  'reader-field-missing-default': { readonly field: AvroField };
  'ambiguous-alias': { readonly field: AvroField; readonly names: readonly string[] };
  'field-only-in-reader': { readonly field: AvroField };
  'field-only-in-writer': { readonly field: AvroField };
  'default-changed': { readonly readerDefault: unknown; readonly writerDefault: unknown };
}

export type AvroRule = keyof AvroFacts;

/** What stands in the way of reading, or is worth knowing. */
export interface AvroFinding<Rule extends AvroRule = AvroRule> {
  readonly rule: Rule;
  readonly facts: AvroFacts[Rule];
  readonly path: string;
  /** How a written value leads here. */
  readonly trail: readonly TrailStep[];
}

export type TrailStep =
  | { readonly into: 'field'; readonly record: AvroRecord; readonly name: string }
  | { readonly into: 'item' | 'value' }
  | { readonly into: 'branch'; readonly branch: AvroType };

/** More would not be read by anybody. */
const findingsMax = 1_000;
const depthMax = 500;

/** Walks both schemas where `reading` says that something is wrong, and notes what is worth knowing where nothing is. */
export class AvroFindings {
  readonly found: AvroFinding[] = [];
  readonly #reading: AvroReading;
  readonly #walked = new Map<AvroType, Set<AvroType>>();
  #trail: readonly TrailStep[] = [];

  constructor(reading: AvroReading) {
    this.#reading = reading;
  }

  walk(reader: AvroType, writer: AvroType, path: string): void {
    const walked = this.#walked.get(reader) ?? new Set();
    if (this.found.length >= findingsMax || this.#trail.length > depthMax) return;
    if (reader.kind === 'record' && walked.has(writer)) return;
    this.#walked.set(reader, walked.add(writer));
    if (writer.kind === 'union') {
      for (const branch of writer.branches) {
        this.#within({ into: 'branch', branch }, () => this.#walkBranch(reader, branch, path));
      }
    } else if (reader.kind === 'union') this.#walkUnion(reader, writer, path);
    else this.#walkPair(reader, writer, path);
  }

  #walkBranch(reader: AvroType, branch: AvroType, path: string): void {
    if (reader.kind === 'union' || this.#reading.reads(reader, branch)) this.walk(reader, branch, path);
    else if (isPromotable(reader, branch)) this.walk(reader, branch, path);
    else this.#note('missing-union-branch', { reader, writer: branch }, path);
  }

  /** The branch that reads it, or the one that was most likely meant to. */
  #walkUnion(reader: AvroUnion, writer: AvroType, path: string): void {
    const likely = reader.branches.filter((branch) => mayRead(branch, writer));
    const meant =
      likely.find((branch) => this.#reading.reads(branch, writer)) ??
      likely.find(({ kind }) => kind === writer.kind);
    if (meant === undefined) this.#note('missing-union-branch', { reader, writer }, path);
    else this.walk(meant, writer, path);
  }

  #walkPair(reader: AvroType, writer: AvroType, path: string): void {
    if (!isPromotable(reader, writer)) {
      this.#note('type-mismatch', { reader, writer }, path);
      return;
    }
    this.#compareMeaning(reader, writer, path);
    if (reader.kind === 'array' && writer.kind === 'array') {
      this.#within({ into: 'item' }, () => this.walk(reader.items, writer.items, `${path}[]`));
    } else if (reader.kind === 'map' && writer.kind === 'map') {
      this.#within({ into: 'value' }, () => this.walk(reader.values, writer.values, `${path}{}`));
    } else if ('name' in reader && 'name' in writer) {
      if (!isSameName(reader, writer)) this.#note('name-mismatch', { reader, writer }, path);
      else if (reader.kind === 'record' && writer.kind === 'record') this.#walkRecord(reader, writer);
      else if (reader.kind === 'fixed' && writer.kind === 'fixed' && reader.size !== writer.size)
        this.#note('fixed-size-mismatch', { reader, writer }, path);
      else if (reader.kind === 'enum' && writer.kind === 'enum') {
        const symbols = unknownSymbols(reader, writer);
        if (symbols.length > 0)
          this.#note('missing-enum-symbols', { symbols, fallback: reader.default }, path);
      }
    }
  }

  #compareMeaning(reader: AvroType, writer: AvroType, path: string): void {
    if (isOtherMeaning(reader, writer)) this.#note('logical-type', { reader, writer }, path);
    else if ((logicalOf(reader) === undefined) !== (logicalOf(writer) === undefined))
      this.#note('logical-type-one-sided', { reader, writer }, path);
  }

  #walkRecord(reader: AvroRecord, writer: AvroRecord): void {
    const used = new Set<AvroField>();
    for (const field of reader.fields.values()) {
      const path = `${reader.name}.${field.name}`;
      const [written, ...others] = writtenFields(field, writer);
      if (written === undefined) {
        const rule = field.default === undefined ? 'reader-field-missing-default' : 'field-only-in-reader';
        this.#note(rule, { field }, path);
        continue;
      }
      for (const each of [written, ...others]) used.add(each);
      const names = [written, ...others].map(({ name }) => name);
      if (others.length > 0) this.#note('ambiguous-alias', { field, names }, path);
      if (field.default !== undefined && written.default !== undefined)
        this.#compareDefaults(field, written, path);
      const step: TrailStep = { into: 'field', record: writer, name: written.name };
      this.#within(step, () => this.walk(field.type, written.type, path));
    }
    for (const field of writer.fields.values())
      if (!used.has(field)) this.#note('field-only-in-writer', { field }, `${writer.name}.${field.name}`);
  }

  #compareDefaults(field: AvroField, written: AvroField, path: string): void {
    const [readerDefault, writerDefault] = [field.default, written.default];
    if (JSON.stringify(readerDefault) !== JSON.stringify(writerDefault))
      this.#note('default-changed', { readerDefault, writerDefault }, path);
  }

  #within(step: TrailStep, walk: () => void): void {
    const before = this.#trail;
    this.#trail = [...before, step];
    walk();
    this.#trail = before;
  }

  #note<Rule extends AvroRule>(rule: Rule, facts: AvroFacts[Rule], path: string): void {
    this.found.push({ rule, facts, path, trail: this.#trail } as unknown as AvroFinding);
  }
}
