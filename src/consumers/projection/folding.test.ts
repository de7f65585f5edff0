import fc from 'fast-check';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { defineEvent, defineUpcaster } from '../../contracts/index.ts';
import { createManualClock, systemRandomness } from '../../foundation/index.ts';
import type { StoredEvent } from '../../log/index.ts';
import { withUpcasters } from '../definition.ts';
import { defineProjection, foldingProjection } from './definition.ts';
import { Folding } from './folding.ts';
import { ParkedKeys } from './parked-keys.ts';
import type { ParkedEvent } from './parking.ts';
import type { KeyData, RowData } from './table.ts';

const Happened = defineEvent({
  type: 'test.thing.happened.v1',
  key: 'thing',
  schema: z.object({
    thing: z.string(),
    rows: z.array(z.string()),
    what: z.enum(['add', 'delete', 'keep', 'fail']),
  }),
});

const projection = foldingProjection(
  defineProjection({
    name: 'things',
    on: Happened,
    primaryKey: 'row',
    columns: { row: 'text', history: 'text', tags: 'jsonb' },
    rows: ({ data }) => data.rows.map((row) => ({ row })),
    evolve: (row, { data }, key) => {
      // Fails at the last of its rows only, so that the ones before it have to be taken back.
      if (data.what === 'fail' && key.row === data.rows.at(-1)) throw new Error('bad event');
      if (data.what === 'delete') return null;
      if (data.what === 'keep') return row;
      return {
        history: `${row?.history ?? ''}${data.thing} `,
        tags: [...((row?.tags as string[]) ?? []), data.thing],
      };
    },
  }),
);

const storedEvent = (position: number, data: object): StoredEvent => ({
  position,
  id: `00000000-0000-7000-8000-${String(position).padStart(12, '0')}`,
  type: Happened.type,
  source: 'test',
  key: `thing=e${position}`,
  keyHash: 0,
  data: JSON.stringify(data),
  meta: '{"subject":"x","correlationId":"x"}',
  time: '2026-01-01T00:00:00.000Z',
  recordedAt: '2026-01-01T00:00:00.000Z',
});

/** A table in memory, written by batches as the database is. */
const foldAll = async (
  batches: readonly (readonly StoredEvent[])[],
): Promise<{ rows: [string, RowData][]; parks: string[]; reads: number }> => {
  const table = new Map<string, RowData>();
  let reads = 0;
  const idOf = (key: KeyData): string => String(key['row']);
  const folding = new Folding({
    projection,
    parked: new ParkedKeys(),
    clock: createManualClock(),
    randomness: systemRandomness,
    readRows: async (keys) => {
      reads += 1;
      return keys.map((key) => table.get(idOf(key))).filter((row) => row !== undefined);
    },
  });
  const parks: ParkedEvent[] = [];
  for (const events of batches) {
    const { rows, parks: parked } = await folding.foldBatch(events);
    for (const row of rows.upserts) table.set(idOf(row), row);
    for (const key of rows.deletes) table.delete(idOf(key));
    expect(new Set([...rows.upserts, ...rows.deletes].map(idOf)).size).toBe(
      rows.upserts.length + rows.deletes.length,
    );
    parks.push(...parked);
  }
  const text = ({ stored, state, keys }: ParkedEvent) => `${stored.position} ${state} ${[...keys].sort()}`;
  return { rows: [...table].sort(([a], [b]) => (a < b ? -1 : 1)), parks: parks.map(text), reads };
};

const batchesOf = (events: readonly StoredEvent[], cuts: readonly number[]): StoredEvent[][] => {
  const batches: StoredEvent[][] = [[]];
  events.forEach((event, index) => {
    if (cuts.includes(index)) batches.push([]);
    batches.at(-1)?.push(event);
  });
  return batches;
};

const anEvent = fc.record({
  thing: fc.string({ maxLength: 3 }),
  rows: fc.array(fc.constantFrom('a', 'b', 'c', 'd'), { maxLength: 3 }),
  what: fc.constantFrom('add', 'add', 'add', 'delete', 'keep', 'fail'),
});

