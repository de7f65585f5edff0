import { type Clock, type Duration, FactlineError, toMilliseconds } from '../../foundation/index.ts';
import { decodeToken } from '../../log/index.ts';
import { type Database, loadQueries, type NamedQuery, run, sqlState } from '../../postgres/index.ts';
import { foldingProjection, type Projection } from './definition.ts';
import { reachedPositions } from './reached.ts';
import { parseRow, readAnyRowStatement, readRowStatement } from './statements.ts';
import { type ProjectionTable, rowKey, rowKeyText } from './table.ts';

const sql = loadQueries<'builds_to_read' | 'last_position_of_types'>(new URL('./read.sql', import.meta.url));

export interface ReadOptions {
  /** What `publish` or `transaction` returned: the row is read once the projection has seen those events. */
  readonly token?: string;
  /** How long to wait for that. Default: 5s. */
  readonly within?: Duration;
}

export interface ReadPlace {
  readonly database: Database;
  readonly clock: Clock;
  /** Of the log as it is now; tokens of another one mean nothing any more. */
  readonly epoch: string;
}

export interface ReadRequest<Row, Key> {
  readonly projection: Projection<Row, Key>;
  readonly key: Key;
  readonly options?: ReadOptions;
}

const withinDefault = '5s';
/** Without a sign from this process's own lane: how often the checkpoint is looked at, growing. */
const pollMs = { first: 3, factor: 1.5, most: 50 } as const;

/** The build that is read, as this process last saw it. */
interface ReadableBuild {
  readonly id: number;
  readonly relation: string;
  readonly query: NamedQuery;
}

const buildsOf = new WeakMap<Database, Map<string, ReadableBuild>>();

/**
 * One row, or null. With a token it waits until the projection stands at or beyond the token's events (those that it
 * reads). The row and how far its projection has come are read in one snapshot.
 * @throws FactlineError READ_PARKED when the row waits for one of those events, READ_TIMEOUT when they are not reached in
 *   time, TOKEN_INVALID, LOG_EPOCH_MISMATCH, PROJECTION_VALUE_INVALID for a key that cannot be
 */
export const readProjection = async <Row, Key>(
  place: ReadPlace,
  request: ReadRequest<Row, Key>,
): Promise<Row | null> => {
  const positions = tokenPositions(place, request.options?.token);
  const reading = new Reading(place, request, positions);
  const seen = await reading.look();
  if (positions.length === 0 || reading.isFresh(seen)) return reading.rowOf(seen) as Row | null;
  const within = request.options?.within ?? withinDefault;
  return (await reading.wait(toMilliseconds(within, 'within'))) as Row | null;
};

const tokenPositions = (place: ReadPlace, token: string | undefined): readonly number[] => {
  if (token === undefined) return [];
  const { epoch, positions } = decodeToken(token);
  if (epoch === place.epoch) return positions;
  throw new FactlineError('LOG_EPOCH_MISMATCH', { what: 'token', actual: epoch, expected: place.epoch });
};

interface Seen {
  readonly build: ReadableBuild;
  readonly live: boolean;
  readonly reached: number;
  readonly parked: number | null;
  readonly quarantined: number | null;
  readonly row: unknown;
}

/** Array literals and scalars as pg sends them. */
type Field = string | null;

class Reading {
  readonly #place: ReadPlace;
  readonly #projection: Projection;
  readonly #positions: readonly number[];
  readonly #table: ProjectionTable | null;
  readonly #key: Readonly<Record<string, unknown>>;
  readonly #keyText: string | null;
  /** The last of the token's events that the projection reads; null until it was looked up. */
  #needed: number | null = null;

  constructor(place: ReadPlace, request: ReadRequest<unknown, unknown>, positions: readonly number[]) {
    const { projection, key } = request;
    this.#place = place;
    this.#projection = projection;
    this.#positions = positions;
    this.#table = projection.form === 'fold' ? foldingProjection(projection).table : null;
    const known = this.#table === null ? null : rowKey(this.#table, key);
    this.#key = known?.key ?? checkedKey(projection, key);
    this.#keyText = known === null ? null : rowKeyText(known.key);
  }

  /** One look in one snapshot; looks up the build again when another one is read since. */
  async look(): Promise<Seen> {
    const cached = this.#builds().get(this.#projection.name);
    if (cached !== undefined) {
      const seen = await this.#lookAt(cached);
      if (seen?.live) return seen;
    }
    const build = await this.#findBuild();
    const seen = await this.#lookAt(build);
    if (seen !== null) return seen;
    throw this.#missing();
  }

  isFresh(seen: Seen): boolean {
    const last = this.#needed ?? this.#positions.at(-1) ?? 0;
    if (seen.reached < last) return false;
    if (seen.quarantined !== null) throw this.#parked(seen.quarantined);
    return seen.parked === null;
  }

  rowOf(seen: Seen): unknown {
    return seen.row;
  }

  async wait(withinMs: number): Promise<unknown> {
    const { clock, database } = this.#place;
    const deadline = clock.monotonic() + withinMs;
    await this.#findNeeded();
    for (let delay: number = pollMs.first; ; delay = Math.min(delay * pollMs.factor, pollMs.most)) {
      const seen = await this.look();
      if (this.isFresh(seen)) return seen.row;
      const left = deadline - clock.monotonic();
      if (left <= 0) throw seen.parked === null ? this.#timeout(seen, withinMs) : this.#parked(seen.parked);
      const wake = new AbortController();
      const unwatch = reachedPositions(database).watch(() => wake.abort());
      await clock.sleep(Math.min(delay, left), wake.signal);
      unwatch();
    }
  }

