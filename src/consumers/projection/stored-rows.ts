import { explain, type NamedQuery, type Queryable } from '../../postgres/index.ts';
import { keyParameters, parseRow } from './statements.ts';
import type { KeyData, ProjectionTable, RowData } from './table.ts';

/** Columns are selected as text and parsed by what the projection declares. */
const textOnly = { getTypeParser: () => (text: string) => text } as never;

/** The rows of these keys that exist. `query`: `readRows` of the build's statements. */
export const readStoredRows = async (
  on: Queryable,
  { table, query: { name, text } }: { readonly table: ProjectionTable; readonly query: NamedQuery },
  keys: readonly KeyData[],
): Promise<readonly RowData[]> => {
  const values = keyParameters(table, keys);
  try {
    const { rows } = await on.query({ name, text, values, rowMode: 'array', types: textOnly });
    return (rows as (string | null)[][]).map((fields) => parseRow(table, fields));
  } catch (error) {
    throw explain(error);
  }
};
