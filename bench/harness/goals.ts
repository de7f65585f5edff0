import { stepsPerWorkflow } from '../contenders/workflow-load.ts';
import type { Run } from './run.ts';
import { median, quantile } from './statistics.ts';

/** The goals of the project: each is a figure of one run of the whole benchmark. */
export interface Goal {
  readonly name: string;
  readonly value: number;
  readonly goal: string;
  readonly met: boolean;
}

const of = (runs: readonly Run[], plan: string, contender: string): Run[] =>
  runs.filter((run) => run.plan === plan && run.contender === contender);

/** The median over rounds of the ratio within a round: what disturbs the machine disturbs both. */
const ratio = (runs: readonly Run[], plan: string): number => {
  const floors = of(runs, plan, 'floor');
  const ours = of(runs, plan, 'factline');
  const ratios = ours.flatMap((run) => {
    const floor = floors.find(({ round }) => round === run.round);
    return floor === undefined ? [] : [run.perSecond / floor.perSecond];
  });
  return median(ratios);
};

const atLeast = (name: string, value: number, bound: number): Goal => ({
  name,
  value,
  goal: `≥ ${bound}`,
  met: value >= bound,
});
const atMost = (name: string, value: number, bound: number): Goal => ({
  name,
  value,
  goal: `≤ ${bound}`,
  met: value <= bound,
});

const memoryOf = (run: Run): number => run.memoryMb ?? Number.NaN;

const medianQuantile = (runs: readonly Run[], share: number): number =>
  median(runs.map((run) => quantile(run.latenciesMs ?? [], share)));

const workflowGoals = (runs: readonly Run[]): Goal[] => {
  const goals: Goal[] = [];
  const ours = (plan: string): Run[] => of(runs, plan, 'factline');
  for (const [clients, bound] of [
    [20, 0.7],
    [200, 1],
  ] as const)
    if (ours(`workflow-${clients}`).length > 0 && of(runs, `workflow-${clients}`, 'floor').length > 0)
      goals.push(
        atLeast(`workflows, ${clients} at once: rate to floor`, ratio(runs, `workflow-${clients}`), bound),
      );
  const one = ours('workflow-1');
  if (one.length > 0) {
    goals.push(atMost('workflow, one at a time, p50 (ms)', medianQuantile(one, 0.5), 4));
    const each = median(one.map(({ statementsPerDone }) => statementsPerDone)) / stepsPerWorkflow;
    goals.push(atMost('workflow: statements a step', each, 2));
  }
  const starts = ours('workflow-start');
  if (starts.length > 0) {
    goals.push(atMost('workflow start by event, p50 (ms)', medianQuantile(starts, 0.5), 3));
    goals.push(atMost('workflow start by event, p99 (ms)', medianQuantile(starts, 0.99), 15));
  }
  const asleep = ours('workflow-asleep');
  const [first] = asleep;
  if (first?.asleep !== undefined) {
    goals.push(atMost('workflows asleep: memory for all of them (MB)', first.asleep.memoryMb, 5));
    goals.push(atMost('workflows asleep: statements a second more', first.asleep.statementsPerSecond, 0.2));
    goals.push(atMost('workflows asleep: woken late, p99 (ms)', medianQuantile(asleep, 0.99), 1_000));
  }
  return goals;
};

export const judge = (runs: readonly Run[]): Goal[] => {
  const goals: Goal[] = [];
  const has = (plan: string): boolean =>
    of(runs, plan, 'factline').length > 0 && of(runs, plan, 'floor').length > 0;
  for (const clients of [1, 8, 32]) {
    if (has(`publish-${clients}`))
      goals.push(
        atLeast(`publish, ${clients} clients: rate to floor`, ratio(runs, `publish-${clients}`), 0.95),
      );
  }
  if (has('drain')) goals.push(atLeast('drain: rate to floor', ratio(runs, 'drain'), 0.8));
  if (has('drain-small') && has('drain-large')) {
    const rate = (plan: string): number =>
      median(of(runs, plan, 'factline').map(({ perSecond }) => perSecond));
    goals.push(
      atLeast('drain: rate at many waiting to rate at few', rate('drain-large') / rate('drain-small'), 0.9),
    );
  }
  const large = of(runs, 'drain-large', 'factline');
  if (large.length > 0)
    goals.push(
      // Two million events would take more than this if they were held.
      atMost('drain: highest memory with many waiting (MB)', Math.max(...large.map(memoryOf)), 512),
    );
  if (has('drain-statement'))
    goals.push(atLeast('drain, one statement per event: rate to floor', ratio(runs, 'drain-statement'), 0.9));
  if (has('rebuild')) goals.push(atLeast('rebuild in order: rate to floor', ratio(runs, 'rebuild'), 0.8));
  if (has('rebuild-sharded'))
    goals.push(atLeast('rebuild over lanes: rate to floor', ratio(runs, 'rebuild-sharded'), 1.2));
  if (has('operational')) goals.push(atLeast('operational: rate to floor', ratio(runs, 'operational'), 0.85));
  const latencies = of(runs, 'latency', 'factline');
  if (latencies.length > 0) {
    goals.push(
      atMost(
        'latency in the process, p50 (ms)',
        median(latencies.map((run) => quantile(run.latenciesMs ?? [], 0.5))),
        1,
      ),
    );
    goals.push(
      atMost(
        'latency in the process, p99 (ms)',
        median(latencies.map((run) => quantile(run.latenciesMs ?? [], 0.99))),
        5,
      ),
    );
  }
  const acrossLatencies = of(runs, 'latency-across', 'factline');
  if (acrossLatencies.length > 0) {
    goals.push(
      atMost(
        'latency across processes, p50 (ms)',
        median(acrossLatencies.map((run) => quantile(run.latenciesMs ?? [], 0.5))),
        3,
      ),
    );
    goals.push(
      atMost(
        'latency across processes, p99 (ms)',
        median(acrossLatencies.map((run) => quantile(run.latenciesMs ?? [], 0.99))),
        12,
      ),
    );
  }
  const idle = of(runs, 'idle', 'factline');
  if (idle.length > 0) {
    goals.push(atMost('idle: statements a second', median(idle.map((run) => run.statementsPerSecond)), 2));
    goals.push(atMost('idle: connections', median(idle.map((run) => run.connections ?? Number.NaN)), 4));
  }
  goals.push(...workflowGoals(runs));
  const all = runs.filter(({ contender }) => contender === 'factline');
  goals.push(
    atMost(
      'events lost or doubled in all runs',
      all.reduce((sum, run) => sum + run.lost + run.doubled, 0),
      0,
    ),
  );
  return goals;
};
