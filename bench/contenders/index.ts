import type { Workload, WorkloadName } from '../harness/workload.ts';
import type { OpenMessaging } from './latency.ts';

export type Workloads = Partial<Record<WorkloadName, Workload>>;

/** What a contender's file exports. */
export interface ContenderModule {
  readonly workloads: Workloads;
  /** Needed by `latency-across`: its publisher runs in another process. */
  readonly open?: OpenMessaging;
}

export interface Contender {
  /** Loaded in the run's own process only: some peers change what they import for the whole process. */
  load(): Promise<ContenderModule>;
  readonly does: readonly WorkloadName[];
}

const peer = (name: string, does: readonly WorkloadName[]): Contender => ({
  // Behind a variable, because the type check does not know the peers: they are installed by `npm run bench` only.
  load: async () => (await import(new URL(`../peers/${name}.ts`, import.meta.url).href)) as ContenderModule,
  does,
});

const everything: readonly WorkloadName[] = [
  'publish',
  'drain',
  'drain-statement',
  'operational',
  'latency',
  'latency-across',
  'idle',
];
/** Only Factline makes a read model anew beside the one that is read; the floor fills another table. */
const ours: readonly WorkloadName[] = [...everything, 'rebuild', 'rebuild-sharded', 'workflow'];
const without = (...names: WorkloadName[]): readonly WorkloadName[] =>
  everything.filter((name) => !names.includes(name));

/** The hand-written floors, Factline, and the peers, each with what it honestly offers: see README.md. */
export const contenders: Readonly<Record<string, Contender>> = {
  floor: { load: () => import('./floor.ts'), does: ours },
  factline: { load: () => import('./factline.ts'), does: [...ours, 'workflow-start', 'workflow-asleep'] },
  'pg-boss': peer('pg-boss', everything),
  // No batches: each job is a handler call of its own, so there is no drain of several events in one transaction.
  'graphile-worker': peer('graphile-worker', without('drain-statement')),
  emmett: peer('emmett', without('operational')),
  dbos: peer('dbos', [...without('drain-statement'), 'workflow']),
  // No publishing in the user's transaction.
  bullmq: peer('bullmq', without('publish', 'drain-statement')),
  'pg-transactional-outbox': peer('pg-transactional-outbox', without('drain', 'drain-statement')),
};
