import type { Comparison } from '../compare/comparison.ts';
import type { Question } from '../compare/comparison-mode.ts';
import { bufChanges } from './buf-rules.ts';
import type { ProtobufFiles } from './protobuf-schema.ts';
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
export const compareProtobuf = ({ old, new: after, mode }: CompareProtobufRequest): Comparison => {
  const [before, now] = [readProtobuf(old, 'old'), readProtobuf(after, 'new')];
  const changes =
    mode === 'backward' || mode === 'forward'
      ? readingChanges(before, now, mode)
      : bufChanges(pairsOf(before, now), mode);
  return { compatible: changes.every(({ severity }) => severity !== 'breaking'), changes };
};

/**
 * Refuses what is not a set of .proto files.
 * @throws FactlineError SCHEMA_INVALID
 */
export const checkProtobuf = (files: ProtobufFiles, side: 'old' | 'new'): void =>
  void readProtobuf(files, side);
