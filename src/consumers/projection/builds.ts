/**
 * The builds of a projection. Each is a consumer of its own with a table of its own; the view shows the live one.
 *
 *   (registered: first build)──────────────► live ──(a later build takes its place)──► retired, table dropped
 *   (a rebuild, or a raised version)► building ──(caught up: the switch)──► live
 *
 * The switch is one transaction: both lanes are held, the later build stands at or beyond the earlier one, the view is
 * moved and the states change. Before it nothing is seen of the later build; a crash at any place leaves either the
 * old or the new state. A build of an older version that older code still feeds goes back to `building` (fed, not read)
 * and is retired when no process declares it any more.
 */
import type pg from 'pg';
import { FactlineError } from '../../foundation/index.ts';
import {
  type Database,
  engineTransaction,
  explain,
  loadQueries,
  type Queryable,
  run,
} from '../../postgres/index.ts';
import type { ConsumerClass, Preparation } from '../consumer-class.ts';
import type { ConsumerDefinition } from '../definition.ts';
import { insertConsumer } from '../registration/register.ts';
import type { LaneLease, RegisteredConsumer, RunnerServices } from '../runner.ts';
import type { FoldingProjection, Projection } from './definition.ts';
import { OpenProjectionTx } from './projection-tx.ts';
import type { SqlProjection } from './sql-definition.ts';
import { buildRelation, createTable, dropTable, qualifiedTable, type ViewTarget } from './statements.ts';
import { createView, moveView, refuseObstacles } from './views.ts';

const sql = loadQueries<
  | 'relation_of'
  | 'lock_timeout'
  | 'hold_lane'
  | 'live_build'
  | 'hold_back'
  | 'unread_build'
  | 'take_away'
  | 'read_build'
  | 'next_build'
  | 'outdated_builds'
  | 'forget_build'
  | 'wake_owners'
>(new URL('./builds.sql', import.meta.url));

/** In the registering transaction: the table, and for the first build the view. */
export const prepareBuild = async (
  definition: ConsumerDefinition,
  consumer: RegisteredConsumer,
  { client, app }: Preparation,
): Promise<void> => {
  const projection = definition as FoldingProjection | SqlProjection;
  const relation = buildRelation(consumer.name, consumer.build);
  // Left over from a database whose consumers were deleted by hand: its rows were made from another beginning.
  await client.query(dropTable(relation));
  if (projection.form === 'fold') {
    for (const text of createTable(projection.table, relation)) await client.query(text);
  } else {
    const tx = new OpenProjectionTx(qualifiedTable(relation));
    await tx.use(client, (open) => projection.create(open));
  }
  const view: ViewTarget = { schema: app.projectionSchema, name: consumer.name, relation };
  if (consumer.state === 'live') await createView(client, view);
  else await refuseObstacles(client, view);
};

/** The table of a build, under whatever name it was made. @throws FactlineError PROJECTION_TABLE_MISSING */
export const relationOf = async (
  on: Queryable,
  consumer: { id: number; name: string; build: number },
): Promise<string> => {
  const [row] = await run(on, sql.relation_of, [consumer.id]);
  if (row !== undefined) return String(row['relation']);
  throw new FactlineError('PROJECTION_TABLE_MISSING', {
    projection: consumer.name,
    table: `factline.${buildRelation(consumer.name, consumer.build)}`,
  });
};

export interface BuildOfLane {
  readonly definition: Projection;
  readonly relation: string;
  readonly lease: LaneLease;
  /** The checkpoint, as it is committed. */
  readonly position: number;
}

export type SwitchOutcome = 'switched' | 'behind' | 'superseded';

/** Makes this build the one that is read, if it has caught up with the one that is read now. */
export const switchBuild = async (services: RunnerServices, build: BuildOfLane): Promise<SwitchOutcome> => {
  const { database, consumer, app } = services;
  const { definition, lease, relation } = build;
  try {
    const { value } = await engineTransaction(database.operations, async (client) => {
      await client.query(sql.lock_timeout.text);
      await run(client, sql.hold_lane, [lease.consumerId, lease.lane, lease.token]);
      const names = [definition.name, ...definition.formerly];
      const [live] = await run(client, sql.live_build, [names, consumer.id]);
      if (live !== undefined) {
        if (Number(live['build']) > consumer.build) return 'superseded';
        const [held] = await run(client, sql.hold_back, [live['id']]);
        if (held !== undefined && Number(held['position']) > build.position) return 'behind';
        await retire(client, live, consumer.version);
      }
      await moveView(client, { schema: app.projectionSchema, name: consumer.name, relation });
      await run(client, sql.read_build, [consumer.id]);
      await run(client, sql.wake_owners, [String(consumer.id)]);
      return 'switched';
    });
    return value;
  } catch (error) {
    throw explain(error);
  }
};

const retire = async (
  client: pg.ClientBase,
  live: Readonly<Record<string, unknown>>,
  version: number,
): Promise<void> => {
  const sameVersion = Number(live['version']) === version;
  await run(client, sql.unread_build, [live['id'], sameVersion ? 'retired' : 'building']);
  if (sameVersion) await run(client, sql.take_away, [live['id']]);
};

export interface RebuildOptions {
  readonly services: RunnerServices;
  readonly definition: Projection;
  readonly projectionClass: ConsumerClass;
}

/** Registers a further build beside the live one; whoever takes its lane fills it from the beginning. */
export const beginRebuild = async ({
  services,
  definition,
  projectionClass,
}: RebuildOptions): Promise<number> => {
  const { consumer, app, database } = services;
  const { value } = await engineTransaction(database.operations, async (client) => {
    const [row] = await run(client, sql.next_build, [consumer.name]);
    if (row?.['under_way'] === true)
      throw new FactlineError('PROJECTION_REBUILD_UNDER_WAY', { projection: consumer.name });
    const build = Number(row?.['next']);
    const classes = { projection: projectionClass, operational: projectionClass };
    const made = { definition, app, classes, name: consumer.name, build, state: 'building' as const };
    await insertConsumer(client, made);
    return build;
  });
  return value;
};

/** Drops the tables of builds that nobody feeds any more; one that is being read is left for the next time. */
export const dropOutdated = async (database: Database, consumer: RegisteredConsumer): Promise<void> => {
  for (const row of await run(database.operations, sql.outdated_builds, [consumer.name, consumer.build])) {
    await engineTransaction(database.operations, async (client) => {
      await client.query(sql.lock_timeout.text);
      await client.query(dropTable(buildRelation(String(row['name']), Number(row['build']))));
      await run(client, sql.forget_build, [row['id']]);
    });
  }
};
