/** What one contender is asked to do in one run, in a process and a database of its own. */
export interface RunRequest {
  readonly contender: string;
  readonly workload: WorkloadName;
  readonly databaseUrl: string;
  /** Sizes of the run: clients, events, seconds … */
  readonly size: Readonly<Record<string, number>>;
}

export type WorkloadName =
  | 'publish'
  | 'drain'
  | 'drain-statement'
  | 'rebuild'
  | 'rebuild-sharded'
  | 'operational'
  | 'latency'
  | 'latency-across'
  | 'idle'
  | 'workflow'
  | 'workflow-start'
  | 'workflow-asleep';

/** What a contender reports of one run; times in milliseconds. */
export interface RunReport {
  /** Things done in the measured time: transactions, events. */
  readonly done: number;
  readonly elapsedMs: number;
  /** Of each thing, where latency is what is measured. */
  readonly latenciesMs?: readonly number[];
  /** Expected and not found, found more than once: must be 0. */
  readonly lost: number;
  readonly doubled: number;
  /** Workload `idle`: connections held. */
  readonly connections?: number;
  /** Workload `workflow-asleep`: what the instances that sleep cost, beside what an app without them does. */
  readonly asleep?: { readonly memoryMb: number; readonly statementsPerSecond: number };
  /** Processor time of further client processes in the measured part. */
  readonly otherProcessorMs?: number;
  /** The highest resident memory of the run's process, in MB. */
  readonly memoryMb?: number;
  /** What a reader must know: settings, versions. */
  readonly notes?: readonly string[];
}

/** One contender's way to do a workload. It marks the measured part with `measure`. */
export type Workload = (context: RunContext) => Promise<RunReport>;

export interface RunContext {
  readonly databaseUrl: string;
  readonly size: Readonly<Record<string, number>>;
  /** Runs the part whose processor time and statements count, and answers how long it took. */
  measure(work: () => Promise<void>): Promise<number>;
}

/** A size that the workload can't do without. */
export const sizeOf = (
  context: { readonly size: Readonly<Record<string, number>> },
  name: string,
): number => {
  const value = context.size[name];
  if (value === undefined) throw new RangeError(`the size ${name} is missing`);
  return value;
};
