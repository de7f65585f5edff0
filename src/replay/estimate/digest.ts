import { digestOf } from '../request/manifest.ts';
import type { Replay } from '../request/replay.ts';
import type { Within } from './estimate.ts';

/** What of a frozen selection goes into the digest. */
export interface DigestedSelection {
  readonly ceiling: number;
  readonly selected: number;
  /** Of what was estimated; null: it was counted. */
  readonly selectedWithin: Within | null;
  readonly excluded: number;
  /** SHA-256 over the positions. */
  readonly rows: string;
  readonly epoch: string;
}

type Digested = Pick<Replay, 'id' | 'revision' | 'freeze' | 'manifestDigest' | 'codeVersion' | 'consumerId'>;

/** What approvals hold for: when anything of it changes, the digest does, and they are void. */
export const approvedDigest = (
  { id, revision, freeze, manifestDigest, codeVersion, consumerId }: Digested,
  { ceiling, selected, selectedWithin, excluded, rows, epoch }: DigestedSelection,
): string =>
  digestOf({
    id,
    revision,
    freeze,
    manifestDigest,
    codeVersion,
    consumerId,
    ceiling,
    selected,
    ...(selectedWithin === null ? {} : { selectedWithin }),
    excluded,
    rows,
    epoch,
  });
