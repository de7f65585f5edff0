import type { WorkloadName } from './workload.ts';

/** A workload with its sizes; `quick` is for a look, not for a claim. */
export interface PlannedWorkload {
  /** Unique; shown, and chosen with --only. */
  readonly name: string;
  readonly workload: WorkloadName;
  readonly what: string;
  readonly size: Readonly<Record<string, number>>;
  readonly quick: Readonly<Record<string, number>>;
  readonly rounds: number;
  /** Only these contenders; default: everybody who does the workload. */
  readonly only?: readonly string[];
}

const ours = ['floor', 'factline'];
/** Events at random moments, at a rate that leaves the machine idle in between. */
const steadily = {
  size: { perSecond: 200, seconds: 20 },
  quick: { perSecond: 200, seconds: 5 },
  rounds: 3,
};

export const plan: readonly PlannedWorkload[] = [
  ...[1, 8, 32].map((clients) => ({
    name: `publish-${clients}`,
    workload: 'publish' as const,
    what: `one event inside a transaction that also updates one business row, ${clients} clients`,
    size: { clients, seconds: 6 },
    quick: { clients, seconds: 2 },
    rounds: 5,
  })),
  {
    name: 'drain',
    workload: 'drain',
    what: 'waiting events into a read model, exactly once',
    size: { events: 200_000 },
    quick: { events: 50_000 },
    rounds: 5,
  },
  {
    name: 'drain-small',
    workload: 'drain',
    what: 'the same with few waiting',
    size: { events: 20_000 },
    quick: { events: 20_000 },
    rounds: 5,
    only: ours,
  },
  {
    name: 'drain-large',
    workload: 'drain',
    what: 'the same with many waiting',
    size: { events: 2_000_000 },
    quick: { events: 200_000 },
    rounds: 1,
    only: ours,
  },
  {
    name: 'drain-statement',
    workload: 'drain-statement',
    what: 'the same with one statement per event in the batch’s transaction',
    size: { events: 20_000 },
    quick: { events: 5_000 },
    rounds: 5,
  },
  {
    name: 'rebuild',
    workload: 'rebuild',
    what: 'a read model made anew beside the one that is read, until readers see it; the floor fills its table in order, 500 a transaction',
    size: { events: 1_000_000 },
    quick: { events: 200_000 },
    rounds: 3,
    only: ours,
  },
  {
    name: 'rebuild-sharded',
    workload: 'rebuild-sharded',
    what: 'the same over lanes side by side',
    size: { events: 1_000_000 },
    quick: { events: 200_000 },
    rounds: 3,
    only: ours,
  },
  {
    name: 'operational',
    workload: 'operational',
    what: 'a handler with a transaction of its own per event, concurrency 10',
    size: { events: 20_000, concurrency: 10 },
    quick: { events: 5_000, concurrency: 10 },
    rounds: 5,
  },
  {
    name: 'latency',
    workload: 'latency',
    what: 'commit acknowledged → handler entered, 200 events/s',
    ...steadily,
  },
  {
    name: 'latency-across',
    workload: 'latency-across',
    what: 'the same, published by another process',
    ...steadily,
  },
  {
    name: 'idle',
    workload: 'idle',
    what: 'ten consumers, nothing to do',
    size: { settleSeconds: 15, seconds: 20 },
    quick: { settleSeconds: 12, seconds: 8 },
    rounds: 1,
  },
  ...[1, 20, 200].map((clients) => ({
    name: `workflow-${clients}`,
    workload: 'workflow' as const,
    what: `a workflow of three trivial steps from its start to its result, ${clients} at once; the floor commits five times`,
    size: { clients, instances: clients === 1 ? 1_000 : 10_000 },
    quick: { clients, instances: clients === 1 ? 200 : 2_000 },
    rounds: 5,
  })),
  {
    name: 'workflow-start',
    workload: 'workflow-start',
    what: 'commit of an event acknowledged → first step of the workflow that it starts, 200 events/s',
    ...steadily,
  },
  {
    name: 'workflow-asleep',
    workload: 'workflow-asleep',
    what: 'how late instances wake up, while many others sleep',
    size: { instances: 100_000, waking: 2_000 },
    quick: { instances: 5_000, waking: 500 },
    rounds: 1,
  },
];
