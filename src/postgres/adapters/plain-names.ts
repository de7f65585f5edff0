type Rows = ReadonlyArray<Readonly<Record<string, unknown>>>;

/** `payload_digest` again from `payloadDigest`, `PayloadDigest` and `payload-digest`. */
const plainName = (name: string): string =>
  name
    .replaceAll('-', '_')
    .replace(/(?<=.)[A-Z]/g, (capital) => `_${capital}`)
    .toLowerCase();

/**
 * Rows under the column names of the statement. postgres.js can be told to rename the columns of every result
 * (`transform: postgres.camel`), also when Drizzle runs on it; our statements only use lower-case names with underscores.
 */
export const withPlainNames = (rows: unknown): Rows =>
  Array.from(rows as Rows, (row) =>
    Object.fromEntries(Object.entries(row).map(([name, value]) => [plainName(name), value])),
  );
