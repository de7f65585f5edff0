import { readFileSync } from 'node:fs';
import { FactlineError, toPosition } from '../foundation/index.ts';

/** One statement of a `.sql` file. `name` is the prepared statement's name as well: the server parses it once a connection. */
export interface NamedQuery {
  readonly name: string;
  readonly text: string;
}

interface QueryRequest {
  readonly name: string;
  readonly text: string;
  readonly values: unknown[];
  readonly types: typeof engineTypes;
  readonly rowMode?: 'array';
}

/** What can run a statement: a pool, a pooled client, a session's client. */
export interface Queryable {
  // biome-ignore lint/suspicious/noExplicitAny: the structural minimum that pg's overloads accept
  query(request: any): Promise<{ rows: any[]; rowCount?: number | null }>;
}

export type Row = Readonly<Record<string, unknown>>;

const heading = /^-- (name|part): ([a-z0-9_]+)[ \t]*$/m;
const inclusion = /^-- include: ([a-z0-9_]+)[ \t]*$/gm;

/**
 * Reads the `-- name: snake_case` sections of one `.sql` file. What several of them begin with stands once, as a `-- part: snake_case`
 * above them, and takes the place of each line `-- include: snake_case`.
 * @example const sql = loadQueries<'read_range' | 'head'>(new URL('./reading.sql', import.meta.url))
 * @throws FactlineError QUERY_MISSING from the returned record when a name is not in the file.
 */
export const loadQueries = <Name extends string>(url: URL): Readonly<Record<Name, NamedQuery>> => {
  const file = url.pathname.slice(url.pathname.lastIndexOf('/') + 1).replace(/\.sql$/, '');
  const parts = readFileSync(url, 'utf8').split(heading);
  const queries: Record<string, NamedQuery> = {};
  const shared = new Map<string, string>();
  const missing = (name: string): never => {
    throw new FactlineError('QUERY_MISSING', { file: `${file}.sql`, name });
  };
  for (let index = 1; index < parts.length; index += 3) {
    const [kind, name = '', section = ''] = parts.slice(index);
    const text = section
      .replace(inclusion, (_, part: string) => shared.get(part) ?? missing(part))
      .trim()
      .replace(/;$/, '');
    if (kind === 'part') shared.set(name, text);
    else queries[name] = { name: `factline.${file}.${name}`, text };
  }
  return new Proxy(queries, {
    get: (all, name) => all[String(name)] ?? missing(String(name)),
  }) as Readonly<Record<Name, NamedQuery>>;
};

const isoTime = (text: string): string => {
  if (text.endsWith('+00')) return `${text.slice(0, 10)}T${text.slice(11, -3)}Z`;
  // The session has another time zone: let the engine of the language shift it (to milliseconds).
  return new Date(text.replace(' ', 'T').replace(/([+-]\d\d)$/, '$1:00')).toISOString();
};

const arrayOf =
  (parse: (text: string) => unknown) =>
  (text: string): unknown[] =>
    text === '{}'
      ? []
      : text
          .slice(1, -1)
          .split(',')
          .map((item) => (item === 'NULL' ? null : parse(item)));

/** Parsers by type oid, for the engine's own statements only: pg's process-wide parsers are never touched. */
const parsers: Readonly<Record<number, (text: string) => unknown>> = {
  16: (text) => text === 't',
  20: toPositionOrNegative,
  21: Number,
  23: Number,
  26: Number,
  114: (text) => JSON.parse(text),
  3802: (text) => JSON.parse(text),
  700: Number,
  701: Number,
  1184: isoTime,
  1005: arrayOf(Number),
  1007: arrayOf(Number),
  1016: arrayOf(toPositionOrNegative),
  1028: arrayOf(Number),
  1009: textArray,
  1015: textArray,
};

function toPositionOrNegative(text: string): number {
  return text.startsWith('-') ? -toPosition(text.slice(1)) : toPosition(text);
}

/** PostgreSQL's text array: `{a,"b \"c\"",NULL}`. */
function textArray(text: string): (string | null)[] {
  const items: (string | null)[] = [];
  const item = /"((?:[^"\\]|\\.)*)"|([^,{}]+)/g;
  for (const match of text.matchAll(item)) {
    if (match[1] !== undefined) items.push(match[1].replace(/\\(.)/g, '$1'));
    else items.push(match[2] === 'NULL' ? null : (match[2] ?? ''));
  }
  return items;
}

const asText = (text: string): string => text;

export const engineTypes: { getTypeParser(oid: number): (text: string) => unknown } = {
  getTypeParser: (oid) => parsers[oid] ?? asText,
};

const requestOf = ({ name, text }: NamedQuery, values: readonly unknown[]): QueryRequest => ({
  name,
  text,
  values: [...values],
  types: engineTypes,
});

/**
 * Runs one named statement with the engine's type parsers: `int8` → number (checked to be safe), `timestamptz` → ISO 8601,
 * JSON parsed, arrays of those.
 */
export const run = async (
  on: Queryable,
  query: NamedQuery,
  values: readonly unknown[] = [],
): Promise<Row[]> => (await on.query(requestOf(query, values))).rows as Row[];

/** As `run`, for a statement without an answer: how many rows it has written. */
export const runCount = async (
  on: Queryable,
  query: NamedQuery,
  values: readonly unknown[] = [],
): Promise<number> => (await on.query(requestOf(query, values))).rowCount ?? 0;

/** As `run`, with rows as arrays in column order: for hot paths. */
export const runArrays = async (
  on: Queryable,
  query: NamedQuery,
  values: readonly unknown[] = [],
): Promise<unknown[][]> => {
  const request: QueryRequest = { ...requestOf(query, values), rowMode: 'array' };
  return (await on.query(request)).rows as unknown[][];
};
