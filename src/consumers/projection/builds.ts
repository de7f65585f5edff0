/**
 * The builds of a projection. Each is a consumer of its own with a table of its own; the view shows the live one.
 * build-stage.ts draws where a build may stand, switching.ts moves the view, build-keeper.ts decides when.
 */
import type pg from 'pg';
import { FactlineError } from '../../foundation/index.ts';
import {
  type Database,
  engineTransaction,
  loadQueries,
  lockNotAvailable,
  run,
  sqlState,
} from '../../postgres/index.ts';
import type { ConsumerClass, Named, Preparation } from '../consumer-class.ts';
import type { ConsumerDefinition } from '../definition.ts';
import { insertConsumer } from '../registration/register.ts';
import type { RegisteredConsumer, RunnerServices } from '../runner.ts';
import { type Build, readBuilds, type Switching } from './build-record.ts';
import type { FoldingProjection, Projection } from './definition.ts';
import { makeTable } from './make-table.ts';
import { relationOf } from './relation.ts';
import { isShardable, shardsFor } from './sharding.ts';
import type { SqlProjection } from './sql-definition.ts';
import { buildRelation, dropTable, type ViewTarget } from './statements.ts';
import { createView, refuseObstacles } from './views.ts';

const sql = loadQueries<
  | 'lock_timeout'
  | 'lock_builds'
  | 'hold_lanes'
  | 'describe_build'
  | 'next_build'
  | 'outdated_builds'
  | 'forget_build'
  | 'wake_owners'
>(new URL('./builds.sql', import.meta.url));

/** What a person has said of a build. */
export interface BuildWishes {
  readonly switching: Switching;
  readonly shards: number | null;
  readonly ceiling: number | null;
  readonly by: string | null;
  readonly reason: string | null;
}

const nobodysWishes: BuildWishes = {
  switching: 'automatic',
  shards: null,
  ceiling: null,
  by: null,
  reason: null,
};

/** In the registering transaction: the table, what is known of the build, and for the first one the view. */
export const prepareBuild = (
  definition: ConsumerDefinition,
  consumer: RegisteredConsumer,
  place: Preparation,
): Promise<void> => prepare(definition, consumer, { ...place, wishes: nobodysWishes });

const prepare = async (
  definition: ConsumerDefinition,
  consumer: RegisteredConsumer,
  { client, app, wishes }: Preparation & { readonly wishes: BuildWishes },
): Promise<void> => {
  const projection = definition as FoldingProjection | SqlProjection;
  const relation = buildRelation(consumer.name, consumer.build);
  // Left over from a database whose consumers were deleted by hand: its rows were made from another beginning.
  await client.query(dropTable(relation));
  await makeTable(client, projection, relation);
  const { switching, ceiling, by, reason } = wishes;
  const stage = consumer.state === 'live' ? 'live' : 'filling';
  const values = [consumer.id, stage, switching, consumer.lanes, ceiling, by, reason];
  await run(client, sql.describe_build, values);
  const view: ViewTarget = { schema: app.projectionSchema, name: consumer.name, relation };
  if (consumer.state === 'live') await createView(client, view);
  else await refuseObstacles(client, view);
};

/** The build that is read is seen under its new name, too. The view of the earlier name stays for who still reads it. */
export const renameBuild = async (consumer: Named, { client, app }: Preparation): Promise<void> => {
  if (consumer.state !== 'live') return;
  const relation = await relationOf(client, consumer);
  await createView(client, { schema: app.projectionSchema, name: consumer.name, relation });
};

export interface RebuildOptions {
  readonly services: RunnerServices;
  readonly definition: Projection;
  readonly projectionClass: ConsumerClass;
  readonly wishes: BuildWishes;
}

export interface BegunRebuild {
  readonly build: number;
  readonly shards: number;
  /** Why it is filled by one lane only, where somebody may wonder. */
  readonly because: string | null;
}

/** Registers a further build beside the live one; whoever takes its lanes fills it from the beginning. */
export const beginRebuild = async ({
  services,
  definition,
  projectionClass,
  wishes,
}: RebuildOptions): Promise<BegunRebuild> => {
  const { consumer, app, database } = services;
  const { value } = await engineTransaction(database.operations, async (client) => {
    const [row] = await run(client, sql.next_build, [consumer.name]);
    if (row?.['under_way'] != null)
      throw new FactlineError('PROJECTION_REBUILD_UNDER_WAY', { projection: consumer.name });
    const build = Number(row?.['next']);
    const shards = shardsFor(definition, { head: Number(row?.['head']), wanted: wishes.shards });
    const prepared: ConsumerClass = {
      ...projectionClass,
      prepare: (made, registered, place) => prepare(made, registered, { ...place, wishes }),
    };
    const classes = { projection: prepared, operational: projectionClass };
    const made = { definition, app, classes, name: consumer.name, build, state: 'building' as const };
    await insertConsumer(client, { ...made, lanes: shards });
    const because = isShardable(definition) ? null : 'its rows are not keyed by the key of its events';
    return { build, shards, because };
  });
  return value;
};

/**
 * Takes a build away: its table, its rows and everything else that is kept for it, in the caller's transaction. What is
 * under way for it commits before, or is refused after.
 * @throws FactlineError PROJECTION_BUILD_UNKNOWN, PROJECTION_RETIRE_REFUSED for the build that is read, PROJECTION_BUSY
 */
export const retireBuild = async (
  client: pg.PoolClient,
  { names, build }: { readonly names: readonly string[]; readonly build: number },
): Promise<Build> => {
  await client.query(sql.lock_timeout.text);
  await run(client, sql.lock_builds, [names]);
  const all = await readBuilds(client, names);
  const found = all.find((each) => each.build === build);
  const projection = names[0];
  if (found === undefined) {
    const known = all.map((each) => each.build).join(', ') || 'none';
    throw new FactlineError('PROJECTION_BUILD_UNKNOWN', { projection, build, known });
  }
  if (found.stage === 'live') throw refuseRetiring(found, 'readers see it');
  try {
    await run(client, sql.hold_lanes, [found.id]);
    await client.query(dropTable(await relationOf(client, found)));
  } catch (error) {
    if (sqlState(error) === lockNotAvailable) {
      const reason = 'a transaction holds its table or its lanes';
      throw new FactlineError('PROJECTION_BUSY', { projection, build, reason }, { cause: error });
    }
    if (sqlState(error) === '2BP01') throw refuseRetiring(found, (error as Error).message, error);
    throw error;
  }
  await run(client, sql.forget_build, [found.id]);
  await run(client, sql.wake_owners, [String(found.id)]);
  return found;
};

const refuseRetiring = (build: Build, reason: string, cause?: unknown): FactlineError =>
  new FactlineError(
    'PROJECTION_RETIRE_REFUSED',
    { projection: build.name, build: build.build, reason },
    { cause },
  );

/** Drops the tables of builds that nobody needs any more; one that is being read is left for the next time. */
export const dropOutdated = async (database: Database, consumer: RegisteredConsumer): Promise<void> => {
  for (const row of await run(database.operations, sql.outdated_builds, [consumer.name, consumer.build])) {
    await engineTransaction(database.operations, async (client) => {
      await client.query(sql.lock_timeout.text);
      await client.query(dropTable(String(row['relation'])));
      await run(client, sql.forget_build, [row['id']]);
    });
  }
};
