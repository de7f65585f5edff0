import { FactlineError, type Issue } from '../../foundation/index.ts';
import {
  type Column,
  type ColumnData,
  columnTypes,
  describeValue,
  isColumn,
  isKeyColumn,
  type TableColumn,
  tableColumn,
} from './columns.ts';

/** A row as `evolve` sees it: a frozen plain object with every column. */
export type RowData = Readonly<Record<string, ColumnData>>;
/** The primary key's columns only; frozen. */
export type KeyData = Readonly<Record<string, ColumnData>>;

/** The compiled form of `columns` and `primaryKey`, shared by fold, statements and reads. */
export interface ProjectionTable {
  readonly projection: string;
  readonly columns: readonly TableColumn[];
  readonly keyColumns: readonly TableColumn[];
  readonly valueColumns: readonly TableColumn[];
  readonly indexes: readonly (readonly string[])[];
}

export interface TableDeclaration {
  readonly name: string;
  readonly columns: Readonly<Record<string, Column>>;
  readonly primaryKey: string | readonly string[];
  readonly indexes?: readonly (readonly string[])[];
}

/** `NAME__b12345` and the names of its indexes must stay below PostgreSQL's 63 bytes. */
const nameBytesMax = 45;
const identifierBytesMax = 63;
const columnsMax = 200;
const keyBytesMax = 1024;
const namePattern = /^[A-Za-z_][A-Za-z0-9_-]*$/;

const issue = (
  path: string,
  message: string,
  [expected, actual]: readonly [expected: string, actual: unknown],
): Issue => ({ path, expected, actual: describeValue(actual), message });

/** What makes a name unusable as the name of a table and a view. */
export const nameIssues = (name: unknown): Issue[] => {
  if (
    typeof name === 'string' &&
    namePattern.test(name) &&
    name.length <= nameBytesMax &&
    !name.includes('__b')
  )
    return [];
  const expected = `1 to ${nameBytesMax} letters, digits, _ and -, beginning with a letter, without "__b"`;
  return [issue('name', 'the name becomes the name of a table and a view', [expected, name])];
};

const isStorableIdentifier = (text: string): boolean =>
  text !== '' && !text.includes('\0') && text.isWellFormed() && Buffer.byteLength(text) <= identifierBytesMax;

const columnIssues = (columns: unknown): Issue[] => {
  if (typeof columns !== 'object' || columns === null)
    return [issue('columns', 'the columns are missing', ['an object of columns', columns])];
  const entries = Object.entries(columns);
  if (entries.length === 0 || entries.length > columnsMax)
    return [
      issue('columns', 'the number of columns does not work', [`1 to ${columnsMax} columns`, entries.length]),
    ];
  const known = columnTypes.join(', ');
  return entries.flatMap(([name, type]) => [
    ...(isStorableIdentifier(name)
      ? []
      : [
          issue(`columns.${name}`, 'this name cannot be a column', [
            `1 to ${identifierBytesMax} bytes`,
            name,
          ]),
        ]),
    ...(isColumn(type)
      ? []
      : [issue(`columns.${name}`, 'unknown type', [`one of ${known}, each also with a ? behind it`, type])]),
  ]);
};

const keyIssues = (columns: Readonly<Record<string, Column>>, primaryKey: unknown): Issue[] => {
  const names: readonly unknown[] = Array.isArray(primaryKey) ? primaryKey : [primaryKey];
  if (names.length === 0 || new Set(names).size !== names.length)
    return [
      issue('primaryKey', 'the primary key is not usable', ['one or more different columns', primaryKey]),
    ];
  return names.flatMap((name) => {
    const column = typeof name === 'string' && Object.hasOwn(columns, name) ? columns[name] : undefined;
    if (column === undefined) return [issue('primaryKey', 'no such column', ['the name of a column', name])];
    if (isKeyColumn(column)) return [];
    return [
      issue('primaryKey', `${name} cannot be a key`, [
        'a column that is not nullable, jsonb or float8',
        column,
      ]),
    ];
  });
};

