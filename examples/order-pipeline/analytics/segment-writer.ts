import { randomUUID } from 'node:crypto';
import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';

interface Queryable {
  query(sql: string, values?: readonly unknown[]): Promise<{ rowCount: number | null }>;
}

/** A line that lies in the file but counts only once its transaction has committed. */
export interface WrittenLine {
  /** Raises the committed length; call it in the transaction that handles the event. */
  commit(tx: Queryable): Promise<void>;
}

interface Segment {
  readonly file: number;
  readonly path: string;
  bytes: number;
  events: number;
}

/**
 * Appends lines to segment files, each exactly once.
 *
 *     no segment → open → (write behind the committed length → transaction) … → full, failed or followed → no segment
 *
 * A segment belongs to the process that made it and is never opened again: a successor, after a kill or a takeover,
 * starts a new one, and so does this writer after any failure, because it then does not know what was committed. Readers
 * go from segment to segment, so one that another process has followed is over: whoever comes back begins a new one. The
 * files survive the death of the process; they are not fsynced, so a machine that loses power may lose their ends.
 */
export class SegmentWriter {
  readonly #directory: string;
  readonly #eventsMax: number;
  #segment: Segment | null = null;

  constructor(directory: string, eventsMax = 50_000) {
    this.#directory = directory;
    this.#eventsMax = eventsMax;
  }

  /** Runs one line through file and transaction; only one at a time (the export is ordered globally). */
  async append(line: string, handle: (written: WrittenLine) => Promise<void>): Promise<void> {
    const bytes = Buffer.from(`${line}\n`, 'utf8');
    try {
      let segment = this.#write(bytes);
      const commit = async (tx: Queryable): Promise<void> => {
        if (await raiseLength(tx, segment, bytes.length)) return;
        this.close();
        segment = this.#write(bytes);
        await raiseLength(tx, segment, bytes.length);
      };
      await handle({ commit });
      segment.bytes += bytes.length;
      segment.events += 1;
      if (segment.events >= this.#eventsMax) this.close();
    } catch (error) {
      this.close();
      throw error;
    }
  }

  close(): void {
    const segment = this.#segment;
    this.#segment = null;
    if (segment !== null) closeSync(segment.file);
  }

  #write(bytes: Buffer): Segment {
    const segment = this.#segment ?? this.#open();
    // A write to the page cache is done sooner than a thread could be asked to do it.
    writeSync(segment.file, bytes, 0, bytes.length, segment.bytes);
    return segment;
  }

  #open(): Segment {
    mkdirSync(this.#directory, { recursive: true });
    const path = `${new Date().toISOString().replace(/[:.]/g, '-')}-${randomUUID().slice(0, 8)}.ndjson`;
    const file = openSync(join(this.#directory, path), 'wx');
    const segment = { file, path, bytes: 0, events: 0 };
    this.#segment = segment;
    return segment;
  }
}

/** False: another segment has followed this one. */
async function raiseLength(tx: Queryable, { path, bytes: from }: Segment, length: number): Promise<boolean> {
  const to = from + length;
  if (from === 0) {
    await tx.query('insert into analytics.segments (path, committed_bytes, events) values ($1, $2, 1)', [
      path,
      to,
    ]);
    return true;
  }
  const raised = await tx.query(
    `update analytics.segments set committed_bytes = $3, events = events + 1
     where path = $1 and committed_bytes = $2 and segment = (select max(segment) from analytics.segments)`,
    [path, from, to],
  );
  if (raised.rowCount === 1) return true;
  const followed = await tx.query('select from analytics.segments where path = $1 and committed_bytes = $2', [
    path,
    from,
  ]);
  if (followed.rowCount !== 1) throw new Error(`segment ${path} is not ${from} bytes long any more`);
  return false;
}
