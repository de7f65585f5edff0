import type { Comparison } from '../compare/comparison.ts';
import type { Question } from '../compare/comparison-mode.ts';
import { bufChanges } from './buf-rules.ts';
import type { ProtobufFiles, ProtobufSchema } from './protobuf-schema.ts';
import { readProtobuf } from './read-protobuf.ts';
import { readingChanges } from './reading-changes.ts';
import { pairsOf } from './schema-pairs.ts';

export interface CompareProtobufRequest {
  readonly old: ProtobufFiles;
  readonly new: ProtobufFiles;
  /** A direction, one of Buf's categories, or one of its rules: `buf:FIELD_NO_DELETE`. */
  readonly mode: Question;
}

/**
 * Compares two versions of a set of .proto files.
 * @throws FactlineError SCHEMA_INVALID, OPTION_INVALID
 */
export const compareProtobuf = ({ old, new: after, mode }: CompareProtobufRequest): Comparison =>
  compareProtobufSchemas(readProtobuf(old, 'old'), readProtobuf(after, 'new'), mode);

/** As `compareProtobuf`, for what was read before. @throws FactlineError OPTION_INVALID */
export const compareProtobufSchemas = (
  old: ProtobufSchema,
  after: ProtobufSchema,
  mode: Question,
): Comparison => {
  const changes =
    mode === 'backward' || mode === 'forward'
      ? readingChanges(old, after, mode)
      : bufChanges(pairsOf(old, after), mode);
  return { compatible: changes.every(({ severity }) => severity !== 'breaking'), changes };
};
