import {
  type AvroEnum,
  type AvroField,
  type AvroNamedType,
  type AvroRecord,
  type AvroType,
  logicalOf,
} from './avro-type.ts';

/** Which encodings a reader takes beside its own. */
const promotions: ReadonlyMap<string, readonly string[]> = new Map([
  ['long', ['int']],
  ['float', ['int', 'long']],
  ['double', ['int', 'long', 'float']],
  ['string', ['bytes']],
  ['bytes', ['string']],
]);

export const isPromotable = (reader: AvroType, writer: AvroType): boolean =>
  reader.kind === writer.kind || promotions.get(reader.kind)?.includes(writer.kind) === true;

/** Unqualified names are equal, or the reader knows the writer's full name as an alias. */
export const isSameName = (reader: AvroNamedType, writer: AvroNamedType): boolean =>
  reader.shortName === writer.shortName || reader.aliases.includes(writer.name);

/** The writer's fields that a reader's field stands for, by name and by its aliases; more than one is a contradiction. */
export const writtenFields = (field: AvroField, writer: AvroRecord): readonly AvroField[] => {
  const names = new Set([field.name, ...field.aliases]);
  return [...names].flatMap((name) => writer.fields.get(name) ?? []);
};

export const unknownSymbols = (reader: AvroEnum, writer: AvroEnum): string[] =>
  [...writer.symbols].filter((symbol) => !reader.symbols.has(symbol));

/** Both sides say what the value means, and they disagree: the number is read, but as another time or amount. */
export const isOtherMeaning = (reader: AvroType, writer: AvroType): boolean => {
  const [a, b] = [logicalOf(reader), logicalOf(writer)];
  if (a === undefined || b === undefined) return false;
  return a.name !== b.name || a.precision !== b.precision || a.scale !== b.scale;
};

type Verdict = 'yes' | 'no';

/** Beyond these the answer is no, without proof. Real schemas take some thousands of steps, and some dozens of levels. */
const stepsMax = 500_000;
const depthMax = 1_000;
const glancesPerStep = 20;

/**
 * Decides whether data of one schema can be read with another, by Apache's rules. A pair that is being decided counts as readable
 * when it is met again inside itself. That guess may fail, and what was concluded from it must not survive: answers are thrown
 * away and decided again, with the pair known to be unreadable, until no guess fails. Unreadable is never guessed, so it stays.
 */
export class AvroReading {
  readonly #logicalTypes: boolean;
  readonly #known = new Map<AvroType, Map<AvroType, Verdict>>();
  readonly #open = new Map<AvroType, Set<AvroType>>();
  readonly #guessed = new Map<AvroType, Set<AvroType>>();
  #guessFailed = false;
  #steps = 0;
  #depth = 0;
  #isExhausted = false;

  constructor(logicalTypes: boolean) {
    this.#logicalTypes = logicalTypes;
  }

  reads(reader: AvroType, writer: AvroType): boolean {
    for (;;) {
      this.#guessFailed = false;
      const answer = this.#decide(reader, writer);
      if (this.#isExhausted) return false;
      if (!this.#guessFailed) return answer;
      this.#forgetYes();
    }
  }

  #decide(reader: AvroType, writer: AvroType): boolean {
    const known = this.#known.get(reader)?.get(writer);
    if (known !== undefined) return known === 'yes';
    if (has(this.#open, reader, writer)) {
      add(this.#guessed, reader, writer);
      return true;
    }
    this.#steps += 1;
    this.#isExhausted ||= this.#steps > stepsMax || this.#depth > depthMax;
    if (this.#isExhausted) return false;
    add(this.#open, reader, writer);
    this.#depth += 1;
    const answer = this.#resolve(reader, writer);
    this.#depth -= 1;
    this.#open.get(reader)?.delete(writer);
    this.#remember(reader, writer, answer ? 'yes' : 'no');
    if (!answer && has(this.#guessed, reader, writer)) this.#guessFailed = true;
    return answer;
  }

  #resolve(reader: AvroType, writer: AvroType): boolean {
    if (writer.kind === 'union') return writer.branches.every((branch) => this.#decide(reader, branch));
    if (reader.kind === 'union') {
      this.#steps += reader.branches.length / glancesPerStep;
      return reader.branches.some((branch) => mayRead(branch, writer) && this.#decide(branch, writer));
    }
    if (!isPromotable(reader, writer)) return false;
    if (this.#logicalTypes && isOtherMeaning(reader, writer)) return false;
    if (reader.kind === 'array') return writer.kind === 'array' && this.#decide(reader.items, writer.items);
    if (reader.kind === 'map') return writer.kind === 'map' && this.#decide(reader.values, writer.values);
    if (!('name' in reader) || !('name' in writer)) return true;
    if (!isSameName(reader, writer)) return false;
    if (reader.kind === 'fixed') return writer.kind === 'fixed' && reader.size === writer.size;
    if (reader.kind === 'record') return writer.kind === 'record' && this.#resolveRecord(reader, writer);
    if (writer.kind !== 'enum') return false;
    return reader.default !== undefined || unknownSymbols(reader, writer).length === 0;
  }

  #resolveRecord(reader: AvroRecord, writer: AvroRecord): boolean {
    return [...reader.fields.values()].every((field) => {
      const [written, ...others] = writtenFields(field, writer);
      if (written === undefined) return field.default !== undefined;
      return others.length === 0 && this.#decide(field.type, written.type);
    });
  }

  #remember(reader: AvroType, writer: AvroType, verdict: Verdict): void {
    const ofReader = this.#known.get(reader) ?? new Map<AvroType, Verdict>();
    this.#known.set(reader, ofReader.set(writer, verdict));
  }

  #forgetYes(): void {
    this.#guessed.clear();
    for (const ofReader of this.#known.values())
      for (const [writer, verdict] of ofReader) if (verdict === 'yes') ofReader.delete(writer);
  }
}

/** At a glance: most branches of a union have nothing to do with the value. */
export const mayRead = (reader: AvroType, writer: AvroType): boolean =>
  isPromotable(reader, writer) && !('name' in reader && 'name' in writer && !isSameName(reader, writer));

type Pairs = Map<AvroType, Set<AvroType>>;

const has = (pairs: Pairs, reader: AvroType, writer: AvroType): boolean =>
  pairs.get(reader)?.has(writer) === true;

const add = (pairs: Pairs, reader: AvroType, writer: AvroType): void => {
  const ofReader = pairs.get(reader) ?? new Set();
  pairs.set(reader, ofReader.add(writer));
};
