import { open } from 'node:fs/promises';
import { join } from 'node:path';
import type { ExportedEvent } from '../parity/exported-events.ts';
import type { Reader } from '../parity/reader.ts';

/** The largest order of the feed is a line of about 100 kB. */
const TAIL_BYTES = 256 * 1024;

/** The last events of the export, the newest last: a reader like any other, it stops at the committed length. */
export async function latestEvents(pool: Reader, directory: string, count: number): Promise<ExportedEvent[]> {
  const { rows } = await pool.query<{ path: string; bytes: number }>(
    'select path, committed_bytes::float8 as bytes from analytics.segments order by segment desc limit 1',
  );
  const [segment] = rows;
  if (segment === undefined) return [];
  const from = Math.max(0, segment.bytes - TAIL_BYTES);
  const file = await open(join(directory, segment.path), 'r');
  try {
    const { buffer, bytesRead } = await file.read(
      Buffer.alloc(segment.bytes - from),
      0,
      segment.bytes - from,
      from,
    );
    const lines = buffer
      .toString('utf8', 0, bytesRead)
      .split('\n')
      .slice(from === 0 ? 0 : 1);
    return lines
      .filter((line) => line !== '')
      .slice(-count)
      .map((line) => JSON.parse(line) as ExportedEvent);
  } finally {
    await file.close();
  }
}
