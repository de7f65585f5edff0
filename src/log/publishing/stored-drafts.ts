import { type Draft, type DraftEnvelope, storedDraftText } from '../../contracts/index.ts';
import { type Clock, currentTrace, type Telemetry } from '../../foundation/index.ts';
import { type Cause, currentCause } from './cause.ts';

export interface StoringOptions {
  /** CloudEvents `source`: the app. */
  readonly source: string;
  readonly cause?: Cause | undefined;
  /** Where the publish span goes; without it none is made. */
  readonly telemetry?: Telemetry;
  readonly clock?: Clock;
  /** The backfill by which past facts enter: their mark. */
  readonly backfill?: string;
  /** The id of the n-th event of this publish, counted from 0. */
  readonly nextId: (ordinal: number) => string;
}

/** A draft with its id and cause, ready to be written. */
export interface StoredDraft {
  readonly draft: Draft;
  readonly envelope: DraftEnvelope;
}

export const storeDrafts = (drafts: readonly Draft[], options: StoringOptions): StoredDraft[] => {
  const cause = options.cause ?? currentCause.getStore();
  const trace = currentTrace({
    ...(cause?.traceparent ? { traceparent: cause.traceparent } : {}),
    ...(cause?.tracestate ? { tracestate: cause.tracestate } : {}),
  });
  return drafts.map((draft, ordinal) => {
    const id = options.nextId(ordinal);
    const envelope: DraftEnvelope = {
      id,
      source: options.source,
      correlationId: cause?.correlationId ?? id,
      ...(cause === undefined ? {} : { causationId: cause.causationId }),
      ...trace,
      ...(cause?.replayId === undefined ? {} : { replayId: cause.replayId }),
      ...(cause?.replayMode === undefined ? {} : { replayMode: cause.replayMode }),
      ...(options.backfill === undefined ? {} : { backfill: options.backfill }),
    };
    return { draft, envelope };
  });
};

/** One element of the publish statements' parameter: a JSON object. */
export const storedText = ({ draft, envelope }: StoredDraft): string => storedDraftText(draft, envelope);

/** The parameter of the publish statements. */
export const publishParameter = (stored: readonly StoredDraft[]): string =>
  `[${stored.map(storedText).join(',')}]`;