const indexIssues = (columns: Readonly<Record<string, Column>>, indexes: unknown): Issue[] => {
  if (indexes === undefined) return [];
  const fits = (index: unknown): boolean =>
    Array.isArray(index) && index.length > 0 && index.every((name) => Object.hasOwn(columns, name));
  if (Array.isArray(indexes) && indexes.every(fits)) return [];
  return [
    issue('indexes', 'an index names an unknown column', [
      "lists of columns, like [['customerId']]",
      indexes,
    ]),
  ];
};

/** Everything that is wrong with the table's part of a declaration; empty when it works. */
export const tableIssues = (declaration: TableDeclaration): Issue[] => {
  const wrong = columnIssues(declaration.columns);
  if (wrong.length > 0) return wrong;
  return [
    ...keyIssues(declaration.columns, declaration.primaryKey),
    ...indexIssues(declaration.columns, declaration.indexes),
  ];
};

export const compileTable = (declaration: TableDeclaration): ProjectionTable => {
  const { name: projection, columns: declared, primaryKey, indexes = [] } = declaration;
  const columns = Object.entries(declared).map(([name, type]) => tableColumn(projection, name, type));
  const keyNames: readonly string[] = typeof primaryKey === 'string' ? [primaryKey] : primaryKey;
  const keyColumns = keyNames.flatMap((name) => columns.filter((column) => column.name === name));
  const valueColumns = columns.filter((column) => !keyNames.includes(column.name));
  return { projection, columns, keyColumns, valueColumns, indexes };
};

/** One row's key in its three forms. */
export interface RowKey {
  /** Distinguishes rows within one projection. */
  readonly id: string;
  readonly key: KeyData;
}

/**
 * The key of one row from whatever holds its columns: an event's payload, what `rows` returned, what a user reads by.
 * Throws PROJECTION_KEY_INVALID or PROJECTION_VALUE_INVALID.
 */
export const rowKey = (table: ProjectionTable, holder: unknown): RowKey => {
  if (typeof holder !== 'object' || holder === null)
    throw keyError(table, `expected an object with ${keyNames(table)}, got ${describeValue(holder)}`);
  const values = holder as Readonly<Record<string, unknown>>;
  const [first] = table.keyColumns;
  if (first !== undefined && table.keyColumns.length === 1) {
    const value = first.normalise(values[first.name]);
    return checked(table, { id: String(value), key: Object.freeze({ [first.name]: value }) });
  }
  const key: Record<string, ColumnData> = {};
  for (const column of table.keyColumns) key[column.name] = column.normalise(values[column.name]);
  return checked(table, { id: JSON.stringify(Object.values(key)), key: Object.freeze(key) });
};

const keyNames = (table: ProjectionTable): string => table.keyColumns.map((column) => column.name).join(', ');

const keyError = (table: ProjectionTable, reason: string): FactlineError =>
  new FactlineError('PROJECTION_KEY_INVALID', { projection: table.projection, reason });

const checked = (table: ProjectionTable, key: RowKey): RowKey => {
  // Three bytes at most for each unit of UTF-16: nearly every key is accepted without being counted.
  if (key.id !== '' && key.id.length * 3 <= keyBytesMax) return key;
  if (key.id === '') throw keyError(table, `${keyNames(table)} is empty`);
  const bytes = Buffer.byteLength(key.id);
  if (bytes <= keyBytesMax) return key;
  throw keyError(table, `${keyNames(table)} has ${bytes} bytes; at most ${keyBytesMax} are accepted`);
};

/** The text under which a row is parked and shown, in the form of an event's key: `orderId=A1`, `tenantId,orderId=["t1","A1"]`. */
export const rowKeyText = (key: KeyData): string => {
  const names = Object.keys(key);
  const values = Object.values(key);
  return `${names.join(',')}=${values.length === 1 ? String(values[0]) : JSON.stringify(values)}`;
};
