import type { Change } from '../compare/comparison.ts';
import type { ProtobufField } from './protobuf-schema.ts';
import { type MessageSides, readingChange } from './reading-finding.ts';

/**
 * Fields that come together in a oneof which the writer did not keep apart: of two that were written, the reader keeps one.
 * One field alone may move into a new oneof, a whole oneof may be renamed, and fields may move out.
 */
export const oneofChanges = ({ reader, writer, direction }: MessageSides): readonly Change[] =>
  [...reader.oneofs].flatMap((oneof) => {
    const moved = [...reader.fields.values()].flatMap((field) => {
      const written = field.oneof === oneof ? writer.fields.get(field.number) : undefined;
      return written === undefined ? [] : [written];
    });
    const origins = new Set(moved.map(originOf));
    const cameAlone = [...origins].every((origin) => !writer.oneofs.has(origin));
    const isOldOneof = writer.oneofs.has(oneof);
    if (origins.size < 2 && !(origins.size === 1 && cameAlone && isOldOneof)) return [];
    const names = moved.map(({ name }) => name).join(', ');
    return [
      readingChange(direction, 'fields-moved-to-oneof', {
        path: `${reader.name}.${oneof}`,
        severity: 'breaking',
        message: `The reader keeps only one of ${names}, but they could be written together.`,
        remedy: 'Make a new oneof of new fields, and leave these as they are.',
      }),
    ];
  });

/** Fields of one oneof are never written together; any other field may be written beside all others. */
const originOf = ({ oneof, number }: ProtobufField): string => oneof ?? `#${number}`;
