/** The fold itself: pure, without database. The runner and `given(…)` run the same functions. */
import type { FactEvent } from '../../contracts/index.ts';
import { FactlineError } from '../../foundation/index.ts';
import { type ColumnData, describeValue } from './columns.ts';
import type { FoldingProjection, Projection } from './definition.ts';
import { type KeyData, type RowData, type RowKey, rowKey } from './table.ts';

/** An event that touches more rows than this is a mistake of `rows`. */
const rowsOfOneEventMax = 10_000;

/** A promise that nobody awaits must not end the process when it rejects. */
const isPromise = (value: object): boolean => {
  if (typeof (value as { then?: unknown }).then !== 'function') return false;
  void (value as Promise<unknown>).then(undefined, () => undefined);
  return true;
};

const refuseAsync = (projection: Projection, name: string): never => {
  throw new FactlineError('PROJECTION_ASYNC', { projection: projection.name, function: name });
};

/** The rows that an event touches, each once; none is possible with `rows`. */
export const rowKeysOf = (projection: FoldingProjection, event: FactEvent): readonly RowKey[] => {
  if (projection.rows === null) return [rowKey(projection.table, event.data)];
  const answer = projection.rows(event);
  if (typeof answer === 'object' && answer !== null && isPromise(answer)) refuseAsync(projection, 'rows');
  if (!Array.isArray(answer)) return [rowKey(projection.table, answer)];
  if (answer.length > rowsOfOneEventMax)
    throw new FactlineError('PROJECTION_KEY_INVALID', {
      projection: projection.name,
      reason: `rows returned ${answer.length} keys; at most ${rowsOfOneEventMax} are accepted`,
    });
  const keys = new Map<string, RowKey>();
  for (const holder of answer) {
    const key = rowKey(projection.table, holder);
    keys.set(key.id, key);
  }
  return [...keys.values()];
};

/**
 * The row after the event. Answers `row` itself when nothing changes, so that nothing is written.
 * @throws what `evolve` throws, and FactlineError PROJECTION_ASYNC, PROJECTION_RESULT_INVALID, PROJECTION_COLUMN_UNKNOWN,
 *   PROJECTION_VALUE_INVALID
 */
export const evolveRow = (
  projection: FoldingProjection,
  before: { readonly row: RowData | null; readonly key: KeyData },
  event: FactEvent,
): RowData | null => {
  const result = projection.evolve(before.row, event, before.key);
  if (result === null || result === before.row) return result as RowData | null;
  if (typeof result !== 'object' || Array.isArray(result))
    throw new FactlineError('PROJECTION_RESULT_INVALID', {
      projection: projection.name,
      actual: describeValue(result),
    });
  if (isPromise(result)) refuseAsync(projection, 'evolve');
  return rowFromResult(projection, before, result as Readonly<Record<string, unknown>>);
};

const rowFromResult = (
  projection: FoldingProjection,
  before: { readonly row: RowData | null; readonly key: KeyData },
  result: Readonly<Record<string, unknown>>,
): RowData => {
  const { table } = projection;
  const { row: old, key } = before;
  const row: Record<string, ColumnData> = {};
  let known = 0;
  let changed = old === null;
  for (const column of table.columns) {
    const { name } = column;
    const value = result[name];
    const keyValue = key[name];
    if (keyValue !== undefined) {
      row[name] = keyValue;
      if (value === undefined) continue;
      known += 1;
      if (value !== keyValue && column.normalise(value) !== keyValue)
        refuseKeyChange(projection, name, [keyValue, value]);
      continue;
    }
    known += 1;
    const oldValue = old === null ? undefined : old[name];
    if (value === oldValue && value !== undefined) {
      row[name] = oldValue as ColumnData;
      continue;
    }
    row[name] = column.normalise(value);
    changed = true;
  }
  if (Object.keys(result).length !== known) refuseExcess(projection, result);
  return changed ? Object.freeze(row) : (old as RowData);
};

const refuseKeyChange = (
  projection: FoldingProjection,
  column: string,
  [key, value]: readonly [unknown, unknown],
): never => {
  throw new FactlineError('PROJECTION_VALUE_INVALID', {
    projection: projection.name,
    column,
    expected: `the key of the row, ${describeValue(key)}`,
    actual: describeValue(value),
  });
};

/** The one mistake that the compiler misses. An undefined key column counts as absent. */
const refuseExcess = (projection: FoldingProjection, result: Readonly<Record<string, unknown>>): void => {
  const names = projection.table.columns.map((column) => column.name);
  const excess = Object.keys(result).find((name) => !names.includes(name));
  if (excess === undefined) return;
  throw new FactlineError('PROJECTION_COLUMN_UNKNOWN', {
    projection: projection.name,
    column: excess,
    columns: names,
  });
};
