import {
  contractSetOf,
  evolveRow,
  type FoldingProjection,
  foldingProjection,
  type Projection,
  type RowData,
  rowKey,
  rowKeysOf,
  rowKeyText,
  withUpcasters,
} from '../consumers/index.ts';
import type { Draft, StoredRow, Upcaster } from '../contracts/index.ts';
import { canonicalJson, FactlineError } from '../foundation/index.ts';
import { guardReads } from './guard-reads.ts';
import { withOtherSurroundings } from './other-surroundings.ts';

/** The outcome of the given events in one projection. Pure: no database, no clock, no waiting. */
export interface ProjectionScenario<Row, Key> {
  /** The row after all events, or null when there is none. */
  row(key: Key): Row | null;
  /** All rows, in the order of their keys. */
  rows(): Row[];
  /**
   * Every event is folded twice from the same row, the second time with another clock and other random numbers, as it
   * happens when a batch is folded again. Throws PROJECTION_NOT_REPEATABLE when the answers differ.
   */
  twice(): ProjectionScenario<Row, Key>;
  /**
   * Folds the events in other orders too; events of one key keep theirs. Throws PROJECTION_ORDER_DEPENDENT when a row
   * comes out differently. Not for read models that are meant to depend on it ("the newest comment").
   */
  shuffled(): ProjectionScenario<Row, Key>;
}

export interface GivenEvents {
  /** `upcasters`: those of the app, for events of older contracts than the projection's. */
  when<Row, Key>(
    projection: Projection<Row, Key>,
    options?: { readonly upcasters?: readonly Upcaster[] },
  ): ProjectionScenario<Row, Key>;
}

/** How many other orders `shuffled` tries. */
const ordersTried = 50;
const firstTime = Date.UTC(2026, 0, 1);

/** The events as the log would hold them, a second apart, with ids that are the same in every run. */
const storedRows = (drafts: readonly Draft[]): StoredRow[] =>
  drafts.map((draft, index) => {
    const id = `00000000-0000-7000-8000-${String(index + 1).padStart(12, '0')}`;
    const recordedAt = new Date(firstTime + index * 1000).toISOString();
    return {
      position: index + 1,
      id,
      type: draft.type,
      source: 'given',
      key: draft.key,
      data: draft.dataText,
      meta: JSON.stringify({ subject: draft.subject, correlationId: id }),
      time: draft.time ?? recordedAt,
      recordedAt,
    };
  });

interface FoldedRow {
  readonly text: string;
  readonly row: RowData;
}

type Step = typeof evolveRow;

const foldAll = (
  projection: FoldingProjection,
  stored: readonly StoredRow[],
  step: Step,
): Map<string, FoldedRow> => {
  const contracts = contractSetOf(projection);
  const rows = new Map<string, FoldedRow>();
  for (const each of stored) {
    if (!contracts.has(each.type)) continue;
    const event = contracts.open(each);
    const changes = rowKeysOf(projection, event).map(({ id, key }) => ({
      id,
      text: rowKeyText(key),
      row: step(projection, { row: rows.get(id)?.row ?? null, key }, event),
    }));
    for (const { id, text, row } of changes) {
      if (row === null) rows.delete(id);
      else rows.set(id, { text, row });
    }
  }
  return rows;
};

/** Folds twice from the same row; the first answer counts. */
const stepTwice: Step = (projection, before, event) => {
  const first = evolveRow(projection, before, event);
  const again = withOtherSurroundings(() => evolveRow(projection, before, event));
  if (canonicalJson(first) === canonicalJson(again)) return first;
  throw new FactlineError('PROJECTION_NOT_REPEATABLE', {
    projection: projection.name,
    type: event.type,
    key: rowKeyText(before.key),
    first,
    second: again,
  });
};

/** mulberry32: the same orders in every run, so that a failing test fails again. */
const numbersFrom = (seed: number): (() => number) => {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
};

/** Another order between keys: the queues of the keys are merged by chance. */
const interleave = (stored: readonly StoredRow[], seed: number): StoredRow[] => {
  const chance = numbersFrom(seed);
  const queues = [...Map.groupBy(stored, (each) => each.key).values()].map((queue) => [...queue]);
  const order: StoredRow[] = [];
  while (queues.length > 0) {
    const index = Math.floor(chance() * queues.length);
    const next = queues[index]?.shift();
    if (next !== undefined) order.push(next);
    if (queues[index]?.length === 0) queues.splice(index, 1);
  }
  return order;
};

const refuseOrder = (
  projection: FoldingProjection,
  facts: {
    expected: ReadonlyMap<string, FoldedRow>;
    actual: ReadonlyMap<string, FoldedRow>;
    order: readonly StoredRow[];
  },
): void => {
  const { expected, actual, order } = facts;
  for (const id of new Set([...expected.keys(), ...actual.keys()])) {
    const first = expected.get(id);
    const second = actual.get(id);
    if (canonicalJson(first?.row ?? null) === canonicalJson(second?.row ?? null)) continue;
    throw new FactlineError('PROJECTION_ORDER_DEPENDENT', {
      projection: projection.name,
      key: first?.text ?? second?.text,
      first: first?.row ?? 'no row',
      second: second?.row ?? 'no row',
      order: order.map((each) => `${each.type} ${each.key}`).join(', '),
    });
  }
};

class Scenario<Row, Key> implements ProjectionScenario<Row, Key> {
  readonly #projection: FoldingProjection<Row, Key>;
  readonly #stored: readonly StoredRow[];

  constructor(projection: FoldingProjection<Row, Key>, stored: readonly StoredRow[]) {
    this.#projection = projection;
    this.#stored = stored;
  }

  row(key: Key): Row | null {
    const { id } = rowKey(this.#projection.table, key);
    return (this.#fold().get(id)?.row ?? null) as Row | null;
  }

  rows(): Row[] {
    const sorted = [...this.#fold()].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
    return sorted.map(([, { row }]) => row as Row);
  }

  twice(): ProjectionScenario<Row, Key> {
    foldAll(this.#projection, this.#stored, stepTwice);
    return this;
  }

  shuffled(): ProjectionScenario<Row, Key> {
    const expected = this.#fold();
    for (let seed = 1; seed <= ordersTried; seed++) {
      const order = interleave(this.#stored, seed);
      const actual = foldAll(this.#projection, order, evolveRow);
      refuseOrder(this.#projection, { expected, actual, order });
    }
    return this;
  }

  #fold(): Map<string, FoldedRow> {
    return foldAll(this.#projection, this.#stored, evolveRow);
  }
}

/**
 * A test of a projection in one line, without a database:
 * @example
 * expect(given(OrderPlaced({ orderId: 'A1', pence: 4200 }), OrderPaid({ orderId: 'A1' })).when(orders).row({ orderId: 'A1' }))
 *   .toEqual({ orderId: 'A1', pence: 4200, status: 'paid' })
 * @throws FactlineError OPTION_INVALID for a SQL projection, which needs a database: use testFactline; READ_UNDECLARED when
 *   the projection reads a field that its `reads` lacks.
 */
export const given = (...drafts: readonly Draft[]): GivenEvents => {
  const stored = storedRows(drafts);
  return {
    when: (projection, { upcasters = [] } = {}) =>
      new Scenario(guardReads(withUpcasters(foldingProjection(projection), upcasters)), stored),
  };
};
