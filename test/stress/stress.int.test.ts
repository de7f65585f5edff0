import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../database.ts';
import { judge, ReaderAudit } from './audit.ts';
import { runStress } from './run.ts';

let database: TestDatabase;

beforeAll(async () => {
  database = await createTestDatabase({ migrated: true });
});

afterAll(() => database.drop());

test('under random writers and kill -9 nobody skips a committed event, and the wrong orders of steps are caught', async () => {
  const report = await runStress({
    url: database.url,
    seconds: 40,
    enoughSeconds: 4,
    seed: 20_261_121,
    writers: 2,
    connectionsPerWriter: 2,
    tails: 2,
    controls: ['naive', 'rows used again', 'locks before rows'],
    repertoire: 'everything',
    killEveryMs: 1500,
    crashEveryMs: 0,
  });
  expect(report.readers.filter((reader) => !reader.ok)).toEqual([]);
  expect(report).toMatchObject({ ok: true, lost: 0 });
  expect(report.holes).toBeGreaterThan(0);
}, 120_000);

test('the auditor sees what is missing, foreign, repeated, out of order, unfinished', () => {
  const facts = { committed: [1, 2, 4], barrier: 4, control: false };
  const audited = (batches: readonly (readonly [positions: number[], upTo: number])[]) => {
    const audit = new ReaderAudit('tail 1');
    for (const [positions, upTo] of batches) audit.add(positions, upTo, 0);
    return judge(audit, facts);
  };
  expect(
    audited([
      [[1, 2], 2],
      [[4], 4],
    ]),
  ).toMatchObject({ ok: true, delivered: 3 });
  expect(audited([[[1, 4], 4]])).toMatchObject({ ok: false, missing: 1 });
  expect(audited([[[1, 2, 3, 4], 4]])).toMatchObject({ ok: false, foreign: 1 });
  expect(
    audited([
      [[1, 2], 2],
      [[2, 4], 4],
    ]),
  ).toMatchObject({ ok: false, repeated: 1 });
  expect(
    audited([
      [[1], 1],
      [[4, 2], 4],
    ]),
  ).toMatchObject({ ok: false, disordered: 1 });
  expect(audited([[[1, 2], 2]])).toMatchObject({ ok: false, reachedEnd: false, missing: 0 });
});
