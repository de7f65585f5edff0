import { ContractSet, type EventContract, type Upcaster } from '../contracts/index.ts';
import { type Duration, keyHash, laneOf } from '../foundation/index.ts';
import type { DeclaredReads } from './reads.ts';

/**
 * What the user declared, as far as the shared engine needs it. `Projection` and `Handler` extend it with what only
 * their class knows. A definition is a plain frozen value: nothing is registered by making one.
 */
export interface ConsumerDefinition {
  readonly class: 'projection' | 'operational' | 'workflow';
  /** The identity under which progress is stored; unique in the database, over all apps. */
  readonly name: string;
  /** The team that answers for it; undefined: the app's owner. */
  readonly owner?: string;
  readonly contracts: readonly EventContract[];
  /** What it reads from the log: the types of `contracts`, and those that `upcasters` lead from. */
  readonly types: ReadonlySet<string>;
  /** Those of the app that lead to its contracts; none before it is given to an app. */
  readonly upcasters: readonly Upcaster[];
  /** The fields it reads of each type of `contracts`. */
  readonly reads: DeclaredReads;
  readonly ordering: Ordering;
  /** 1 for a projection and for `ordering: 'global'`; otherwise 16 unless declared. */
  readonly lanes: number;
  /**
   * Where a consumer that was never registered begins; a number is a position, whose event is not handled. unclaimed: with the
   * oldest event, unless one of its types was read by any consumer before, which may have handled what is there; else now.
   */
  readonly startAt: 'beginning' | 'now' | 'unclaimed' | number;
  /** Earlier names of this consumer; what is stored under them becomes its own. */
  readonly formerly: readonly string[];
  readonly slo?: { readonly handledWithin: Duration; readonly errorBudget?: number };
  /** The declared version of a projection (a raised one is rebuilt); 1 for the other classes. */
  readonly version: number;
  /** Of a projection: what else decides whether stored rows were made by this declaration; JSON. */
  readonly declaration?: Readonly<Record<string, unknown>>;
}

export type Ordering = 'key' | 'global' | 'none';

/** Whether a value came from `defineProjection`, `defineSqlProjection`, `defineHandler` or `defineWorkflow`. */
export const isConsumerDefinition = (value: unknown): value is ConsumerDefinition => {
  if (typeof value !== 'object' || value === null) return false;
  const { class: kind, name, types } = value as Partial<Record<string, unknown>>;
  return (
    (kind === 'projection' || kind === 'operational' || kind === 'workflow') &&
    typeof name === 'string' &&
    types instanceof Set
  );
};

/** What opens the stored events of a consumer. */
export const contractSetOf = (definition: ConsumerDefinition): ContractSet =>
  new ContractSet(definition.contracts, definition.upcasters);

/**
 * The consumer with those upcasters of its app that lead to its contracts: it then reads the older types as well.
 * @throws FactlineError UPCASTER_INVALID
 */
export const withUpcasters = <Definition extends ConsumerDefinition>(
  definition: Definition,
  upcasters: readonly Upcaster[],
): Definition => {
  const { types, upcasters: own } = new ContractSet(definition.contracts, upcasters);
  return own.length === 0 ? definition : Object.freeze({ ...definition, types, upcasters: own });
};

/** Raised when the meaning of an ordering key changes; lanes of another key version are never mixed. */
export const keyVersion = 1;

/** The ordering key of every event under `ordering: 'global'`. */
export const globalKey = '*';

/** The key whose events wait for one another: what is parked, and what decides the lane. */
export const orderingKey = (
  definition: { readonly ordering: Ordering },
  event: { readonly key: string; readonly id: string },
): string => {
  switch (definition.ordering) {
    case 'key':
      return event.key;
    case 'global':
      return globalKey;
    case 'none':
      return event.id;
  }
};

/** The signed hash of `orderingKey(…)`, taken from the stored event where it is the same. */
export const orderingKeyHash = (
  definition: { readonly ordering: Ordering },
  event: { readonly key: string; readonly keyHash: number; readonly id: string },
): number => (definition.ordering === 'key' ? event.keyHash : keyHash(orderingKey(definition, event)));

/**
 * The lane that handles an event. `lanes` is the number of lanes of the generation that leads (`LaneLease.laneCount`),
 * which during a deploy differs from what this code declares.
 */
export const laneFor = (
  consumer: { readonly ordering: Ordering; readonly lanes: number },
  event: { readonly key: string; readonly keyHash: number; readonly id: string },
): number => (consumer.lanes === 1 ? 0 : laneOf(orderingKeyHash(consumer, event), consumer.lanes));
