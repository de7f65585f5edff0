import { brokenBy, type Change, type CompareDirection } from '../compare/comparison.ts';
import { describeValue } from '../payload-check.ts';
import type { AvroFacts, AvroFinding, AvroRule, TwoTypes } from './avro-findings.ts';
import { describeAvro } from './avro-type.ts';

type Told = Omit<Change, 'path' | 'breaks'>;
type Telling<Rule extends AvroRule> = (facts: AvroFacts[Rule], direction: CompareDirection) => Told;

/** A finding as its reader wants it: which side is old and which is new, who is broken, and what to do instead. */
export const avroChange = (finding: AvroFinding, direction: CompareDirection): Change => {
  // The table has one telling for each rule, which takes that rule's facts.
  const tell = tellings[finding.rule] as Telling<AvroRule>;
  const told = tell(finding.facts, direction);
  if (told.severity !== 'breaking') return { ...told, path: finding.path };
  return { ...told, path: finding.path, breaks: brokenBy[direction] };
};

const newVersion = 'Publish the new schema as a new version of the event beside this one, with an upcaster.';
const symbolsShown = 10;

/** Both types, as old and new. */
const sides = ({ reader, writer }: TwoTypes, direction: CompareDirection): { old: string; new: string } => {
  const [read, written] = [describeAvro(reader), describeAvro(writer)];
  return direction === 'backward' ? { old: written, new: read } : { old: read, new: written };
};

const cannotRead = (direction: CompareDirection, written: string, read: string): string =>
  direction === 'backward'
    ? `The old schema wrote ${written}, which the new one cannot read as ${read}.`
    : `The new schema writes ${written}, which the old one cannot read as ${read}.`;

const mismatch =
  (rule: string, remedy: string): ((types: TwoTypes, direction: CompareDirection) => Told) =>
  (types, direction) => ({
    rule,
    severity: 'breaking',
    message: cannotRead(direction, describeAvro(types.writer), describeAvro(types.reader)),
    ...sides(types, direction),
    remedy,
  });

const listed = (names: readonly string[]): string => {
  const shown = names.slice(0, symbolsShown).join(', ');
  return names.length > symbolsShown ? `${shown} and ${names.length - symbolsShown} more` : shown;
};

const tellings: { readonly [Rule in AvroRule]: Telling<Rule> } = {
  'type-mismatch': mismatch('type-mismatch', `Add a field of the new type under another name. ${newVersion}`),
  'name-mismatch': mismatch(
    'name-mismatch',
    'Keep the name, or give the reading schema the old full name as an alias.',
  ),
  'fixed-size-mismatch': mismatch(
    'fixed-size-mismatch',
    `Add a field of the new size under another name. ${newVersion}`,
  ),
  'missing-union-branch': mismatch(
    'missing-union-branch',
    'Keep every branch that may have been written; add branches to the readers first, and write them later.',
  ),
  'logical-type': (types, direction) => ({
    rule: 'logical-type',
    severity: 'breaking',
    message: `The encoding fits, but ${describeAvro(types.writer)} would be taken for ${describeAvro(types.reader)}: another value.`,
    ...sides(types, direction),
    remedy: 'Add a field with the new meaning under another name.',
  }),
  'logical-type-one-sided': (types, direction) => ({
    rule: 'logical-type',
    severity: 'warning',
    message: `Only one side says what the value means: ${sides(types, direction).old} before, ${sides(types, direction).new} after.`,
    ...sides(types, direction),
  }),
  'missing-enum-symbols': ({ symbols, fallback }, direction) => {
    const text = listed(symbols);
    if (fallback !== undefined) {
      return {
        rule: 'missing-enum-symbols',
        severity: 'info',
        message: `The ${direction === 'backward' ? 'new' : 'old'} schema does not know ${text} and reads ${fallback} instead.`,
      };
    }
    return direction === 'backward'
      ? {
          rule: 'missing-enum-symbols',
          severity: 'breaking',
          message: `The new schema lacks ${text}, which old data may hold, and the enum has no default.`,
          old: text,
          remedy: 'Keep the symbols, or give the enum a default that stands for unknown ones.',
        }
      : {
          rule: 'missing-enum-symbols',
          severity: 'breaking',
          message: `Old consumers will see unknown values: ${text} is new, and their enum has no default.`,
          new: text,
          remedy: 'Give the enum a default first, and write the new symbols when every consumer has it.',
        };
  },
  'reader-field-missing-default': ({ field }, direction) =>
    direction === 'backward'
      ? {
          rule: 'reader-field-missing-default',
          severity: 'breaking',
          message: `The field ${field.name} was added without a default, and old data does not have it.`,
          new: describeAvro(field.type),
          remedy: 'Add it with a default, for instance as a union with null and the default null.',
        }
      : {
          rule: 'reader-field-missing-default',
          severity: 'breaking',
          message: `The field ${field.name} was removed, but old consumers need it: it has no default there.`,
          old: describeAvro(field.type),
          remedy: 'Give it a default first, and remove it when every consumer reads with that default.',
        },
  'ambiguous-alias': ({ field, names }, direction) => ({
    rule: 'ambiguous-alias',
    severity: 'breaking',
    message: `The field ${field.name} of the ${direction === 'backward' ? 'new' : 'old'} schema stands for several fields of the other: ${names.join(', ')}.`,
    remedy: 'Remove the alias that names a field which is still there.',
  }),
  'field-only-in-reader': ({ field }, direction) => ({
    rule: direction === 'backward' ? 'field-added' : 'field-removed',
    severity: 'info',
    message:
      direction === 'backward'
        ? `The field ${field.name} was added; where old data lacks it, the default is read.`
        : `The field ${field.name} was removed; old consumers read its default.`,
  }),
  'field-only-in-writer': ({ field }, direction) => ({
    rule: direction === 'backward' ? 'field-removed' : 'field-added',
    severity: 'info',
    message:
      direction === 'backward'
        ? `The field ${field.name} was removed; it is skipped in old data.`
        : `The field ${field.name} was added; old consumers skip it.`,
  }),
  'default-changed': ({ readerDefault, writerDefault }, direction) => {
    const [before, after] =
      direction === 'backward' ? [writerDefault, readerDefault] : [readerDefault, writerDefault];
    return {
      rule: 'default-changed',
      severity: 'info',
      message: 'The default changed: data that lacks the field reads as another value than before.',
      old: describeValue(before),
      new: describeValue(after),
    };
  },
};
