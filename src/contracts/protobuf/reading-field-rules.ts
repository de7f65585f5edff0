import type { Change, ChangeSeverity, CompareDirection } from '../compare/comparison.ts';
import { defaultOf } from './default-value.ts';
import { describeFieldType, type FieldType, type ProtobufField } from './protobuf-schema.ts';
import { readingChange, type Sides } from './reading-finding.ts';
import { isReadAs, isSameType } from './wire-types.ts';

interface FieldSides {
  readonly reader: ProtobufField;
  readonly writer: ProtobufField;
}

/** A field that both sides have. */
export const sharedFieldChanges = (fields: FieldSides, sides: Sides): readonly Change[] => [
  ...nameChanges(fields, sides.direction),
  ...typeChanges(fields, sides.direction),
  ...cardinalityChanges(fields, sides.direction),
  ...defaultChanges(fields, sides),
];

const nameChanges = ({ reader, writer }: FieldSides, direction: CompareDirection): readonly Change[] => {
  if (reader.name === writer.name) return [];
  const message = `Field ${reader.number} was renamed: nothing changes on the wire, but JSON has another name.`;
  const names = { reader: reader.name, writer: writer.name };
  return [
    readingChange(direction, 'field-renamed', { path: reader.path, severity: 'info', message, ...names }),
  ];
};

const typeChanges = ({ reader, writer }: FieldSides, direction: CompareDirection): readonly Change[] => {
  const verdict = typeVerdict(reader.type, writer.type);
  if (verdict === null) return [];
  const message =
    verdict.severity === 'breaking'
      ? `Field ${reader.number} is written as ${describeFieldType(writer.type)}, which is not readable as ${describeFieldType(reader.type)}.`
      : `Field ${reader.number} is written as ${describeFieldType(writer.type)} and read as ${describeFieldType(reader.type)}: values that do not fit are changed.`;
  const types = { reader: describeFieldType(reader.type), writer: describeFieldType(writer.type) };
  const told = { path: reader.path, severity: verdict.severity, message, ...types };
  return [readingChange(direction, verdict.rule, told)];
};

interface Verdict {
  readonly rule: 'field-kind-changed' | 'field-type-changed';
  readonly severity: ChangeSeverity;
}

/** An enum is a number on the wire, and any other enum's as well. Messages are known by name. */
const typeVerdict = (reader: FieldType, writer: FieldType): Verdict | null => {
  if (isSameType(reader, writer)) return null;
  if (reader.kind === 'map' && writer.kind === 'map') {
    const inside = [typeVerdict(reader.key, writer.key), typeVerdict(reader.value, writer.value)];
    return (
      inside.find((verdict) => verdict?.severity === 'breaking') ??
      inside.find((verdict) => verdict !== null) ??
      null
    );
  }
  const [read, written] = [scalarOf(reader), scalarOf(writer)];
  if (read === null || written === null) {
    const isOtherKind = (read === null) !== (written === null) || reader.kind !== writer.kind;
    return { rule: isOtherKind ? 'field-kind-changed' : 'field-type-changed', severity: 'breaking' };
  }
  return { rule: 'field-type-changed', severity: isReadAs(read, written) ? 'warning' : 'breaking' };
};

const scalarOf = (type: FieldType): string | null => {
  if (type.kind === 'enum') return 'int32';
  return type.kind === 'scalar' ? type.name : null;
};

/** Text and messages are written one by one, so the last one is read; numbers are packed into one piece that is not a number. */
const isPackable = (type: FieldType): boolean =>
  type.kind === 'enum' || (type.kind === 'scalar' && type.name !== 'string' && type.name !== 'bytes');

const cardinalityChanges = (
  { reader, writer }: FieldSides,
  direction: CompareDirection,
): readonly Change[] => {
  const [read, written] = [reader.cardinality, writer.cardinality];
  const both = { path: reader.path, reader: read, writer: written };
  if ((read === 'required') !== (written === 'required')) {
    const rule = (read === 'required') === (direction === 'backward') ? 'required-added' : 'required-removed';
    const message = `Field ${reader.number} is required on one side only: messages without it are refused there.`;
    return [readingChange(direction, rule, { ...both, severity: 'breaking', message })];
  }
  // To and from a map is another kind already.
  if ((read === 'repeated') === (written === 'repeated') || read === 'map' || written === 'map') return [];
  const severity = isPackable(reader.type) || isPackable(writer.type) ? 'breaking' : 'warning';
  const message =
    severity === 'breaking'
      ? `Field ${reader.number} changed between one number and a list of them, which is written in another way.`
      : `Field ${reader.number} changed between one value and a list: of several, the last one is read.`;
  return [readingChange(direction, 'cardinality-changed', { ...both, severity, message })];
};

const defaultChanges = ({ reader, writer }: FieldSides, sides: Sides): readonly Change[] => {
  const [read, written] = [defaultOf(reader, sides.reader), defaultOf(writer, sides.writer)];
  if (read === written || read === undefined || written === undefined) return [];
  const message = `Where field ${reader.number} was not written, another default is read.`;
  const told = { path: reader.path, severity: 'info', reader: read, writer: written, message } as const;
  return [readingChange(sides.direction, 'default-changed', told)];
};
