import type pg from 'pg';
import { FactlineError } from '../foundation/index.ts';
import type { ConsumerDefinition } from './definition.ts';
import type { StoredConsumer } from './registration/stored-consumer.ts';
import type { AppIdentity, ConsumerRunner, RegisteredConsumer, RunnerServices } from './runner.ts';

/** What a class of consumers brings to the shared engine. */
export interface ConsumerClass {
  createRunner(definition: ConsumerDefinition, services: RunnerServices): ConsumerRunner;
  /**
   * Called in the registering transaction for a row that was just made (a projection makes its table and, for the
   * first build, its view there). When it throws, nothing is registered.
   */
  prepare?(definition: ConsumerDefinition, consumer: RegisteredConsumer, place: Preparation): Promise<void>;
  /** Called in the registering transaction for a row that has just got another name. When it throws, nothing is renamed. */
  rename?(consumer: Named, place: Preparation): Promise<void>;
  /** Over how many lanes something that is made anew, and not used before it is complete, is worked; `head`: the log's end. */
  lanesToFill?(definition: ConsumerDefinition, head: number): number;
}

/** What of a stored consumer tells where its things are. */
export type Named = Pick<StoredConsumer, 'id' | 'name' | 'build' | 'state'>;

export interface Preparation {
  /** In the registering transaction. */
  readonly client: pg.PoolClient;
  readonly app: AppIdentity;
}

/** Without `workflow` where none can be declared. */
export type ConsumerClasses = Readonly<Record<'projection' | 'operational', ConsumerClass>> & {
  readonly workflow?: ConsumerClass;
};

/** @throws FactlineError CONSUMER_INVALID when this process has no code for the class. */
export const classOf = (classes: ConsumerClasses, definition: ConsumerDefinition): ConsumerClass => {
  const found = classes[definition.class];
  if (found !== undefined) return found;
  const expected = Object.keys(classes).join(' or ');
  const issue = { path: 'class', expected, actual: definition.class, message: `is not ${expected}` };
  throw new FactlineError('CONSUMER_INVALID', { consumer: definition.name, issues: [issue] });
};
