import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { readExportedEvents } from '../parity/exported-events.ts';
import { createTestDatabase, type TestDatabase } from '../test/database.ts';
import { SegmentWriter } from './segment-writer.ts';

let database: TestDatabase;
let pool: pg.Pool;
let directory: string;
beforeAll(async () => {
  database = await createTestDatabase('segments');
  pool = new pg.Pool({ connectionString: database.url });
  await pool.query(await readFile(new URL('./tables.sql', import.meta.url), 'utf8'));
});
afterAll(async () => {
  await pool.end();
  await database.drop();
});
beforeEach(async () => {
  await pool.query('truncate analytics.segments restart identity');
  directory = await mkdtemp(join(tmpdir(), 'order-pipeline-segments-'));
  return () => rm(directory, { recursive: true });
});

const opened: SegmentWriter[] = [];
afterEach(() => {
  for (const writer of opened.splice(0)) writer.close();
});

function newWriter(eventsMax?: number): SegmentWriter {
  const writer = new SegmentWriter(directory, eventsMax);
  opened.push(writer);
  return writer;
}

const line = (id: number): string =>
  JSON.stringify({ id: String(id), type: 't', key: 'k', data: { text: 'ü'.repeat(id) } });

/** Handles one event: `last` decides whether its transaction commits. */
async function append(
  writer: SegmentWriter,
  id: number,
  last: 'commit' | 'rollback' = 'commit',
): Promise<void> {
  await writer.append(line(id), async (written) => {
    const client = await pool.connect();
    try {
      await client.query('begin');
      await written.commit(client);
      await client.query(last);
    } finally {
      client.release();
    }
    if (last === 'rollback') throw new Error('rolled back');
  });
}

async function exported(): Promise<string[]> {
  const ids: string[] = [];
  for await (const { id } of readExportedEvents(pool, directory)) ids.push(id);
  return ids;
}

it('readers see what was committed, and nothing beyond', async () => {
  const writer = newWriter();
  await append(writer, 1);
  await append(writer, 2);
  await expect(append(writer, 3, 'rollback')).rejects.toThrow('rolled back');
  expect(await exported()).toEqual(['1', '2']);
  await append(writer, 3);
  expect(await exported()).toEqual(['1', '2', '3']);
  expect(await readdir(directory)).toHaveLength(2); // after a failure it does not trust its segment any more
});

it('a successor starts a segment of its own, so a predecessor that still lives spoils nothing', async () => {
  const predecessor = newWriter();
  await append(predecessor, 1);
  await append(newWriter(), 2);
  await expect(append(predecessor, 2, 'rollback')).rejects.toThrow();
  expect(await exported()).toEqual(['1', '2']);
});

it('who comes back after a successor does not go on in the segment of before, which is read first', async () => {
  const first = newWriter();
  await append(first, 1);
  await append(newWriter(), 2);
  await append(first, 3);
  await append(first, 4);
  expect(await exported()).toEqual(['1', '2', '3', '4']);
  expect(await readdir(directory)).toHaveLength(3);
});

it('a segment that is full is followed by another one', async () => {
  const writer = newWriter(2);
  for (const id of [1, 2, 3, 4, 5]) await append(writer, id);
  expect(await exported()).toEqual(['1', '2', '3', '4', '5']);
  expect(await readdir(directory)).toHaveLength(3);
});

it('a length that was changed by somebody else is not overwritten', async () => {
  const writer = newWriter();
  await append(writer, 1);
  await pool.query('update analytics.segments set committed_bytes = committed_bytes + 1');
  await expect(append(writer, 2)).rejects.toThrow(/is not \d+ bytes long/);
});
