import { toPosition } from '../foundation/index.ts';

/** An event as consumers receive it: the attributes of CloudEvents 1.0 and Factline's own. */
export interface FactEvent<T extends string = string, D = unknown> {
  readonly id: string;
  readonly type: T;
  /** The type under which it stands in the log, when an upcaster made it one of `type`. */
  readonly upcastFrom?: string;
  /** The app that published it, as a URI reference. */
  readonly source: string;
  /** The value of the key without its field names: `A1`, or `["t1","A1"]`. */
  readonly subject: string;
  /** When it happened: ISO 8601, as the publisher said (default: when it was recorded). */
  readonly time: string;
  /** When it was written to the log, by the database's clock. */
  readonly recordedAt: string;
  readonly position: number;
  /** The entity whose order matters: `orderId=A1`, or `tenantId,orderId=["t1","A1"]`. */
  readonly key: string;
  readonly data: D;
  /** Shared by everything that one first event has led to; that first event's id. */
  readonly correlationId: string;
  /** The id of the event whose handling published this one; null when none did. */
  readonly causationId: string | null;
  readonly traceparent?: string;
  readonly tracestate?: string;
  readonly dedupeKey?: string;
  /** The replay that published it, and how it delivered what led to it. */
  readonly replayId?: string;
  readonly replayMode?: string;
  /** The backfill by which it entered: a fact of the past, whose `time` is its own. */
  readonly backfill?: string;
  readonly stream?: string;
  readonly version?: number;
}

/** What the log stores beside the payload, in the column `meta`. Members without a value are left out. */
export interface EnvelopeMeta {
  readonly subject: string;
  readonly correlationId: string;
  readonly causationId?: string;
  readonly traceparent?: string;
  readonly tracestate?: string;
  readonly dedupeKey?: string;
  readonly replayid?: string;
  readonly replaymode?: string;
  readonly backfill?: string;
}

/** A row of the log, its JSON columns as text and its bigint columns as the driver gives them. */
export interface StoredRow {
  readonly position: number | string;
  readonly id: string;
  readonly type: string;
  readonly source: string;
  readonly key: string;
  /** JSON text. */
  readonly data: string;
  /** JSON text of `EnvelopeMeta`. */
  readonly meta: string;
  readonly time: string;
  readonly recordedAt: string;
  readonly stream?: string | null;
  readonly version?: number | string | null;
}

/** Builds the event of a stored row. Parses anew each time, so that no consumer sees another one's changes. */
export const openEnvelope = (row: StoredRow): FactEvent => {
  const meta = JSON.parse(row.meta) as EnvelopeMeta;
  return {
    id: row.id,
    type: row.type,
    source: row.source,
    subject: meta.subject,
    time: row.time,
    recordedAt: row.recordedAt,
    position: toPosition(row.position),
    key: row.key,
    data: JSON.parse(row.data) as unknown,
    correlationId: meta.correlationId,
    causationId: meta.causationId ?? null,
    ...(meta.traceparent === undefined ? {} : { traceparent: meta.traceparent }),
    ...(meta.tracestate === undefined ? {} : { tracestate: meta.tracestate }),
    ...(meta.dedupeKey === undefined ? {} : { dedupeKey: meta.dedupeKey }),
    ...(meta.replayid === undefined ? {} : { replayId: meta.replayid }),
    ...(meta.replaymode === undefined ? {} : { replayMode: meta.replaymode }),
    ...(meta.backfill === undefined ? {} : { backfill: meta.backfill }),
    ...(row.stream == null ? {} : { stream: row.stream }),
    ...(row.version == null ? {} : { version: toPosition(row.version) }),
  };
};

/** CloudEvents 1.0 in its JSON format. Extension names are lower case without separators, as the specification wants. */
export interface CloudEvent<T extends string = string, D = unknown> {
  readonly specversion: '1.0';
  readonly id: string;
  readonly type: T;
  readonly source: string;
  readonly subject: string;
  readonly time: string;
  readonly datacontenttype: 'application/json';
  readonly data: D;
  readonly partitionkey: string;
  /** The position, padded so that it sorts as text. */
  readonly sequence: string;
  readonly recordedtime: string;
  readonly correlationid: string;
  readonly causationid?: string;
  readonly traceparent?: string;
  readonly tracestate?: string;
  readonly replayid?: string;
  readonly replaymode?: string;
  readonly backfill?: string;
}

/** 2^53 − 1 has sixteen digits. */
const sequenceDigits = 16;

export const toCloudEvent = <T extends string, D>(event: FactEvent<T, D>): CloudEvent<T, D> => ({
  specversion: '1.0',
  id: event.id,
  type: event.type,
  source: event.source,
  subject: event.subject,
  time: event.time,
  datacontenttype: 'application/json',
  data: event.data,
  partitionkey: event.key,
  sequence: String(event.position).padStart(sequenceDigits, '0'),
  recordedtime: event.recordedAt,
  correlationid: event.correlationId,
  ...(event.causationId === null ? {} : { causationid: event.causationId }),
  ...(event.traceparent === undefined ? {} : { traceparent: event.traceparent }),
  ...(event.tracestate === undefined ? {} : { tracestate: event.tracestate }),
  ...(event.replayId === undefined ? {} : { replayid: event.replayId }),
  ...(event.replayMode === undefined ? {} : { replaymode: event.replayMode }),
  ...(event.backfill === undefined ? {} : { backfill: event.backfill }),
});

/** The n of `….v{n}`: what a quarantined event records as its contract's version. */
export const contractVersionOf = (type: string): number => Number(/\.v(\d+)$/.exec(type)?.[1] ?? 0);
