/**
 * Compares the rows of two builds of a projection, under traffic and without holding anybody up: rows and checkpoint are
 * committed together, so a snapshot in which both stand at the same place (or between them is nothing that matters) shows
 * two tables that must be equal. Ranges of the key are compared by their number of rows and the sum of their hashes, and
 * only those that differ are looked at row by row; so memory does not depend on the tables.
 *
 * Under much traffic no such snapshot may turn up. Then the tables are compared as they are, and the rows that differ are
 * looked at again and again: the one that lags soon has the same row, a wrong one never has.
 */
import type pg from 'pg';
import type { Clock } from '../../foundation/index.ts';
import { type Database, engineTransaction, loadQueries, run } from '../../postgres/index.ts';
import type { Build } from './build-record.ts';
import type { Comparison, Difference, Verdict } from './comparison.ts';
import { relationOf } from './relation.ts';
import {
  type ComparedTable,
  type KeyRange,
  rangeDifferences,
  rangeEnd,
  rangeParameters,
  rangeSums,
  rowsDifferent,
} from './statements.ts';

const sql = loadQueries<
  'columns_of' | 'key_columns_of' | 'positions_of' | 'events_between' | 'one_snapshot' | 'by_index'
>(new URL('./builds.sql', import.meta.url));

export interface CompareOptions {
  readonly database: Database;
  readonly clock: Clock;
  readonly live: Build;
  readonly build: Build;
  readonly signal?: AbortSignal;
  /** Rows in a range. */
  readonly rangeRows?: number;
  /** How long to wait for a snapshot in which both stand at the same place, and then for rows to stand still. */
  readonly patienceMs?: number;
}

const sampleMax = 20;
const rangeRowsDefault = 10_000;
const patienceMsDefault = 5_000;
const tryAgainMs = 20;
/** Differing ranges that are looked at row by row; rows of them that are looked at again. */
const detailedMax = 50;
const recheckedMax = 1_000;

interface Tables {
  readonly pair: readonly [ComparedTable, ComparedTable];
  readonly otherColumns: readonly string[];
  readonly comparable: boolean;
}

interface Found {
  liveRows: number;
  buildRows: number;
  ranges: number;
  different: number;
  atLeast: boolean;
  readonly keys: string[][];
  readonly sample: Difference[];
}

/** @throws FactlineError PROJECTION_TABLE_MISSING, and what the signal aborts with */
export const compareBuilds = async (options: CompareOptions): Promise<Comparison> => {
  const { clock, database, live, build, patienceMs = patienceMsDefault } = options;
  const begunAt = clock.monotonic();
  const tables = await tablesOf(options);
  const until = begunAt + patienceMs;
  let found: Found | null = null;
  let level = false;
  while (found === null) {
    const mayWait = clock.monotonic() < until;
    const { value } = await engineTransaction(database.handlers, async (client) => {
      level = await beginSnapshot(client, options);
      return level || !mayWait || !tables.comparable ? walk(client, tables, options) : null;
    });
    found = value;
    if (found === null) await clock.sleep(tryAgainMs, options.signal);
    options.signal?.throwIfAborted();
  }
  const verdict = await verdictOf(found, tables, { ...options, level });
  const { keys: _, ...facts } = found;
  return {
    ...facts,
    verdict,
    live: live.build,
    build: build.build,
    different: verdict === 'equal' ? 0 : found.different,
    sample: verdict === 'equal' ? [] : found.sample,
    columns: tables.pair[0].columns,
    otherColumns: tables.otherColumns,
    elapsedMs: Math.round(clock.monotonic() - begunAt),
  };
};

const verdictOf = async (
  found: Found,
  tables: Tables,
  options: CompareOptions & { readonly level: boolean },
): Promise<Verdict> => {
  if (!tables.comparable) return 'incomparable';
  if (found.different === 0) return 'equal';
  return options.level ? 'differs' : recheck(found, tables, options);
};

const tablesOf = async ({ database, live, build }: CompareOptions): Promise<Tables> => {
  const on = database.operations;
  const read = async (of: Build) => {
    const relation = await relationOf(on, of);
    const columns = (await run(on, sql.columns_of, ['factline', relation])).map(columnOf);
    const key = (await run(on, sql.key_columns_of, [relation])).map(columnOf);
    return { relation, columns, key };
  };
  const [left, right] = [await read(live), await read(build)];
  const columns = left.columns
    .filter(({ name, type }) => right.columns.some((other) => other.name === name && other.type === type))
    .map(({ name }) => name);
  const others = [...left.columns, ...right.columns]
    .map(({ name }) => name)
    .filter((name) => !columns.includes(name));
  const text = (key: readonly { name: string; type: string }[]): string => JSON.stringify(key);
  return {
    pair: [
      { relation: left.relation, key: left.key, columns },
      { relation: right.relation, key: right.key, columns },
    ],
    otherColumns: [...new Set(others)],
    comparable: left.key.length > 0 && text(left.key) === text(right.key),
  };
};

