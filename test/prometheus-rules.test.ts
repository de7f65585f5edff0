import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTelemetry } from '../src/foundation/index.ts';
import { prometheusRules } from '../src/operations/index.ts';
import { type Firing, startPrometheus } from './prometheus-server.ts';
import { findPrometheus, type Prometheus } from './promtool.ts';

const run = promisify(execFile);

const rules = prometheusRules([
  { name: 'payment', owner: 'billing', slo: { handledWithin: '30s', errorBudget: 0.01 } },
  { name: 'mail', slo: { handledWithin: '5m', errorBudget: 0 } },
]);

interface Scenario {
  readonly name: string;
  /** `series: values`, one a minute, in promtool's notation. */
  readonly series: Readonly<Record<string, string>>;
  /** Minutes → alerts that fire then, as `alert rule` or `alert consumer`. */
  readonly expected: readonly {
    readonly at: string;
    readonly alert: string;
    readonly labels: readonly string[];
  }[];
}

const up = { 'factline_measurement_up{instance="a"}': '1x600' };
const events = (instance: string, perMinute: number): Record<string, string> => ({
  [`factline_slo_events_total{consumer="payment",instance="${instance}"}`]: `0+${perMinute}x600`,
});
const failed = (instance: string, values: string): Record<string, string> => ({
  [`factline_slo_failed_total{consumer="payment",instance="${instance}"}`]: values,
});

const scenarios: readonly Scenario[] = [
  {
    name: 'burns fast: 16 % fail in two processes together, from the beginning on and for an hour',
    series: {
      ...up,
      ...events('a', 50),
      ...events('b', 50),
      ...failed('a', '0+16x60 960x540'),
      ...failed('b', '0x600'),
    },
    expected: [
      { at: '60m', alert: 'FactlineErrorBudgetBurn', labels: ['14.4x', '6x', '3x', '1x'] },
      // The short window is clean: nobody is called for what is over.
      { at: '66m', alert: 'FactlineErrorBudgetBurn', labels: ['6x', '3x', '1x'] },
      { at: '95m', alert: 'FactlineErrorBudgetBurn', labels: ['3x', '1x'] },
    ],
  },
  {
    name: 'keeps its promise: 0.9 % fail',
    series: { ...up, ...events('a', 1_000), ...failed('a', '0+9x600') },
    expected: [{ at: '90m', alert: 'FactlineErrorBudgetBurn', labels: [] }],
  },
  {
    name: 'has a restart: counters begin anew',
    series: {
      ...up,
      'factline_slo_events_total{consumer="payment",instance="a"}': '0+200x30 0+200x570',
      ...failed('a', '0+1x30 0+1x570'),
    },
    expected: [{ at: '60m', alert: 'FactlineErrorBudgetBurn', labels: [] }],
  },
  {
    name: 'stops, and is blind',
    series: {
      'factline_measurement_up{instance="a"}': '1x9 0x50',
      'factline_consumer_verdict{consumer="payment",instance="a",verdict="STALLED"}': '0x4 1x3 0x50',
    },
    expected: [
      { at: '5m', alert: 'FactlineConsumerStopped', labels: [] },
      { at: '6m', alert: 'FactlineConsumerStopped', labels: ['payment'] },
      { at: '9m', alert: 'FactlineConsumerStopped', labels: [] },
      { at: '9m', alert: 'FactlineMeasurementBlind', labels: [] },
      { at: '12m', alert: 'FactlineMeasurementBlind', labels: [''] },
    ],
  },
  {
    name: 'is not there at all',
    series: {},
    expected: [{ at: '3m', alert: 'FactlineMeasurementBlind', labels: [''] }],
  },
];

/** promtool compares whole alerts; labels and annotations are taken from the rules, so that only which fire is stated here. */
const expectedAlert = (alert: string, label: string): string => {
  const burn = alert === 'FactlineErrorBudgetBurn';
  const consumer = label === '' ? '' : burn ? 'payment' : label;
  const from = rules.slice(
    0,
    burn
      ? rules.indexOf(`rule: "${label}"`, rules.indexOf('factline-slo-payment'))
      : rules.indexOf('annotations', rules.indexOf(`alert: ${alert}\n`)),
  );
  const of = (name: string): string => new RegExp(`.*${name}: "([^"]*)"`, 's').exec(from)?.[1] ?? '';
  const labels = [
    `class: ${of('class')}`,
    `incident: ${of('incident')}`,
    `severity: ${of('severity')}`,
    ...(consumer === '' ? [] : [`consumer: ${consumer}`]),
    ...(burn ? [`rule: ${label}`, 'owner: billing'] : []),
  ];
  const after = rules.slice(from.length);
  const annotation = (name: string): string =>
    (new RegExp(`${name}: (".*")`).exec(after)?.[1] ?? '""').replaceAll('{{ $labels.consumer }}', consumer);
  return `{ exp_labels: { ${labels.join(', ')} }, exp_annotations: { summary: ${annotation('summary')}, runbook: ${annotation('runbook')} } }`;
};

