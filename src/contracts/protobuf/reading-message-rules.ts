import type { Change } from '../compare/comparison.ts';
import { describeFieldType, isReserved, type ProtobufField } from './protobuf-schema.ts';
import { sharedFieldChanges } from './reading-field-rules.ts';
import { gained, lost, type MessageSides, readingChange, type Sides } from './reading-finding.ts';
import { oneofChanges } from './reading-oneof-rules.ts';

/** A message that both sides have. */
export const messageChanges = (messages: MessageSides, sides: Sides): readonly Change[] => {
  const { reader, writer } = messages;
  const changes: Change[] = [];
  for (const field of writer.fields.values()) {
    const read = reader.fields.get(field.number);
    if (read === undefined) changes.push(unreadField(field, messages));
    else
      changes.push(
        ...sharedFieldChanges({ reader: read, writer: field }, sides),
        ...movedOut(field, read, messages),
      );
  }
  for (const field of reader.fields.values())
    if (!writer.fields.has(field.number)) changes.push(unwrittenField(field, messages));
  return [...changes, ...oneofChanges(messages)];
};

/** Only the writer has it. */
const unreadField = (field: ProtobufField, { reader, direction }: MessageSides): Change => {
  const { path, number, cardinality, oneof } = field;
  const how = lost(direction);
  const writer = `${describeFieldType(field.type)} ${field.name}`;
  if (cardinality === 'required') {
    const message = `The required field ${number} was ${how}: one side insists on what the other does not know.`;
    return readingChange(direction, `required-field-${how}`, { path, severity: 'breaking', message, writer });
  }
  if (oneof !== null && reader.oneofs.has(oneof)) {
    const message = `Field ${number} of the oneof ${oneof} was ${how}: whoever reads sees the oneof empty.`;
    return readingChange(direction, `oneof-field-${how}`, { path, severity: 'breaking', message, writer });
  }
  const isSafe = direction === 'forward' || isReserved(reader.reserved, number);
  return readingChange(direction, `field-${how}`, {
    path,
    severity: isSafe ? 'info' : 'warning',
    message: isSafe
      ? `Field ${number} was ${how}; whoever does not know it skips it.`
      : `Field ${number} was removed without reserving its number: somebody may give it another meaning.`,
    writer,
  });
};

/** Only the reader has it. */
const unwrittenField = (field: ProtobufField, { writer, direction }: MessageSides): Change => {
  const { path, number, cardinality } = field;
  const how = gained(direction);
  const reader = `${describeFieldType(field.type)} ${field.name}`;
  if (cardinality === 'required') {
    const message = `The required field ${number} was ${how}, and messages without it are refused.`;
    return readingChange(direction, `required-field-${how}`, { path, severity: 'breaking', message, reader });
  }
  const isReused = direction === 'backward' && isReserved(writer.reserved, number);
  return readingChange(direction, `field-${how}`, {
    path,
    severity: isReused ? 'warning' : 'info',
    message: isReused
      ? `Field ${number} was added under a number that was reserved: older data may hold something else there.`
      : `Field ${number} was ${how}; where it was not written, its default is read.`,
    reader,
  });
};

/** From one oneof into another while the first is still there: there it is missing. */
const movedOut = (
  field: ProtobufField,
  read: ProtobufField,
  { reader, direction }: MessageSides,
): readonly Change[] => {
  const { oneof, number, path } = field;
  if (oneof === null || oneof === read.oneof) return [];
  const isLost = read.oneof !== null && reader.oneofs.has(oneof);
  const rule = isLost ? `oneof-field-${lost(direction)}` : 'field-moved-out-of-oneof';
  const message = isLost
    ? `Field ${number} went from the oneof ${oneof} to ${read.oneof}.`
    : `Field ${number} is no longer one of ${oneof} for whoever reads.`;
  return [
    readingChange(direction, rule, {
      path,
      severity: isLost ? 'breaking' : 'info',
      message,
      writer: oneof,
      reader: read.oneof ?? 'no oneof',
    }),
  ];
};
