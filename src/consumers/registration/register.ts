import type pg from 'pg';
import { FactlineError, type Telemetry } from '../../foundation/index.ts';
import { readHead } from '../../log/index.ts';
import { type Database, engineTransaction, loadQueries, type Queryable, run } from '../../postgres/index.ts';
import { type ConsumerClasses, classOf } from '../consumer-class.ts';
import { type ConsumerDefinition, keyVersion } from '../definition.ts';
import { refuseOtherHandlers } from '../handlers-of-commands.ts';
import type { AppIdentity, ConsumerState, RegisteredConsumer } from '../runner.ts';
import {
  coveredGenerations,
  declaredGeneration,
  nameToStore,
  planRegistration,
  type RegistrationPlan,
  storedObjective,
  type Widening,
} from './plan.ts';
import { type StoredConsumer, toRegistered, toStoredConsumer } from './stored-consumer.ts';

const sql = loadQueries<
  | 'find_consumers'
  | 'lock_registration'
  | 'lock_compaction'
  | 'earlier_consumers'
  | 'insert_consumer'
  | 'update_declaration'
  | 'lock_lanes'
  | 'insert_generation'
  | 'unknown_consumers'
  | 'wake_owners'
>(new URL('./registration.sql', import.meta.url));

/** One stored consumer that a definition of this process works for. */
export interface Registration {
  readonly definition: ConsumerDefinition;
  readonly consumer: RegisteredConsumer;
  readonly stored: StoredConsumer;
  /** The generations whose every type the definition has code for. */
  readonly covers: readonly number[];
}

/** The consumers of one app's code. */
export interface DeclaredConsumers {
  readonly definitions: readonly ConsumerDefinition[];
  readonly app: { readonly name: string };
}

export interface RegistrationRequest extends DeclaredConsumers {
  readonly database: Database;
  readonly app: AppIdentity;
  readonly definitions: readonly ConsumerDefinition[];
  readonly classes: ConsumerClasses;
  readonly telemetry: Telemetry;
}

/**
 * Finds or makes what is stored for the definitions. It is idempotent, writes only what is new, and then all in one
 * transaction; several processes may do it at once. `startAt: 'now'` and the barrier of a new generation are the log's
 * end in that transaction, so nothing that is published after it is missed.
 * @throws FactlineError COMMAND_HANDLED_TWICE, CONSUMER_DUPLICATE, CONSUMER_INVALID, CONSUMER_OF_ANOTHER_APP, LOG_COMPACTED,
 *   PROJECTION_CHANGED_WITHOUT_VERSION.
 */
export const registerConsumers = async (request: RegistrationRequest): Promise<readonly Registration[]> => {
  refuseDuplicates(request.definitions);
  const found = await findRegistrations(request.database.operations, request);
  if (found !== null) {
    await refuseOtherHandlers(request.database.operations, request.definitions);
    return found;
  }
  const { value: announcements } = await engineTransaction(request.database.operations, (client) =>
    writeRegistrations(client, request),
  );
  for (const announce of announcements) announce();
  const written = await findRegistrations(request.database.operations, request);
  if (written !== null) return written;
  // Another release registered something else in between: it is only possible for a moment of a deploy.
  throw new FactlineError('CONSUMER_CHANGED', {
    consumer: request.definitions.map((definition) => definition.name).join(', '),
    issues: 'it was registered anew while this process registered it',
  });
};