const columnOf = (row: Readonly<Record<string, unknown>>): { name: string; type: string } => ({
  name: String(row['name']),
  type: String(row['type']),
});

/** Whether both builds stand at the same place in the snapshot that begins here. */
const beginSnapshot = async (client: pg.PoolClient, { live, build }: CompareOptions): Promise<boolean> => {
  await client.query(sql.one_snapshot.text);
  await client.query(sql.by_index.text);
  const [row] = await run(client, sql.positions_of, [live.id, build.id]);
  const positions = [Number(row?.['live']), Number(row?.['build'])] as const;
  if (positions[0] === positions[1]) return true;
  const [between] = await run(client, sql.events_between, [
    Math.min(...positions),
    Math.max(...positions),
    build.types,
  ]);
  return between?.['any'] === false;
};

const walk = async (client: pg.PoolClient, tables: Tables, options: CompareOptions): Promise<Found> => {
  const { rangeRows = rangeRowsDefault } = options;
  const found: Found = {
    liveRows: 0,
    buildRows: 0,
    ranges: 0,
    different: 0,
    atLeast: false,
    keys: [],
    sample: [],
  };
  let from: readonly string[] | null = null;
  for (;;) {
    options.signal?.throwIfAborted();
    const to: string[] | null = tables.comparable ? await endOf(client, tables, { from, rangeRows }) : null;
    await compareRange(client, tables, { range: { from, to }, found });
    if (to === null) return found;
    from = to;
  }
};

const endOf = async (
  client: pg.PoolClient,
  { pair: [live] }: Tables,
  { from, rangeRows }: { readonly from: readonly string[] | null; readonly rangeRows: number },
): Promise<string[] | null> => {
  const range = { from, to: null };
  const text = rangeEnd(live, range, rangeRows);
  const { rows } = await client.query<string[]>({ text, values: rangeParameters(range), rowMode: 'array' });
  return rows[0] ?? null;
};

const compareRange = async (
  client: pg.PoolClient,
  { pair, comparable }: Tables,
  { range, found }: { readonly range: KeyRange; readonly found: Found },
): Promise<void> => {
  const values = rangeParameters(range);
  const sums = await client.query<{ live: [string, string]; build: [string, string] }>(
    rangeSums(pair, range),
    values,
  );
  const { live = ['0', ''], build = ['0', ''] } = sums.rows[0] ?? {};
  found.ranges += 1;
  found.liveRows += Number(live[0]);
  found.buildRows += Number(build[0]);
  if (!comparable || (live[0] === build[0] && live[1] === build[1])) return;
  if (found.keys.length >= detailedMax * sampleMax || found.atLeast) {
    found.atLeast = true;
    found.different += 1;
    return;
  }
  const { rows } = await client.query<DifferingRow>(rangeDifferences(pair, range, recheckedMax), values);
  found.different += Number(rows[0]?.total ?? 0);
  for (const row of rows) {
    found.keys.push(row.key);
    if (found.sample.length < sampleMax) found.sample.push(differenceOf(row));
  }
};

interface DifferingRow {
  readonly key: string[];
  readonly live: Record<string, unknown> | null;
  readonly build: Record<string, unknown> | null;
  readonly total: string;
}

const differenceOf = ({ key, live, build }: DifferingRow): Difference => {
  if (live === null) return { key, where: 'only in build', columns: [], live, build };
  if (build === null) return { key, where: 'only in live', columns: [], live, build };
  const columns = Object.keys(live).filter(
    (name) => JSON.stringify(live[name]) !== JSON.stringify(build[name]),
  );
  return { key, where: 'both', columns, live, build };
};

/** Looks at the rows that differed until they are equal, or differ where both builds stand at the same place. */
const recheck = async (found: Found, tables: Tables, options: CompareOptions): Promise<Verdict> => {
  const { clock, database, patienceMs = patienceMsDefault, signal } = options;
  if (found.atLeast || found.different > found.keys.length || found.keys.length > recheckedMax)
    return 'undecided';
  const until = clock.monotonic() + patienceMs;
  let keys = found.keys;
  while (keys.length > 0 && clock.monotonic() < until) {
    await clock.sleep(tryAgainMs, signal);
    signal?.throwIfAborted();
    const { value: level } = await engineTransaction(database.handlers, async (client) => {
      const same = await beginSnapshot(client, options);
      const values = tables.pair[0].key.map((_, index) => keys.map((key) => key[index] ?? ''));
      const { rows } = await client.query<{ key: string[] }>(rowsDifferent(tables.pair), values);
      keys = rows.map(({ key }) => key);
      return same;
    });
    if (level && keys.length > 0) {
      const left = new Set(keys.map((key) => JSON.stringify(key)));
      found.different = left.size;
      found.sample.splice(
        0,
        found.sample.length,
        ...found.sample.filter(({ key }) => left.has(JSON.stringify(key))),
      );
      return 'differs';
    }
  }
  return keys.length === 0 ? 'equal' : 'undecided';
};
