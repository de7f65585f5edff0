import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Reader } from './reader.ts';

export interface ExportedEvent {
  readonly id: string;
  readonly type: string;
  readonly key: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** The exported events in the order of the log. A reader stops at each segment's committed length. */
export async function* readExportedEvents(
  pool: Reader,
  directory: string,
): AsyncGenerator<ExportedEvent, void, undefined> {
  const { rows: segments } = await pool.query<{ path: string; bytes: number }>(
    'select path, committed_bytes::float8 as bytes from analytics.segments where committed_bytes > 0 order by segment',
  );
  for (const { path, bytes } of segments) {
    const stream = createReadStream(join(directory, path), { end: bytes - 1 });
    for await (const line of createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY })) {
      yield JSON.parse(line) as ExportedEvent;
    }
  }
}