  /** Events of a type that the projection does not read are never waited for. */
  async #findNeeded(): Promise<void> {
    const values = [this.#positions, [...this.#projection.types]];
    const [row] = await run(this.#place.database.operations, sql.last_position_of_types, values);
    const last = row?.['last'] ?? null;
    this.#needed = last === null ? 0 : Number(last);
  }

  async #lookAt(build: ReadableBuild): Promise<Seen | null> {
    const values = [
      build.id,
      `{${this.#positions.join(',')}}`,
      this.#keyText,
      this.#keyPattern(),
      ...Object.values(this.#key).map((value) => (this.#table === null ? value : String(value))),
    ];
    // Taken before the snapshot: what is committed now is in it. In memory this process knows of more than the checkpoint
    // says, namely of events that did not matter.
    const known = reachedPositions(this.#place.database).of(build.id);
    try {
      const { query } = build;
      const request = { name: query.name || undefined, text: query.text, values };
      const seen =
        this.#table === null
          ? await this.#lookForAny(build, request)
          : await this.#lookForRow(build, this.#table, request);
      return seen === null ? null : { ...seen, reached: Math.max(seen.reached, known) };
    } catch (error) {
      // The table of an outdated build was dropped in the meantime.
      if (sqlState(error) === '42P01') return null;
      if (sqlState(error) === '42703') throw this.#building(error);
      throw error;
    }
  }

  async #lookForRow(build: ReadableBuild, table: ProjectionTable, request: object): Promise<Seen | null> {
    const { rows } = await this.#place.database.readers.query<Field[]>({
      ...request,
      rowMode: 'array',
      types: { getTypeParser: () => (text: string) => text },
    } as never);
    const [fields] = rows;
    if (fields === undefined) return null;
    const [state, reached, parked, quarantined, found, ...columns] = fields;
    const row = found === null || found === undefined ? null : { ...parseRow(table, columns) };
    return { build, ...stateOf(state, reached, parked, quarantined), row };
  }

  async #lookForAny(build: ReadableBuild, request: object): Promise<Seen | null> {
    const { rows } = await this.#place.database.readers.query<Record<string, unknown>>(request as never);
    const [fields] = rows;
    if (fields === undefined) return null;
    const { factline_state, factline_reached, factline_parked, factline_quarantined, ...rest } = fields;
    const { factline_found: found, ...columns } = rest;
    const state = stateOf(factline_state, factline_reached, factline_parked, factline_quarantined);
    return { build, ...state, row: found === null ? null : columns };
  }

  /** Parked under another form of key: the event failed before its rows were known. */
  #keyPattern(): string {
    const names = this.#keyText?.slice(0, this.#keyText.indexOf('=') + 1) ?? '';
    return `${names.replace(/[\\%_]/g, '\\$&')}%`;
  }

  #builds(): Map<string, ReadableBuild> {
    const known = buildsOf.get(this.#place.database) ?? new Map<string, ReadableBuild>();
    buildsOf.set(this.#place.database, known);
    return known;
  }

  async #findBuild(): Promise<ReadableBuild> {
    const { name, formerly } = this.#projection;
    const rows = await run(this.#place.database.operations, sql.builds_to_read, [[name, ...formerly]]);
    const [found] = rows;
    if (found === undefined) throw this.#missing();
    const relation = String(found['relation']);
    const query =
      this.#table === null
        ? readAnyRowStatement(relation, Object.keys(this.#key))
        : readRowStatement(this.#table, relation);
    const build = { id: Number(found['id']), relation, query };
    // The statement of the SQL form depends on the key's columns, so it is made anew each time.
    if (this.#table !== null) this.#builds().set(name, build);
    return build;
  }

  /** The rows that are read are those of an earlier version, without some of this one's columns. */
  #building(cause: unknown): FactlineError {
    const { name, version } = this.#projection;
    return new FactlineError('PROJECTION_BUILDING', { projection: name, version }, { cause });
  }

  #missing(): FactlineError {
    const { name } = this.#projection;
    return new FactlineError('PROJECTION_TABLE_MISSING', { projection: name, table: `factline.${name}` });
  }

  #parked(position: number): FactlineError {
    const key = this.#keyText ?? JSON.stringify(this.#key);
    return new FactlineError('READ_PARKED', { projection: this.#projection.name, key, position });
  }

  #timeout(seen: Seen, withinMs: number): FactlineError {
    return new FactlineError('READ_TIMEOUT', {
      projection: this.#projection.name,
      position: this.#needed ?? this.#positions.at(-1),
      within: `${withinMs} ms`,
      reached: seen.reached,
    });
  }
}

const stateOf = (
  state: unknown,
  ...numbers: readonly unknown[]
): { live: boolean; reached: number; parked: number | null; quarantined: number | null } => {
  const [reached, parked = null, quarantined = null] = numbers;
  const asPosition = (value: unknown): number | null => (value === null ? null : Number(value));
  return {
    live: state === 'live',
    reached: Number(reached),
    parked: asPosition(parked),
    quarantined: asPosition(quarantined),
  };
};

const checkedKey = (projection: Projection, key: unknown): Readonly<Record<string, unknown>> => {
  if (typeof key === 'object' && key !== null && Object.keys(key).length > 0)
    return key as Readonly<Record<string, unknown>>;
  throw new FactlineError('PROJECTION_KEY_INVALID', {
    projection: projection.name,
    reason: 'expected an object with the columns that name the row',
  });
};
