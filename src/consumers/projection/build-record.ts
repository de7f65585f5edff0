import { loadQueries, type Queryable, run } from '../../postgres/index.ts';
import type { ConsumerState } from '../runner.ts';
import { type BuildStage, stagesBefore, stateOfStage } from './build-stage.ts';
import type { Comparison } from './comparison.ts';

const sql = loadQueries<'builds_of' | 'enter_stage' | 'note_obstacle'>(
  new URL('./builds.sql', import.meta.url),
);

/** Who moves the view to a build once nothing speaks against it. */
export type Switching = 'automatic' | 'manual';

/** One build of a projection, as it is stored. */
export interface Build {
  readonly id: number;
  readonly app: string;
  readonly name: string;
  readonly formerNames: readonly string[];
  readonly version: number;
  readonly build: number;
  readonly state: ConsumerState;
  readonly stage: BuildStage;
  readonly switching: Switching;
  /** Into how many lanes its keys were split when it was begun, and are now. */
  readonly shards: number;
  readonly lanes: number;
  readonly types: readonly string[];
  /** Events a second and process at most, while it is filled; null: as many as live consumers bear. */
  readonly ceiling: number | null;
  /** Why it is not read yet. */
  readonly obstacle: string | null;
  readonly finding: Comparison | null;
  readonly startedBy: string | null;
  readonly reason: string | null;
  readonly startedAt: string;
  readonly ageMs: number;
  readonly startPosition: number;
  /** Where the slowest of its lanes stands, and where they stand on average. */
  readonly position: number;
  readonly meanPosition: number;
  /** The last position of the log. */
  readonly head: number;
  /** A living process works it. */
  readonly fed: boolean;
}

/** The builds that are not retired, of one projection (by any of its names) or of all, oldest first. */
export const readBuilds = async (on: Queryable, names: readonly string[] | null): Promise<Build[]> =>
  (await run(on, sql.builds_of, [names])).map((row) => ({
    id: Number(row['id']),
    app: String(row['app']),
    name: String(row['name']),
    formerNames: row['former_names'] as string[],
    version: Number(row['version']),
    build: Number(row['build']),
    state: row['state'] as ConsumerState,
    stage: row['stage'] as BuildStage,
    switching: row['switching'] as Switching,
    shards: Number(row['shards']),
    lanes: Number(row['lanes']),
    types: row['types'] as string[],
    ceiling: row['ceiling'] === null ? null : Number(row['ceiling']),
    obstacle: row['obstacle'] as string | null,
    finding: row['finding'] as Comparison | null,
    startedBy: row['started_by'] as string | null,
    reason: row['reason'] as string | null,
    startedAt: String(row['started_at']),
    ageMs: Number(row['age_ms']),
    startPosition: Number(row['start_position']),
    position: Number(row['position']),
    meanPosition: Number(row['mean_position']),
    head: Number(row['head']),
    fed: row['fed'] === true,
  }));

export interface StageEntry {
  readonly stage: BuildStage;
  readonly obstacle?: string;
  readonly finding?: Comparison;
}

/** False when the build stands where this stage does not follow: somebody else was quicker. */
export const enterStage = async (on: Queryable, id: number, entry: StageEntry): Promise<boolean> => {
  const { stage, obstacle = null, finding = null } = entry;
  const values = [id, stage, stateOfStage(stage), stagesBefore(stage), obstacle];
  const rows = await run(on, sql.enter_stage, [...values, finding === null ? null : JSON.stringify(finding)]);
  return rows.length > 0;
};

export const noteObstacle = async (on: Queryable, id: number, obstacle: string | null): Promise<void> => {
  await run(on, sql.note_obstacle, [id, obstacle]);
};
