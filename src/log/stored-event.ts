/** An event as it stands in the log. `data` and `meta` are JSON text: each consumer parses for itself. */
export interface StoredEvent {
  readonly position: number;
  readonly id: string;
  readonly type: string;
  readonly source: string;
  readonly key: string;
  /** 32-bit MurmurHash3 of the key, signed. */
  readonly keyHash: number;
  readonly data: string;
  readonly meta: string;
  /** When it happened (CloudEvents), ISO 8601. */
  readonly time: string;
  /** When it was written, by the database's clock, ISO 8601. */
  readonly recordedAt: string;
}

/**
 * One event from a row array. Every statement that reads events gives these columns in this order, after `offset` others:
 * position, id, type, source, key, key_hash, data, meta, time, recorded_at.
 */
export const storedEvent = (row: readonly unknown[], offset = 0): StoredEvent => ({
  position: row[offset] as number,
  id: row[offset + 1] as string,
  type: row[offset + 2] as string,
  source: row[offset + 3] as string,
  key: row[offset + 4] as string,
  keyHash: row[offset + 5] as number,
  data: row[offset + 6] as string,
  meta: row[offset + 7] as string,
  time: row[offset + 8] as string,
  recordedAt: row[offset + 9] as string,
});

/** Objects, headers and pointers of one event in memory, beside its text; an estimate for the limits in bytes. */
const eventOverheadBytes = 400;

/** About what the event takes in memory. */
export const storedSize = (event: StoredEvent): number =>
  event.data.length + event.meta.length + event.key.length + eventOverheadBytes;

/** Whether it entered the log as a fact of the past (`factline backfill`). */
export const isBackfilled = ({ meta }: Pick<StoredEvent, 'meta'>): boolean =>
  meta.includes('"backfill"') && (JSON.parse(meta) as { backfill?: unknown }).backfill !== undefined;
