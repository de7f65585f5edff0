import type { Workload, WorkloadName } from '../harness/workload.ts';

export type Workloads = Partial<Record<WorkloadName, Workload>>;

export interface Contender {
  /** Loaded in the run's own process only: some peers change what they import for the whole process. */
  load(): Promise<Workloads>;
  readonly does: readonly WorkloadName[];
}

const peer = (file: string, does: readonly WorkloadName[]): Contender => ({
  // Behind a variable, because the type check does not know the peers: they are installed by `npm run bench` only.
  load: async () =>
    ((await import(new URL(`../peers/${file}.ts`, import.meta.url).href)) as { workloads: Workloads })
      .workloads,
  does,
});

/** The hand-written floors, Factline, and the peers. */
export const contenders: Readonly<Record<string, Contender>> = {
  floor: {
    load: async () => (await import('./floor.ts')).workloads,
    does: ['publish', 'drain', 'drain-statement', 'operational', 'latency', 'idle'],
  },
  factline: {
    load: async () => (await import('./factline.ts')).workloads,
    does: ['publish', 'drain', 'drain-statement', 'operational', 'latency', 'idle'],
  },
  'pg-boss': peer('pg-boss', ['publish', 'drain', 'latency', 'idle']),
  'graphile-worker': peer('graphile-worker', ['publish', 'drain', 'operational', 'latency', 'idle']),
  emmett: peer('emmett', ['publish', 'drain', 'latency', 'idle']),
  dbos: peer('dbos', ['publish', 'drain', 'idle']),
  'pg-transactional-outbox': peer('pg-transactional-outbox', ['publish', 'idle']),
};
