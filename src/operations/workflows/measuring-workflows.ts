import { loadQueries, type Queryable, type Row, run } from '../../postgres/index.ts';
import type { ConsumerFacts, OldestUnhandled } from '../facts.ts';
import { livingStates } from './instances.ts';
import { isExecutorName, readWorkflows } from './stored-workflows.ts';
import type { DueFacts, LivingState, VersionFacts } from './workflow-facts.ts';

const sql = loadQueries<'count_instances' | 'oldest_stuck' | 'due_instances'>(
  new URL('./standing.sql', import.meta.url),
);

/** Instances counted of each state, and looked at when they are due, per version and measurement. */
const rowsMax = 20_000;

/** What of a version's consumer tells something of its workflow. */
export type ExecutorFacts = Pick<ConsumerFacts, 'id' | 'app' | 'consumer' | 'lanes' | 'paused' | 'breaker'>;

/** Rows NAME@VERSION are versions of NAME: they have no line of their own. */
export const isExecutor = ({ class: name, consumer }: Pick<ConsumerFacts, 'class' | 'consumer'>): boolean =>
  name === 'workflow' && isExecutorName(consumer);

/** Workflows with what their instances do; other consumers as they are. Three statements, none without a workflow. */
export const withWorkflows = async (
  on: Queryable,
  consumers: readonly ConsumerFacts[],
  executors: readonly ExecutorFacts[],
): Promise<ConsumerFacts[]> => {
  if (executors.length === 0) return [...consumers];
  const versions = await measureVersions(on, executors);
  return consumers.map((facts) => {
    if (facts.class !== 'workflow') return facts;
    const own = executors.filter(
      ({ app, consumer }) => app === facts.app && consumer.startsWith(`${facts.consumer}@`),
    );
    const measured = own.flatMap(({ id }) => versions.get(id) ?? []);
    return {
      ...facts,
      workflow: { versions: measured.sort((left, right) => left.version - right.version) },
      oldest: older(facts.oldest, oldestDue(measured, facts.head)),
      paused: facts.paused ?? own.find(({ paused }) => paused !== null)?.paused ?? null,
      breaker: facts.breaker ?? own.find(({ breaker }) => breaker !== null)?.breaker ?? null,
    };
  });
};

const measureVersions = async (
  on: Queryable,
  executors: readonly ExecutorFacts[],
): Promise<ReadonlyMap<number, VersionFacts>> => {
  const ids = executors.map(({ id }) => id);
  const counted = await run(on, sql.count_instances, [ids, rowsMax]);
  const stuck = new Map(
    (await run(on, sql.oldest_stuck, [ids, rowsMax])).map((row) => [
      Number(row['id']),
      Number(row['age_ms']),
    ]),
  );
  const asked = executors.map(({ id, lanes }) => ({ id, lanes: Math.max(1, lanes.length) }));
  const due = Map.groupBy(await run(on, sql.due_instances, [JSON.stringify(asked), rowsMax]), (row) =>
    Number(row['id']),
  );
  return new Map(
    executors.map(({ id, consumer, lanes }) => {
      const counts = new Map(
        counted
          .filter((row) => row['id'] === id)
          .map((row) => [row['state'] as LivingState, Number(row['count'])]),
      );
      const version: VersionFacts = {
        version: Number(consumer.split('@')[1]),
        lanes,
        instances: Object.fromEntries(
          livingStates.map((state) => [state, counts.get(state) ?? 0]),
        ) as VersionFacts['instances'],
        exact: [...counts.values()].every((count) => count < rowsMax),
        stuckMs: stuck.get(id) ?? null,
        due: dueOf(due.get(id) ?? []),
      };
      return [id, version];
    }),
  );
};

/** Rows of lanes, the one with the oldest first. */
const dueOf = (rows: readonly Row[]): DueFacts | null => {
  const [oldest] = rows;
  if (oldest === undefined) return null;
  const ageMs = Number(oldest['age_ms']);
  return {
    instances: rows.reduce((sum, row) => sum + Number(row['due']), 0),
    exact: Number(oldest['looked']) < rowsMax,
    instance: Number(oldest['instance']),
    lane: Number(oldest['lane']),
    ageMs,
    idleMs: Math.min(ageMs, Number(oldest['idle_ms'])),
  };
};

/** Stuck instances of one workflow (none when it is another class's name), or of all. */
export const countStuck = async (on: Queryable, workflow: string | null): Promise<number> => {
  const stored = await readWorkflows(on);
  const meant = stored.filter(({ name }) => workflow === null || name === workflow);
  const ids = meant.flatMap(({ versions }) => versions.map(({ id }) => id));
  if (ids.length === 0) return 0;
  const counted = await run(on, sql.count_instances, [ids, rowsMax]);
  return counted
    .filter((row) => row['state'] === 'stuck')
    .reduce((sum, row) => sum + Number(row['count']), 0);
};

/** A due instance counts like an unhandled event: as old as it is overdue. */
const oldestDue = (versions: readonly VersionFacts[], head: number): OldestUnhandled | null =>
  versions.reduce<OldestUnhandled | null>((oldest, { due }) => {
    if (due === null) return oldest;
    const { instance, lane, ageMs, idleMs } = due;
    return older(oldest, { where: 'instance', instance, position: head, lane, ageMs, idleMs, exact: true });
  }, null);

const older = (left: OldestUnhandled | null, right: OldestUnhandled | null): OldestUnhandled | null => {
  if (left === null || right === null) return left ?? right;
  return right.ageMs > left.ageMs ? right : left;
};