const testFile = (): string =>
  [
    'rule_files: [rules.yml]',
    'evaluation_interval: 1m',
    'tests:',
    ...scenarios.flatMap(({ name, series, expected }) => [
      `  - name: ${JSON.stringify(name)}`,
      '    interval: 1m',
      `    input_series: [${Object.entries(series)
        .map(([of, values]) => `{ series: '${of}', values: '${values}' }`)
        .join(', ')}]`,
      '    alert_rule_test:',
      ...expected.map(
        ({ at, alert, labels }) =>
          `      - { eval_time: ${at}, alertname: ${alert}, exp_alerts: [${labels.map((label) => expectedAlert(alert, label)).join(', ')}] }`,
      ),
    ]),
    '',
  ].join('\n');

describe('the Prometheus rules of the declared promises', () => {
  let prometheus: Prometheus | null = null;
  const folder = mkdtempSync(path.join(os.tmpdir(), 'factline-rules-'));
  beforeAll(async () => {
    prometheus = await findPrometheus();
    writeFileSync(path.join(folder, 'rules.yml'), rules);
    writeFileSync(path.join(folder, 'test.yml'), testFile());
  }, 120_000);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('are what promtool takes, and fire when they should, where Prometheus can be had', async (context) => {
    if (prometheus === null) return context.skip('neither on PATH nor as a package');
    const { stdout } = await run(prometheus.promtool, ['check', 'rules', 'rules.yml'], { cwd: folder });
    expect(stdout).toContain('SUCCESS: 15 rules found');
    const tested = await run(prometheus.promtool, ['test', 'rules', 'test.yml'], { cwd: folder }).catch(
      (error: unknown) => {
        throw new Error(`${(error as { stdout?: string }).stdout}\n${(error as { stderr?: string }).stderr}`);
      },
    );
    expect(tested.stdout).toContain('SUCCESS');
  }, 60_000);

  it('fire in a real Prometheus that reads what a process reports, and end there', async (context) => {
    if (prometheus === null) return context.skip('neither on PATH nor as a package');
    const telemetry = createTelemetry();
    const { metrics } = telemetry;
    const report = (verdict: 'OK' | 'STALLED'): void => {
      metrics.forget('factline_consumer_verdict', { consumer: 'payment', verdict: 'OK' });
      metrics.forget('factline_consumer_verdict', { consumer: 'payment', verdict: 'STALLED' });
      metrics.set('factline_consumer_verdict', { consumer: 'payment', verdict }, 1);
    };
    metrics.set('factline_measurement_up', {}, 1);
    report('STALLED');
    // The rules as they are, but that nobody waits a minute.
    const quick = rules.replaceAll(/for: \d+m/g, 'for: 1s');
    const running = await startPrometheus(prometheus, {
      rules: quick,
      metrics: () => metrics.renderPrometheus(),
    });
    try {
      const stopped = async (): Promise<Firing[]> =>
        (await running.alerts()).filter(
          ({ state, labels }) => state === 'firing' && labels['class'] === 'consumer-stopped',
        );
      await expect.poll(stopped, { timeout: 20_000 }).toMatchObject([
        {
          labels: {
            alertname: 'FactlineConsumerStopped',
            consumer: 'payment',
            incident: 'FL-03',
            severity: 'page',
          },
          annotations: { summary: 'payment has stopped', runbook: 'docs/alerts.md#consumer-stopped' },
        },
      ]);
      expect((await running.alerts()).map(({ labels }) => labels['class'])).toEqual(['consumer-stopped']);
      report('OK');
      await expect.poll(stopped, { timeout: 20_000 }).toEqual([]);
    } finally {
      await running.stop();
    }
  }, 60_000);
});
