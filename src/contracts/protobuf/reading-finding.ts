import { brokenBy, type Change, type ChangeSeverity, type CompareDirection } from '../compare/comparison.ts';
import type { ProtobufMessage, ProtobufSchema } from './protobuf-schema.ts';

/** Who reads, and what it was written with. Backward: the new schema reads; forward: the old one does. */
export interface Sides {
  readonly reader: ProtobufSchema;
  readonly writer: ProtobufSchema;
  readonly direction: CompareDirection;
}

/** A message as both sides have it. */
export interface MessageSides {
  readonly reader: ProtobufMessage;
  readonly writer: ProtobufMessage;
  readonly direction: CompareDirection;
}

export interface Told {
  readonly path: string;
  readonly severity: ChangeSeverity;
  readonly message: string;
  /** As the reading and the writing side have it. */
  readonly reader?: string;
  readonly writer?: string;
  readonly remedy?: string;
}

/** What only the writer has was removed (the new schema reads) or added (the old one does). */
export const lost = (direction: CompareDirection): 'removed' | 'added' =>
  direction === 'backward' ? 'removed' : 'added';

/** What only the reader has. */
export const gained = (direction: CompareDirection): 'removed' | 'added' =>
  direction === 'backward' ? 'added' : 'removed';

const remedyOfBreaks = 'Leave it as it is, and add what is new beside it, with new numbers and names.';

export const readingChange = (direction: CompareDirection, rule: string, told: Told): Change => {
  const { path, severity, message, reader, writer, remedy = remedyOfBreaks } = told;
  const [before, now] = direction === 'backward' ? [writer, reader] : [reader, writer];
  return {
    rule,
    path,
    severity,
    message,
    ...(before !== undefined && { old: before }),
    ...(now !== undefined && { new: now }),
    ...(severity === 'breaking' && { breaks: brokenBy[direction], remedy }),
  };
};
