import type { Row } from '../../postgres/index.ts';
import type { ConsumerDefinition, Ordering } from '../definition.ts';
import type { ConsumerState, RegisteredConsumer } from '../runner.ts';

/** One declaration that a consumer once had; see the table `consumer_generations`. */
export interface StoredGeneration {
  readonly generation: number;
  /** What its lanes read. */
  readonly types: readonly string[];
  /** What the code declared that made it. */
  readonly declaredTypes: readonly string[];
  readonly keyVersion: number;
  readonly lanes: number;
  readonly barrier: number;
}

/** A row of `consumers` with its generations, lowest first. */
export interface StoredConsumer {
  readonly id: number;
  readonly app: string;
  readonly class: ConsumerDefinition['class'];
  readonly name: string;
  readonly version: number;
  readonly build: number;
  readonly state: ConsumerState;
  /** The generation that leads. */
  readonly generation: number;
  readonly lanes: number;
  readonly ordering: Ordering;
  readonly types: readonly string[];
  readonly startPosition: number;
  readonly formerNames: readonly string[];
  readonly declaration: Readonly<Record<string, unknown>>;
  readonly handledWithinMs: number | null;
  readonly errorBudget: number | null;
  readonly generations: readonly StoredGeneration[];
}

/** A row of the statement `find_consumers`. */
export const toStoredConsumer = (row: Row): StoredConsumer => ({
  id: row['id'] as number,
  app: row['app'] as string,
  class: row['class'] as ConsumerDefinition['class'],
  name: row['name'] as string,
  version: row['version'] as number,
  build: row['build'] as number,
  state: row['state'] as ConsumerState,
  generation: row['generation'] as number,
  lanes: row['lanes'] as number,
  ordering: row['ordering'] as Ordering,
  types: row['types'] as string[],
  startPosition: row['start_position'] as number,
  formerNames: row['former_names'] as string[],
  declaration: row['declaration'] as Record<string, unknown>,
  handledWithinMs: row['handled_within_ms'] as number | null,
  errorBudget: row['error_budget'] as number | null,
  generations: (row['generations'] as StoredGeneration[] | null) ?? [],
});

/** The consumer as this process's code sees it: with its own declaration's generation. */
export const toRegistered = (
  stored: StoredConsumer,
  definition: ConsumerDefinition,
  generation: number,
): RegisteredConsumer => ({
  id: stored.id,
  class: definition.class,
  name: stored.name,
  build: stored.build,
  version: stored.version,
  state: stored.state,
  generation,
  lanes: definition.lanes,
  ordering: definition.ordering,
  types: definition.types,
  startPosition: stored.startPosition,
});
