import type { Change, CompareDirection } from '../compare/comparison.ts';
import { isReserved, type ProtobufEnum, type ProtobufSchema } from './protobuf-schema.ts';
import { sharedFieldChanges } from './reading-field-rules.ts';
import { gained, lost, readingChange, type Sides, type Told } from './reading-finding.ts';
import { messageChanges } from './reading-message-rules.ts';
import { type Pair, pairsOf } from './schema-pairs.ts';

/**
 * What keeps a reader from data that was written with another schema: the facts of the binary encoding, by field number, as
 * registries with Confluent's rules have them. Names of fields, services and the layout of files play no part.
 */
export const readingChanges = (
  old: ProtobufSchema,
  after: ProtobufSchema,
  direction: CompareDirection,
): readonly Change[] => {
  const renamed = packageChanges(old, after);
  // Everything in a renamed package has another name: one change, not hundreds.
  if (renamed.length > 0) return renamed.map((told) => readingChange(direction, 'package-changed', told));
  const [reader, writer] = direction === 'backward' ? [after, old] : [old, after];
  const sides: Sides = { reader, writer, direction };
  const shared = pairsOf(writer, reader);
  return [
    ...definitionChanges(sides),
    ...shared.messages.flatMap((pair) =>
      messageChanges({ reader: pair.new, writer: pair.old, direction }, sides),
    ),
    ...shared.extensions.flatMap((pair) =>
      sharedFieldChanges({ reader: pair.new.field, writer: pair.old.field }, sides),
    ),
    ...shared.enums.flatMap((pair) => enumChanges(pair, direction)),
  ];
};

const packageChanges = (old: ProtobufSchema, after: ProtobufSchema): readonly Told[] => {
  const [before, now] = [[...old.files.values()], [...after.files.values()]];
  // A single file is the schema, whatever it is called.
  const isSingle = before.length === 1 && now.length === 1;
  return before.flatMap((file): Told[] => {
    const counterpart = isSingle ? now[0] : after.files.get(file.path);
    if (counterpart === undefined || counterpart.package === file.package) return [];
    const [from, to] = [file.package || '(none)', counterpart.package || '(none)'];
    const message = `The package ${from} became ${to}: every type has another name.`;
    const remedy = 'Publish the new package beside the old one.';
    return [{ path: counterpart.path, severity: 'breaking', message, remedy }];
  });
};

/** Definitions that one side lacks. An enum is a number to whoever does not know it, so only messages matter. */
const definitionChanges = ({ reader, writer, direction }: Sides): readonly Change[] => {
  const [how, otherwise] = [lost(direction), gained(direction)];
  const consequence =
    direction === 'backward' ? 'it cannot be read any more' : 'old consumers do not know it';
  const unread = missing(writer.messages, reader.messages).filter(
    (name) => !writer.messages.get(name)?.isGroup,
  );
  return [
    ...unread.map((name) => {
      const message = `The message ${name} was ${how}: ${consequence}.`;
      return readingChange(direction, `message-${how}`, { path: name, severity: 'breaking', message });
    }),
    ...missing(reader.messages, writer.messages).map((name) =>
      known(direction, `message-${otherwise}`, name),
    ),
    ...missing(writer.enums, reader.enums).map((name) => known(direction, `enum-${how}`, name)),
    ...missing(reader.enums, writer.enums).map((name) => known(direction, `enum-${otherwise}`, name)),
  ];
};

const known = (direction: CompareDirection, rule: string, path: string): Change => {
  const message = `The ${rule.replace('-', ' was ')}; nothing that is read depends on it.`;
  return readingChange(direction, rule, { path, severity: 'info', message });
};

/** Names that only the first has; of definitions inside each other the outermost. */
const missing = (
  those: ReadonlyMap<string, unknown>,
  others: ReadonlyMap<string, unknown>,
): readonly string[] => {
  const names = new Set([...those.keys()].filter((name) => !others.has(name)));
  return [...names].filter((name) => !names.has(name.slice(0, Math.max(0, name.lastIndexOf('.')))));
};

const enumChanges = (
  { old, new: after }: Pair<ProtobufEnum>,
  direction: CompareDirection,
): readonly Change[] => {
  const [writer, reader] = [old, after];
  return [...writer.values].flatMap(([number, names]): Change[] => {
    const path = `${writer.name}.${names[0]}`;
    const read = reader.values.get(number);
    if (read === undefined) {
      const how = lost(direction);
      const isSafe = direction === 'forward' || isReserved(reader.reserved, number);
      const message = `The value ${number} was ${how}: whoever does not know it sees an unknown number.`;
      const told = {
        path,
        severity: isSafe ? 'info' : 'warning',
        message,
        writer: names.join(', '),
      } as const;
      return [readingChange(direction, `enum-value-${how}`, told)];
    }
    if (names.every((name) => read.includes(name))) return [];
    const message = `The value ${number} was renamed: nothing changes on the wire, but JSON has another name.`;
    const told = {
      path,
      severity: 'info',
      message,
      writer: names.join(', '),
      reader: read.join(', '),
    } as const;
    return [readingChange(direction, 'enum-value-renamed', told)];
  });
};
