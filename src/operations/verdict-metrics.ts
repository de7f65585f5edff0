import type { MetricRegistry } from '../foundation/index.ts';
import type { Verdict, VerdictName } from './verdict.ts';
import { livingStates } from './workflows/index.ts';

const names: readonly VerdictName[] = ['OK', 'LATE', 'STALLED', 'PAUSED', 'UNKNOWN'];
type ConsumerGauge = (typeof gauges)[number][0];

/** What could not be measured is null, and has no series: an alert on absence is right, one on zero would be a lie. */
const gauges = [
  ['factline_lag_seconds', (verdict: Verdict) => verdict.lagSeconds],
  ['factline_handled_within_seconds', (verdict: Verdict) => verdict.handledWithinSeconds],
  ['factline_consumer_unhandled', (verdict: Verdict) => verdict.unhandled],
  ['factline_quarantined', (verdict: Verdict) => verdict.quarantined?.events ?? null],
  ['factline_quarantine_oldest_seconds', (verdict: Verdict) => verdict.quarantined?.oldestSeconds ?? null],
  ['factline_time_to_drain_seconds', (verdict: Verdict) => verdict.timeToDrainSeconds],
  ['factline_time_to_breach_seconds', (verdict: Verdict) => verdict.timeToBreachSeconds],
  ['factline_error_budget_spent', (verdict: Verdict) => verdict.budget?.spent ?? null],
  ['factline_breaker_open', (verdict: Verdict) => (verdict.breaker === null ? 0 : 1)],
  ['factline_workflow_due', (verdict: Verdict) => verdict.workflow?.due.instances ?? null],
  ['factline_workflow_due_oldest_seconds', (verdict: Verdict) => verdict.workflow?.due.oldestSeconds ?? null],
  [
    'factline_workflow_stuck_oldest_seconds',
    (verdict: Verdict) => verdict.workflow?.stuckOldestSeconds ?? null,
  ],
] as const;

/** A projection's build that nobody reads yet has series of its own. */
const labelOf = (verdict: Verdict): string =>
  verdict.state === 'building' ? `${verdict.consumer} (build ${verdict.build})` : verdict.consumer;

/** Writes verdicts into the metrics of a process; series of consumers that are gone disappear. */
export class VerdictMetrics {
  readonly #metrics: MetricRegistry;
  #labels: ReadonlySet<string> = new Set();

  constructor(metrics: MetricRegistry) {
    this.#metrics = metrics;
  }

  report(verdicts: readonly Verdict[]): void {
    const labels = new Set(verdicts.map(labelOf));
    for (const gone of this.#labels) if (!labels.has(gone)) this.#forget(gone);
    this.#labels = labels;
    for (const verdict of verdicts) this.#reportOne(labelOf(verdict), verdict);
    const measured = verdicts.every(({ verdict }) => verdict !== 'UNKNOWN');
    this.#metrics.set('factline_measurement_up', {}, measured ? 1 : 0);
  }

  #reportOne(consumer: string, verdict: Verdict): void {
    for (const [name, read] of gauges) this.#set(name, consumer, read(verdict));
    for (const name of names) {
      if (verdict.verdict === name)
        this.#metrics.set('factline_consumer_verdict', { consumer, verdict: name }, 1);
      else this.#metrics.forget('factline_consumer_verdict', { consumer, verdict: name });
    }
    const parked = { retrying: verdict.retrying, waiting: verdict.waiting };
    for (const [state, count] of Object.entries(parked)) {
      if (count === null) this.#metrics.forget('factline_parked', { consumer, state });
      else this.#metrics.set('factline_parked', { consumer, state }, count);
    }
    for (const state of livingStates) {
      const count = verdict.workflow?.instances[state];
      if (count === undefined) this.#metrics.forget('factline_workflow_living', { consumer, state });
      else this.#metrics.set('factline_workflow_living', { consumer, state }, count);
    }
  }

  #set(name: ConsumerGauge, consumer: string, value: number | null): void {
    if (value === null) this.#metrics.forget(name, { consumer });
    else this.#metrics.set(name, { consumer }, value);
  }

  #forget(consumer: string): void {
    for (const [name] of gauges) this.#metrics.forget(name, { consumer });
    for (const verdict of names) this.#metrics.forget('factline_consumer_verdict', { consumer, verdict });
    for (const state of ['retrying', 'waiting']) this.#metrics.forget('factline_parked', { consumer, state });
    for (const state of livingStates) this.#metrics.forget('factline_workflow_living', { consumer, state });
  }
}
