import type { Draft } from '../../contracts/index.ts';
import { currentTrace } from '../../foundation/index.ts';
import { type Cause, currentCause } from './cause.ts';

export interface StoringOptions {
  /** CloudEvents `source`: the app. */
  readonly source: string;
  readonly cause?: Cause | undefined;
  /** The id of the n-th event of this publish, counted from 0. */
  readonly nextId: (ordinal: number) => string;
}

/** One element of the publish statement's parameter. */
export interface StoredDraft {
  readonly id: string;
  readonly type: string;
  readonly source: string;
  readonly key: string;
  readonly key_hash: number;
  readonly data: unknown;
  readonly meta: Readonly<Record<string, unknown>>;
  readonly time?: string;
  readonly class: 'standard' | 'forever';
}

/** Gives drafts their ids and their cause; `first` is the ordinal of the first one. */
export const storeDrafts = (drafts: readonly Draft[], options: StoringOptions, first = 0): StoredDraft[] => {
  const cause = options.cause ?? currentCause.getStore();
  const trace = currentTrace({
    ...(cause?.traceparent ? { traceparent: cause.traceparent } : {}),
    ...(cause?.tracestate ? { tracestate: cause.tracestate } : {}),
  });
  return drafts.map((draft, index) => {
    const id = options.nextId(first + index);
    return {
      id,
      type: draft.type,
      source: options.source,
      key: draft.key,
      key_hash: draft.keyHash,
      data: draft.data,
      meta: {
        correlationId: cause?.correlationId ?? id,
        ...(cause === undefined ? {} : { causationId: cause.causationId }),
        ...trace,
        ...(draft.dedupeKey === undefined ? {} : { dedupeKey: draft.dedupeKey }),
      },
      ...(draft.time === undefined ? {} : { time: draft.time }),
      class: draft.contract.retention === 'forever' ? 'forever' : 'standard',
    };
  });
};
