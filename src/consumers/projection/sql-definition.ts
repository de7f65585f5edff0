import type { QueryResult } from 'pg';
import type { EventContract, EventsOnly, Many, On } from '../../contracts/index.ts';
import { type Duration, FactlineError, type Issue } from '../../foundation/index.ts';
import type { Reads } from '../reads.ts';
import { describeValue } from './columns.ts';
import { declarationIssues, type SharedDeclaration, sharedFields } from './declaration.ts';
import type { Projection } from './definition.ts';

/** What a SQL projection writes with: the one transaction of its batch. */
export interface ProjectionTx {
  /** The table of this build, qualified and quoted: use it in the text of statements. */
  readonly table: string;
  query(sql: string, values?: readonly unknown[]): Promise<QueryResult>;
}

export interface SqlProjectionOptions<O extends Many<EventContract>> {
  /** The name of the view to read from, and the identity under which progress is stored. */
  readonly name: string;
  /** The team that answers for it. Default: the app's owner. */
  readonly owner?: string;
  /** Raise it by one with every change: the table is then made and filled anew. Default 1. */
  readonly version?: number;
  readonly on: O;
  /** The fields of the payloads that it reads; the gate then knows whom a change affects. Without it: all of them. */
  readonly reads?: Reads<NoInfer<O>>;
  /** Makes the table `sql.table` of one build, with whatever columns and indexes you like. */
  readonly create: (sql: ProjectionTx) => Promise<unknown>;
  /**
   * Applies one event, in position order, inside the batch's transaction. Await every statement. Only the table of
   * this projection may be written.
   */
  readonly apply: (tx: ProjectionTx, event: On<O>) => Promise<unknown>;
  /** Where events of different keys write one row: names for the rows an event writes, which then wait for one another. */
  readonly rows?: (event: On<O>) => string | readonly string[];
  /** 'key' (default): a failed event holds back the later ones of its key; 'global': all later ones. */
  readonly ordering?: 'key' | 'global';
  readonly formerly?: readonly string[];
  readonly slo?: { readonly handledWithin: Duration; readonly errorBudget?: number };
}

/** The SQL form as the engine runs it. */
export interface SqlProjection extends Projection<Record<string, unknown>, Record<string, unknown>> {
  readonly form: 'sql';
  readonly create: (sql: ProjectionTx) => Promise<unknown>;
  readonly apply: (tx: ProjectionTx, event: unknown) => Promise<unknown>;
  readonly rows: ((event: unknown) => unknown) | null;
}

const issuesOf = (options: SqlProjectionOptions<Many<EventContract>>): Issue[] => {
  const issues: Issue[] = [];
  for (const path of ['create', 'apply', 'rows'] as const) {
    const value: unknown = options[path];
    if (typeof value === 'function' || (path === 'rows' && value === undefined)) continue;
    issues.push({ path, expected: 'a function', actual: describeValue(value), message: 'it is missing' });
  }
  const { ordering } = options;
  if (ordering !== undefined && ordering !== 'key' && ordering !== 'global')
    issues.push({
      path: 'ordering',
      expected: "'key' or 'global'",
      actual: describeValue(ordering),
      message: 'a projection has no other ordering',
    });
  return issues;
};

/**
 * Declares a read model that is written with SQL of your own: one call of `apply` for each event, batches share a
 * transaction. For what a fold cannot say: `numeric`, arrays, one statement over many rows.
 * @throws FactlineError CONSUMER_INVALID with everything that is wrong with the declaration.
 * @example
 * const revenue = defineSqlProjection({
 *   name: 'revenue', on: [OrderPlaced],
 *   create: (sql) => sql.query(`create table ${sql.table} (day date primary key, pounds numeric not null)`),
 *   apply: (tx, event) => tx.query(
 *     `insert into ${tx.table} as r values ($1, $2::numeric / 100)
 *      on conflict (day) do update set pounds = r.pounds + excluded.pounds`,
 *     [event.time.slice(0, 10), event.data.pence]),
 *   rows: (event) => event.time.slice(0, 10),
 * })
 */
export const defineSqlProjection = <const O extends Many<EventContract>>(
  options: SqlProjectionOptions<O> & { readonly on: EventsOnly<O> },
): Projection<Record<string, unknown>, Record<string, unknown>> => {
  const shared: SharedDeclaration = options;
  const issues = [
    ...declarationIssues(shared, ['create', 'apply', 'rows', 'ordering']),
    ...issuesOf(options as unknown as SqlProjectionOptions<Many<EventContract>>),
  ];
  if (issues.length > 0)
    throw new FactlineError('CONSUMER_INVALID', { consumer: String(options.name), issues });
  const projection: SqlProjection = {
    ...sharedFields(shared),
    form: 'sql',
    ordering: options.ordering ?? 'key',
    declaration: { ordering: options.ordering ?? 'key' },
    create: options.create,
    apply: options.apply as SqlProjection['apply'],
    rows: (options.rows as SqlProjection['rows'] | undefined) ?? null,
  };
  return Object.freeze(projection);
};
