import type { EventContract, EventsOnly, Many, On } from '../../contracts/index.ts';
import { type Duration, FactlineError, type Issue } from '../../foundation/index.ts';
import type { ConsumerDefinition } from '../definition.ts';
import type { Reads } from '../reads.ts';
import type { Column, ColumnValue } from './columns.ts';
import { declarationIssues, type SharedDeclaration, sharedFields } from './declaration.ts';
import { compileTable, type KeyData, type ProjectionTable, type RowData, tableIssues } from './table.ts';

type Columns = Readonly<Record<string, Column>>;
type Flat<T> = { [Member in keyof T]: T[Member] };

/** What stands in each column of a row. */
export type RowOf<C extends Columns> = { readonly [Name in keyof C]: ColumnValue<C[Name]> };
/** The primary key's columns of a row. */
export type KeyOf<C extends Columns, K extends keyof C> = { readonly [Name in K]: ColumnValue<C[Name]> };

/** The payloads of all events of `on`, as a union. */
type DataOfAll<O extends Many<EventContract>> = On<O> extends { readonly data: infer D } ? D : never;

/** `rows` is required exactly when some event's payload lacks the primary key. */
type RowsOption<O extends Many<EventContract>, Key> = [DataOfAll<O>] extends [Key]
  ? { readonly rows?: (event: On<O>) => NoInfer<Key | readonly Key[]> }
  : { readonly rows: (event: On<O>) => NoInfer<Key | readonly Key[]> };

export interface ProjectionOptions<
  O extends Many<EventContract>,
  C extends Columns,
  K extends keyof C & string,
> {
  /** The name of the view to read from, and the identity under which progress is stored. */
  readonly name: string;
  /** The team that answers for it. Default: the app's owner. */
  readonly owner?: string;
  /** Raise it by one with every change of the declaration or of what `evolve` computes: the rows are then rebuilt. Default 1. */
  readonly version?: number;
  readonly on: O;
  /** The fields of the payloads that it reads; the gate then knows whom a change affects. Without it: all of them. */
  readonly reads?: Reads<NoInfer<O>>;
  /** Column names with PostgreSQL types; `?` makes one nullable: `{ orderId: 'text', paidAt: 'timestamptz?' }`. */
  readonly columns: C;
  readonly primaryKey: K | readonly [K, ...K[]];
  /** Further indexes: `[['customerId'], ['status', 'placedAt']]`. */
  readonly indexes?: readonly (readonly [keyof C & string, ...(keyof C & string)[]])[];
  /** Earlier names of this projection; what is stored under them becomes its own. */
  readonly formerly?: readonly string[];
  readonly slo?: { readonly handledWithin: Duration; readonly errorBudget?: number };
  /**
   * The row after the event: every column but the primary key's, or null to delete (or not to create) it. Pure and
   * synchronous: it may run more than once for one event. `row` is frozen; null when there is none.
   */
  readonly evolve: (
    row: NoInfer<Flat<RowOf<C>>> | null,
    event: On<O>,
    key: NoInfer<Flat<KeyOf<C, K>>>,
  ) => NoInfer<Flat<Omit<RowOf<C>, K>>> | null;
}

declare const rowAndKey: unique symbol;

/** A read model that is rebuilt from the log at any time. `Row` and `Key` are what `app.read` returns and takes. */
export interface Projection<Row = unknown, Key = unknown> extends ConsumerDefinition {
  readonly class: 'projection';
  readonly [rowAndKey]?: { readonly row: Row; readonly key: Key };
  readonly form: 'fold' | 'sql';
  /** What decides whether stored rows were made by this declaration; JSON. */
  readonly declaration: Readonly<Record<string, unknown>>;
}

/** The folding form as the engine runs it; the types of the user's functions are erased. */
export interface FoldingProjection<Row = unknown, Key = unknown> extends Projection<Row, Key> {
  readonly form: 'fold';
  readonly table: ProjectionTable;
  readonly evolve: (row: RowData | null, event: unknown, key: KeyData) => unknown;
  readonly rows: ((event: unknown) => unknown) | null;
}

const functionIssues = (options: { readonly evolve: unknown; readonly rows?: unknown }): Issue[] => {
  const issues: Issue[] = [];
  for (const [path, value] of [
    ['evolve', options.evolve],
    ['rows', options.rows],
  ] as const) {
    if (path === 'rows' && value === undefined) continue;
    const name = Object.prototype.toString.call(value);
    if (typeof value === 'function' && name === '[object Function]') continue;
    const message = typeof value === 'function' ? 'a fold has nothing to wait for' : 'it is missing';
    issues.push({ path, expected: 'a synchronous function', actual: name, message });
  }
  return issues;
};

/**
 * Declares a read model: a table whose rows are folded from events. Factline creates the table and a view of the
 * projection's name; read it with anything, never write it.
 * @throws FactlineError CONSUMER_INVALID with everything that is wrong with the declaration.
 * @example
 * const orders = defineProjection({
 *   name: 'orders', on: [OrderPlaced, OrderPaid], primaryKey: 'orderId',
 *   columns: { orderId: 'text', pence: 'int8', status: 'text' },
 *   evolve: (row, event) => OrderPlaced.is(event)
 *     ? { pence: event.data.pence, status: 'placed' }
 *     : row && { ...row, status: 'paid' },
 * })
 */
export const defineProjection = <
  const O extends Many<EventContract>,
  const C extends Columns,
  const K extends keyof C & string,
>(
  options: ProjectionOptions<O, C, K> & RowsOption<O, KeyOf<C, K>> & { readonly on: EventsOnly<O> },
): Projection<Flat<RowOf<C>>, Flat<KeyOf<C, K>>> => {
  const shared: SharedDeclaration = options;
  const issues = [
    ...declarationIssues(shared, ['columns', 'primaryKey', 'indexes', 'evolve', 'rows']),
    ...tableIssues(options),
    ...functionIssues(options),
  ];
  if (issues.length > 0)
    throw new FactlineError('CONSUMER_INVALID', { consumer: String(options.name), issues });
  const projection: FoldingProjection<Flat<RowOf<C>>, Flat<KeyOf<C, K>>> = {
    // Without `rows` the engine finds the row by the primary key in the payload.
    ...sharedFields(shared, options.rows === undefined ? [options.primaryKey].flat() : []),
    form: 'fold',
    ordering: 'key',
    table: compileTable(options),
    declaration: {
      columns: options.columns,
      primaryKey: options.primaryKey,
      indexes: options.indexes ?? [],
    },
    evolve: options.evolve as FoldingProjection['evolve'],
    rows: (options.rows as FoldingProjection['rows'] | undefined) ?? null,
  };
  return Object.freeze(projection);
};

/** @throws FactlineError OPTION_INVALID when it is not a folding projection made by `defineProjection`. */
export const foldingProjection = <Row, Key>(
  projection: Projection<Row, Key>,
): FoldingProjection<Row, Key> => {
  if ((projection as Projection | undefined)?.form === 'fold')
    return projection as FoldingProjection<Row, Key>;
  throw new FactlineError('OPTION_INVALID', {
    option: 'projection',
    expected: 'a projection made by defineProjection (the SQL form needs a database: use testFactline)',
    actual: String((projection as Projection | undefined)?.name),
  });
};
