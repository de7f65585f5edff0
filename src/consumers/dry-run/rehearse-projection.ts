import type pg from 'pg';
import { canonicalJson, FactlineError, type Json, systemRandomness } from '../../foundation/index.ts';
import type { StoredEvent } from '../../log/index.ts';
import { rehearse } from '../../postgres/index.ts';
import { contractSetOf } from '../definition.ts';
import { cancellableWork } from '../operational/query-cancellation.ts';
import type { ColumnData } from '../projection/columns.ts';
import type { FoldingProjection } from '../projection/definition.ts';
import { Folding } from '../projection/folding.ts';
import { makeTable } from '../projection/make-table.ts';
import { ParkedKeys } from '../projection/parked-keys.ts';
import { failureClassOf } from '../projection/parking.ts';
import { OpenProjectionTx } from '../projection/projection-tx.ts';
import { relationOf } from '../projection/relation.ts';
import type { SqlProjection } from '../projection/sql-definition.ts';
import { openForSql } from '../projection/sql-event.ts';
import {
  type BuildStatements,
  buildStatements,
  qualifiedTable,
  type RowWrites,
  rowParameters,
} from '../projection/statements.ts';
import { readStoredRows } from '../projection/stored-rows.ts';
import { type ProjectionTable, type RowData, rowKey, rowKeyText } from '../projection/table.ts';
import type { StoredConsumer } from '../registration/stored-consumer.ts';
import {
  nothingHappened,
  type Rehearsal,
  type Rehearse,
  type RowDifference,
  type Stage,
} from './rehearsal.ts';

/** Where a projection is rehearsed. */
interface Place {
  readonly relation: string;
  /** The table of the declaration is not there: each rehearsal makes it, empty, and takes it back. */
  readonly isNew: boolean;
}

/** An event is rehearsed as if it came now once more: on the rows that are read, where they are of this declaration. */
export const rehearseProjection = async (
  projection: FoldingProjection | SqlProjection,
  stage: Stage,
): Promise<Rehearse> => {
  const { database, stored } = stage;
  const place: Place =
    stored !== null && hasSameRows(projection, stored)
      ? { relation: await relationOf(database.operations, stored), isNew: false }
      : { relation: newRelation(projection.name), isNew: true };
  const rehearseOne =
    projection.form === 'fold'
      ? rehearseFold(projection, stage, place)
      : rehearseSql(projection, stage, place);
  return async (event) => {
    try {
      return { ...nothingHappened, ...(await rehearseOne(event)) };
    } catch (thrown) {
      return { ...nothingHappened, failure: { thrown, failureClass: failureClassOf(projection, thrown) } };
    }
  };
};

/** Throws what the projection fails with. */
type RehearseProjection = (event: StoredEvent) => Promise<Pick<Rehearsal, 'changes'> & Partial<Rehearsal>>;

/** Whether the stored rows fit this declaration. What SQL of its own makes can only be told by the version. */
const hasSameRows = (
  { form, declaration, version }: FoldingProjection | SqlProjection,
  stored: StoredConsumer,
): boolean => {
  if (form === 'sql') return stored.version === version;
  const rowsOf = ({ columns, primaryKey }: Readonly<Record<string, unknown>>): string =>
    canonicalJson({ columns, primaryKey: [primaryKey].flat() } as Json);
  return rowsOf(stored.declaration) === rowsOf(declaration);
};

/** Like no build's, and like no other dry run's: nobody waits for its name. */
const newRelation = (name: string): string =>
  `${name}__dry${Buffer.from(systemRandomness.bytes(5)).toString('hex')}`;

const rehearseFold = (
  projection: FoldingProjection,
  { database, clock }: Stage,
  { relation, isNew }: Place,
): RehearseProjection => {
  const { table } = projection;
  const statements = buildStatements(table, relation);
  return async (event) => {
    const { value: rows, changes } = await rehearse(database.handlers, async (client) => {
      if (isNew) await makeTable(client, projection, relation);
      const before = new Map<string, RowData>();
      const folding = new Folding({
        projection,
        parked: new ParkedKeys(),
        clock,
        randomness: systemRandomness,
        readRows: async (keys) => {
          const found = await readStoredRows(client, { table, query: statements.readRows }, keys);
          for (const row of found) before.set(rowKey(table, row).id, row);
          return found;
        },
      });
      const writes = await folding.foldOne(folding.open(event));
      await write(client, { table, statements, writes });
      return differences(table, before, writes);
    });
    return { changes, rows };
  };
};

interface Write {
  readonly table: ProjectionTable;
  readonly statements: BuildStatements;
  readonly writes: RowWrites;
}

/** What the server thinks of the rows counts as well: an index refuses a text that is too long. */
const write = async (client: pg.ClientBase, { table, statements, writes }: Write): Promise<void> => {
  if (writes.upserts.length + writes.deletes.length === 0) return;
  const { name, text } = statements.write('none', writes);
  await client.query({ name, text, values: rowParameters(table, writes) });
};

const differences = (
  table: ProjectionTable,
  before: ReadonlyMap<string, RowData>,
  { upserts, deletes }: RowWrites,
): readonly RowDifference[] => {
  const changed = [
    ...upserts.map((row) => ({ key: rowKey(table, row), after: row })),
    ...deletes.map((key) => ({ key: rowKey(table, key), after: null })),
  ];
  return changed
    .map(({ key, after }) => {
      const old = before.get(key.id) ?? null;
      return { key: rowKeyText(key.key), columns: columnsThatDiffer(table, old, after), before: old, after };
    })
    .filter(({ columns }) => columns.length > 0);
};

const columnsThatDiffer = (
  { columns, valueColumns }: ProjectionTable,
  before: RowData | null,
  after: RowData | null,
): readonly string[] => {
  if (before === null && after === null) return [];
  if (before === null || after === null) return columns.map(({ name }) => name);
  return valueColumns
    .filter(({ name, item }) => item(before[name] as ColumnData) !== item(after[name] as ColumnData))
    .map(({ name }) => name);
};

/** In life a projection has no time limit, its lane just stands still; a dry run has to end. */
const applyMsMax = 30_000;

const rehearseSql = (
  projection: SqlProjection,
  { database, clock }: Stage,
  { relation, isNew }: Place,
): RehearseProjection => {
  const contracts = contractSetOf(projection);
  const tx = new OpenProjectionTx(qualifiedTable(relation));
  return async (stored) => {
    const { changes } = await rehearse(database.handlers, async (client) => {
      const { cancel, until } = cancellableWork(database, client);
      const limit = clock.timer(applyMsMax, () => cancel(tooLong(projection, stored)));
      const apply = async (): Promise<void> => {
        if (isNew) await makeTable(client, projection, relation);
        const { event, error } = openForSql(projection, contracts, stored);
        if (event === null) throw error;
        await tx.use(client, (open) => projection.apply(open, event));
      };
      await until(apply()).finally(() => limit.cancel());
    });
    return { changes };
  };
};

const tooLong = ({ name }: SqlProjection, { id }: StoredEvent): FactlineError =>
  new FactlineError('HANDLER_TIMEOUT', { consumer: name, eventId: id, limit: `${applyMsMax} ms` });