test('folding in batches is folding one by one: the same rows, the same events parked', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(anEvent, { maxLength: 40 }), fc.array(fc.nat(40)), async (data, cuts) => {
      const events = data.map((each, index) => storedEvent(index + 1, each));
      const alone = await foldAll(events.map((event) => [event]));
      const batched = await foldAll(batchesOf(events, cuts));
      expect(batched.rows).toEqual(alone.rows);
      expect(batched.parks).toEqual(alone.parks);
    }),
    { numRuns: 100 },
  );
});

type Data = { thing: string; rows: string[]; what: 'add' | 'delete' | 'keep' | 'fail' };

/** What is promised, in the plainest words: one event after the other, and a bad one holds back all of its rows. */
const model = (data: readonly Data[]): { rows: [string, string][]; parks: string[] } => {
  const rows = new Map<string, string>();
  const held = new Set<string>();
  const parks: string[] = [];
  data.forEach(({ thing, rows: touched, what }, index) => {
    const keys = [...new Set(touched)];
    const waits = keys.some((key) => held.has(key));
    if (waits || (what === 'fail' && keys.length > 0)) {
      for (const key of keys) held.add(key);
      const named = keys.map((key) => `row=${key}`).sort();
      parks.push(`${index + 1} ${waits ? 'waiting' : 'quarantined'} ${named}`);
      return;
    }
    for (const key of keys) {
      if (what === 'delete') rows.delete(key);
      else if (what === 'add') rows.set(key, `${rows.get(key) ?? ''}${thing} `);
    }
  });
  return { rows: [...rows].sort(([a], [b]) => (a < b ? -1 : 1)), parks };
};

test('the fold does what is promised: rows as if one by one, and nothing gets ahead of a parked event', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(anEvent, { maxLength: 40 }), fc.array(fc.nat(40)), async (data, cuts) => {
      const folded = await foldAll(
        batchesOf(
          data.map((each, index) => storedEvent(index + 1, each)),
          cuts,
        ),
      );
      const expected = model(data);
      expect(folded.rows.map(([key, row]) => [key, row['history']])).toEqual(expected.rows);
      expect(folded.parks).toEqual(expected.parks);
    }),
    { numRuns: 200 },
  );
});

test('an event that its upcaster cannot read is quarantined with its key, and the others go on', async () => {
  const Newer = defineEvent({
    type: 'test.thing.happened.v2',
    key: 'thing',
    schema: z.object({ thing: z.string() }),
  });
  const upcaster = defineUpcaster(Happened, Newer, ({ thing, what }) => {
    if (what === 'fail') throw new Error('unreadable');
    return { thing };
  });
  const newer = foldingProjection(
    defineProjection({
      name: 'newer',
      on: Newer,
      primaryKey: 'thing',
      columns: { thing: 'text' },
      evolve: () => ({}),
    }),
  );
  const folding = new Folding({
    projection: withUpcasters(newer, [upcaster]),
    parked: new ParkedKeys(),
    clock: createManualClock(),
    randomness: systemRandomness,
    readRows: async () => [],
  });
  const events = (['add', 'fail'] as const).map((what, index) =>
    storedEvent(index + 1, { thing: `e${index + 1}`, rows: [], what }),
  );
  const { parks, handled } = await folding.foldBatch(events);
  expect(handled).toBe(1);
  expect(parks).toMatchObject([
    { keys: ['thing=e2'], state: 'quarantined', failure: { failureClass: 'schema', attempts: 1 } },
  ]);
});

test('rows are read once while they are in memory', async () => {
  const events = Array.from({ length: 100 }, (_, n) =>
    storedEvent(n + 1, { thing: 'x', rows: [`r${n % 5}`], what: 'add' }),
  );
  expect((await foldAll(batchesOf(events, [10, 20, 50]))).reads).toBe(1);
});