const refuseDuplicates = (definitions: readonly ConsumerDefinition[]): void => {
  const names = definitions.map((definition) => definition.name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw new FactlineError('CONSUMER_DUPLICATE', { consumer: twice });
};

/** All definitions as they are stored; null when something has to be written first. */
const findRegistrations = async (
  on: Queryable,
  request: DeclaredConsumers,
): Promise<readonly Registration[] | null> => {
  const stored = await readStored(on, request.definitions);
  const plans = request.definitions.map((definition) =>
    planRegistration(definition, stored, request.app.name),
  );
  if (plans.some((plan) => plan.kind !== 'known' || plan.updates.length > 0)) return null;
  return known(request.definitions, plans);
};

const known = (
  definitions: readonly ConsumerDefinition[],
  plans: readonly RegistrationPlan[],
): readonly Registration[] => {
  const registrations = plans.flatMap((plan, index) =>
    plan.kind === 'known'
      ? plan.consumers.map((row) => toRegistration(definitions[index] as ConsumerDefinition, row))
      : [],
  );
  const ids = registrations.map(({ consumer }) => consumer.id);
  const shared = registrations.find(({ consumer }, index) => ids.indexOf(consumer.id) !== index);
  if (shared) throw new FactlineError('CONSUMER_DUPLICATE', { consumer: shared.stored.name });
  return registrations;
};

/**
 * What is stored by now for definitions that were registered before: new builds, generations of other code, states.
 * A definition whose consumer was retired meanwhile is not among them.
 */
export const rereadRegistrations = async (
  on: Queryable,
  request: DeclaredConsumers,
): Promise<readonly Registration[]> => {
  const stored = await readStored(on, request.definitions);
  return known(
    request.definitions,
    request.definitions.map((definition) => planRegistration(definition, stored, request.app.name)),
  );
};

const toRegistration = (definition: ConsumerDefinition, stored: StoredConsumer): Registration => ({
  definition,
  stored,
  consumer: toRegistered(stored, definition, declaredGeneration(definition, stored.generations)),
  covers: coveredGenerations(definition, stored.generations),
});

const readStored = async (
  on: Queryable,
  definitions: readonly ConsumerDefinition[],
): Promise<StoredConsumer[]> => {
  const names = definitions.flatMap((definition) => [definition.name, ...definition.formerly]);
  if (names.length === 0) return [];
  return (await run(on, sql.find_consumers, [names])).map(toStoredConsumer);
};

/** What is stored of a consumer and read now; null when it never ran here. */
export const findLive = async (
  on: Queryable,
  definition: ConsumerDefinition,
): Promise<StoredConsumer | null> =>
  (await readStored(on, [definition])).findLast(
    ({ state, class: kind }) => state === 'live' && kind === definition.class,
  ) ?? null;

/** What is to be told once the transaction has committed. */
type Announcement = () => void;

const writeRegistrations = async (
  client: pg.PoolClient,
  request: RegistrationRequest,
): Promise<Announcement[]> => {
  await run(client, sql.lock_registration);
  // Under the lock: of two apps that begin to handle one command at the same time one is refused.
  await refuseOtherHandlers(client, request.definitions);
  const announcements: Announcement[] = [];
  const stored = await readStored(client, request.definitions);
  for (const definition of request.definitions) {
    const plan = planRegistration(definition, stored, request.app.name);
    await writeUpdates(client, request, { definition, plan });
    if (plan.kind === 'insert') {
      const build = { name: plan.name, build: plan.build, state: plan.state };
      const lanes = await lanesOfNew(client, request, { definition, state: plan.state });
      const consumer = await insertConsumer(client, { ...request, definition, ...build, lanes });
      announcements.push(() =>
        request.telemetry.emit('consumer.registered', {
          consumer: definition.name,
          id: consumer.id,
          startPosition: consumer.startPosition,
        }),
      );
    } else if (plan.kind === 'widen') {
      announcements.push(await widen(client, definition, { plan, telemetry: request.telemetry }));
    }
  }
  return announcements;
};

/** A build that is filled beside the one that is read may be split. */
const lanesOfNew = async (
  client: pg.PoolClient,
  { classes }: RegistrationRequest,
  { definition, state }: { readonly definition: ConsumerDefinition; readonly state: ConsumerState },
): Promise<number> => {
  const { lanesToFill } = classOf(classes, definition);
  if (state !== 'building' || lanesToFill === undefined) return definition.lanes;
  return lanesToFill(definition, (await readHead(client)).given);
};

const writeUpdates = async (
  client: pg.PoolClient,
  { app, classes }: RegistrationRequest,
  { definition, plan }: { readonly definition: ConsumerDefinition; readonly plan: RegistrationPlan },
): Promise<void> => {
  const { handledWithinMs, errorBudget } = storedObjective(definition);
  for (const row of plan.updates) {
    const name = nameToStore(definition, row);
    await run(client, sql.update_declaration, [row.id, name, handledWithinMs, errorBudget]);
    if (name !== row.name) await classOf(classes, definition).rename?.({ ...row, name }, { client, app });
  }
};

const widen = async (
  client: pg.PoolClient,
  definition: ConsumerDefinition,
  { plan, telemetry }: { readonly plan: Widening; readonly telemetry: Telemetry },
): Promise<Announcement> => {
  const { generation, barrier } = await insertGeneration(client, {
    consumerId: plan.stored.id,
    types: plan.types,
    declaredTypes: [...definition.types].sort(),
    lanes: definition.lanes,
    typesChange: plan.typesChange,
    accepted: null,
  });
  return () => telemetry.emit('generation.registered', { consumer: definition.name, generation, barrier });
};

export interface NewGeneration {
  readonly consumerId: number;
  readonly types: readonly string[];
  readonly declaredTypes: readonly string[];
  readonly lanes: number;
  readonly typesChange: boolean;
  /** Who decided that types are dropped, and why. */
  readonly accepted: { readonly by: string; readonly because: string | null } | null;
}

/** Writes a generation and its barrier, above all that is in flight, into the lanes' fence. In a transaction. */
export const insertGeneration = async (
  client: pg.PoolClient,
  made: NewGeneration,
): Promise<{ readonly generation: number; readonly barrier: number }> => {
  await run(client, sql.lock_registration);
  await run(client, sql.lock_lanes, [made.consumerId]);
  const [row] = await run(client, sql.insert_generation, [
    made.consumerId,
    made.types,
    made.declaredTypes,
    keyVersion,
    made.lanes,
    made.typesChange,
    made.accepted?.by ?? null,
    made.accepted?.because ?? null,
  ]);
  await run(client, sql.wake_owners, [String(made.consumerId)]);
  return { generation: row?.['generation'] as number, barrier: row?.['barrier'] as number };
};

export interface NewConsumer {
  readonly definition: ConsumerDefinition;
  readonly app: AppIdentity;
  readonly classes: ConsumerClasses;
  readonly name: string;
  readonly build: number;
  readonly state: ConsumerState;
  /** Of a build that is filled over several lanes; default: as declared. */
  readonly lanes?: number;
}

/**
 * Writes a consumer with its lanes and lets its class prepare. In a transaction that holds no other lock: also for a
 * rebuild, which makes a further build of a projection (state 'building') beside the one that is read.
 */
export const insertConsumer = async (
  client: pg.PoolClient,
  made: NewConsumer,
): Promise<RegisteredConsumer> => {
  const { definition, lanes = definition.lanes } = made;
  const start = await startAfter(client, definition);
  const { handledWithinMs, errorBudget } = storedObjective(definition);
  const [row] = await run(client, sql.insert_consumer, [
    made.app.name,
    definition.class,
    made.name,
    definition.version,
    made.build,
    made.state,
    [...definition.types].sort(),
    keyVersion,
    lanes,
    definition.ordering,
    start,
    JSON.stringify(definition.declaration ?? {}),
    handledWithinMs,
    errorBudget,
  ]);
  const consumer: RegisteredConsumer = {
    id: row?.['id'] as number,
    class: definition.class,
    name: made.name,
    build: made.build,
    version: definition.version,
    state: made.state,
    generation: 1,
    lanes,
    ordering: definition.ordering,
    types: definition.types,
    startPosition: row?.['start_position'] as number,
  };
  await classOf(made.classes, definition).prepare?.(definition, consumer, { client, app: made.app });
  await run(client, sql.wake_owners, [String(consumer.id)]);
  return consumer;
};

/** The position behind which a new consumer begins; null: the log's end. @throws FactlineError LOG_COMPACTED */
const startAfter = async (
  client: pg.PoolClient,
  { name, startAt, types }: ConsumerDefinition,
): Promise<number | null> => {
  const [row] = await run(client, sql.lock_compaction);
  const compactedBelow = row?.['compacted_below'] as number;
  if (startAt === 'now') return null;
  if (startAt === 'unclaimed') {
    const earlier = await run(client, sql.earlier_consumers, [[...types]]);
    return earlier.length === 0 ? Math.max(0, compactedBelow - 1) : null;
  }
  const after = startAt === 'beginning' ? 0 : startAt;
  if (after + 1 < compactedBelow)
    throw new FactlineError('LOG_COMPACTED', { consumer: name, after, compactedBelow });
  return after;
};

export interface UnknownConsumer {
  readonly id: number;
  readonly name: string;
  readonly class: string;
  readonly build: number;
  /** The lowest checkpoint of its lanes. */
  readonly checkpoint: number | null;
  readonly parked: number;
}

/** Stored consumers of this app that neither these definitions nor any process explain: removed or renamed without a word. */
export const findUnknownConsumers = async (
  on: Queryable,
  request: DeclaredConsumers,
): Promise<readonly UnknownConsumer[]> => {
  const ids = (await readStored(on, request.definitions)).map((row) => row.id);
  const rows = await run(on, sql.unknown_consumers, [request.app.name, ids]);
  return rows.map((row) => ({
    id: row['id'] as number,
    name: row['name'] as string,
    class: row['class'] as string,
    build: row['build'] as number,
    checkpoint: row['checkpoint'] as number | null,
    parked: row['parked'] as number,
  }));
};
