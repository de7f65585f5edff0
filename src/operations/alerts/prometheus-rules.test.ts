import { describe, expect, it } from 'vitest';
import { MetricRegistry } from '../../foundation/index.ts';
import { type MetricEntry, type MetricName, metrics } from '../../foundation/telemetry-catalogue.ts';
import { burnRules } from '../burn-rate.ts';
import { prometheusRules } from './prometheus-rules.ts';

const payment = {
  name: 'payment',
  owner: 'billing',
  slo: { handledWithin: '30s', errorBudget: 0.001 },
} as const;
const expressions = (text: string): string[] =>
  [...text.matchAll(/^ {8}expr: (".*")$/gm)].map(([, json = '']) => JSON.parse(json) as string);

describe('the rules for Prometheus', () => {
  it('depend on the declarations alone, not on their order', () => {
    const mail = { name: 'mail' } as const;
    expect(prometheusRules([mail, payment])).toBe(prometheusRules([payment, mail]));
    expect(prometheusRules([])).not.toContain('burn');
  });

  it('are those that Factline evaluates itself: each rule with both windows, against the declared budget', () => {
    const [fast] = expressions(prometheusRules([payment])).filter((each) => each.includes('slo'));
    const side = (window: string): string =>
      `sum(increase(factline_slo_failed_total{consumer="payment"}[${window}])) / sum(increase(factline_slo_events_total{consumer="payment"}[${window}])) >= 0.0144`;
    expect(fast).toBe(`${side('1h')} and ${side('5m')}`);
    expect(
      expressions(prometheusRules([payment, { name: 'mail' }])).filter((each) => each.includes('slo')),
    ).toHaveLength(2 * burnRules.length);
    expect(
      expressions(prometheusRules([{ name: 'mail', slo: { handledWithin: '1m', errorBudget: 0 } }])).at(-1),
    ).toContain('> 0 and');
  });

  it('name only metrics and labels of the catalogue, and are balanced', () => {
    for (const expression of expressions(prometheusRules([payment]))) {
      for (const [name = ''] of expression.matchAll(/factline_\w+/g))
        expect(Object.keys(metrics)).toContain(name);
      for (const [, name = '', labels = ''] of expression.matchAll(/(factline_\w+)\{([^}]*)\}/g)) {
        for (const [, label] of labels.matchAll(/(\w+)=/g))
          expect(metrics[name as MetricName].labels).toContain(label);
      }
      for (const [open, close] of ['()', '{}', '[]'])
        expect(expression.split(open ?? '').length).toBe(expression.split(close ?? '').length);
    }
  });

  it('quote what a name may hold', () => {
    const [, line = ''] = /expr: (".*failed.*")/.exec(prometheusRules([{ name: 'a"b\\c' }])) ?? [];
    expect(JSON.parse(line)).toContain('{consumer="a\\"b\\\\c"}');
  });
});

/** Every label whose values are not the consumers' names: all that code may give it. */
const values: Readonly<Record<string, readonly string[]>> = {
  // Only the present one has a series.
  'factline_consumer_verdict.verdict': ['OK'],
  'factline_effects_total.outcome': ['done', 'reused', 'failed', 'unknown'],
  'factline_handle_attempts_total.outcome': [
    'handled',
    'transient',
    'unclassified',
    'permanent',
    'poison',
    'timeout',
    'lost',
  ],
  'factline_parked.state': ['retrying', 'waiting'],
  'factline_replay_events_total.outcome': ['handled', 'retried', 'failed'],
  'factline_workflow_instances_total.state': ['waiting', 'completed', 'failed', 'cancelled', 'stuck'],
  'factline_workflow_living.state': ['queued', 'running', 'waiting', 'compensating', 'stuck'],
};
/** What happens to a consumer that does well. */
const everyDay = new Set([
  'OK',
  'done',
  'handled',
  'transient',
  'retrying',
  'waiting',
  'completed',
  'queued',
  'running',
  'compensating',
  'stuck',
]);
/** Absent as long as nothing is in quarantine, stuck, lost or about to break its promise. */
const rare = new Set([
  'factline_leases_lost_total',
  'factline_quarantine_oldest_seconds',
  'factline_time_to_breach_seconds',
  'factline_workflow_stuck_oldest_seconds',
]);
/** Of the fifty. They have instances; effects and replays are not theirs. */
const workflows = 10;
const isOf = (index: number, metric: string): boolean =>
  metric.startsWith('factline_workflow_')
    ? index < workflows
    : index >= workflows || !/^factline_(effects|replay)/.test(metric);

/** Lines of /metrics for a fleet of fifty consumers: each is a series to Prometheus, every bucket of a histogram too. */
const seriesOf = (kept: (value: string, metric: string) => boolean): number => {
  const registry = new MetricRegistry();
  for (const [name, entry] of Object.entries(metrics) as [MetricName, MetricEntry][]) {
    const subject = entry.labels.find((label) => label === 'consumer' || label === 'workflow');
    if (subject === undefined) continue;
    const [other] = entry.labels.filter((label) => label !== subject);
    const all = other === undefined ? [''] : (values[`${name}.${other}`] ?? []);
    for (let index = 0; index < 50; index += 1) {
      if (!isOf(index, name)) continue;
      for (const value of all.filter((each) => kept(each, name))) {
        const labels = { [subject]: `consumer-${index}`, ...(other === undefined ? {} : { [other]: value }) };
        if (entry.type === 'histogram') registry.observe(name as never, labels as never, 0.01);
        else registry.set(name as never, labels as never, 1);
      }
    }
  }
  return registry
    .renderPrometheus()
    .split('\n')
    .filter((line) => line.startsWith('factline_')).length;
};

describe('the series of a fleet of fifty consumers', () => {
  it('have only labels whose values are bounded: never an id or a key', () => {
    const bounded = new Set([
      'consumer',
      'type',
      'receiver',
      'event',
      'reason',
      'pool',
      'state',
      'verdict',
      'outcome',
      'workflow',
    ]);
    for (const [name, { labels }] of Object.entries(metrics) as [MetricName, MetricEntry][]) {
      for (const label of labels) {
        expect(bounded, `${name}{${label}}`).toContain(label);
        if (labels.includes('consumer') && label !== 'consumer')
          expect(values, name).toHaveProperty([`${name}.${label}`]);
      }
    }
  });

  it('are at most 2,000 in everyday operation, buckets counted, and 2,650 when everything has happened to every consumer', () => {
    const calm = seriesOf(
      (value, metric) =>
        !rare.has(metric) && (value === '' || (everyDay.has(value) && !metric.includes('replay'))),
    );
    expect(calm).toBeLessThanOrEqual(2_000);
    expect(seriesOf(() => true)).toBeLessThanOrEqual(2_650);
  });
});
