import type { Clock } from '../../foundation/index.ts';
import type { StoredEvent } from '../../log/index.ts';
import type { Database, TableChange } from '../../postgres/index.ts';
import type { ReplayTerms } from '../operational/entry.ts';
import type { ParkedFailureClass } from '../parked/index.ts';
import type { RowData } from '../projection/table.ts';
import type { StoredConsumer } from '../registration/stored-consumer.ts';

/** A row of a folding projection that would be another one. */
export interface RowDifference {
  /** `orderId=A1`. */
  readonly key: string;
  /** The columns that differ. */
  readonly columns: readonly string[];
  /** Null: there is no such row. */
  readonly before: RowData | null;
  readonly after: RowData | null;
}

export interface PublishedInRehearsal {
  readonly type: string;
  readonly key: string;
  readonly data: unknown;
}

/** What happened to one event until the rollback. */
export interface Rehearsal {
  /** Null: it would have been handled. `thrown` may be anything, also undefined. */
  readonly failure: {
    readonly thrown: unknown;
    readonly failureClass?: ParkedFailureClass | undefined;
  } | null;
  readonly refusedEffects: readonly string[];
  readonly reusedEffects: readonly string[];
  readonly published: readonly PublishedInRehearsal[];
  readonly changes: readonly TableChange[];
  /** Of a folding projection. */
  readonly rows: readonly RowDifference[] | null;
}

/** What a consumer is rehearsed with. */
export interface Stage {
  readonly database: Database;
  readonly clock: Clock;
  /** The app, as the source of what would be published. */
  readonly source: string;
  /** What is stored of the consumer; null when it never ran here. */
  readonly stored: StoredConsumer | null;
  /** The replay that would deliver the events; null: as in life. */
  readonly replay: ReplayTerms | null;
}

/** Handles one event with the consumer's own code, and takes everything back. */
export type Rehearse = (event: StoredEvent) => Promise<Rehearsal>;

export const nothingHappened: Rehearsal = {
  failure: null,
  refusedEffects: [],
  reusedEffects: [],
  published: [],
  changes: [],
  rows: null,
};
