/**
 * Prometheus rules made of the declared promises: the same alerts that Factline evaluates itself, for those who have Prometheus and
 * Alertmanager. Names, order and text follow from the declarations alone, so that the file can be committed and compared.
 */
import { type Duration, toMilliseconds } from '../../foundation/index.ts';
import { type BurnRule, burnRules, type Severity } from '../burn-rate.ts';
import { type AlertClass, alertClasses, runbookOfAlert } from './alert-classes.ts';

/** What a consumer promises; without `slo` the defaults hold. */
export interface DeclaredPromise {
  readonly name: string;
  readonly owner?: string | undefined;
  readonly slo?: { readonly handledWithin: Duration; readonly errorBudget?: number } | undefined;
}

interface AlertRule {
  readonly alert: string;
  readonly expression: string;
  readonly hold?: string;
  readonly class: AlertClass;
  readonly severity: Severity;
  readonly labels?: Readonly<Record<string, string>>;
  readonly summary: string;
}

const errorBudgetDefault = 0.01;

/** @example prometheusRules([{ name: 'payment', slo: { handledWithin: '30s', errorBudget: 0.001 } }]) */
export const prometheusRules = (promises: readonly DeclaredPromise[]): string => {
  const groups = [
    { name: 'factline', rules: fleetRules() },
    ...[...promises]
      .sort((a, b) => (a.name < b.name ? -1 : 1))
      .map((promise) => ({ name: `factline-slo-${promise.name}`, rules: burnRulesOf(promise) })),
  ];
  return [
    '# Made by `factline alerts rules` from the declared promises (slo). Made anew after each change of them.',
    'groups:',
    ...groups.flatMap(({ name, rules }) => [
      `  - name: ${quoted(name)}`,
      '    rules:',
      ...rules.flatMap(ruleLines),
    ]),
    '',
  ].join('\n');
};

/** YAML takes JSON's strings. */
const quoted = (text: string): string => JSON.stringify(text);

const ruleLines = (rule: AlertRule): string[] => {
  const labels = {
    class: rule.class,
    incident: alertClasses[rule.class].incident,
    severity: rule.severity,
    ...rule.labels,
  };
  return [
    `      - alert: ${rule.alert}`,
    `        expr: ${quoted(rule.expression)}`,
    ...(rule.hold === undefined ? [] : [`        for: ${rule.hold}`]),
    '        labels:',
    ...Object.entries(labels).map(([name, value]) => `          ${name}: ${quoted(value)}`),
    '        annotations:',
    `          summary: ${quoted(rule.summary)}`,
    `          runbook: ${quoted(runbookOfAlert(rule.class))}`,
  ];
};

const ofClass = (name: AlertClass): Pick<AlertRule, 'class' | 'severity'> => ({
  class: name,
  severity: alertClasses[name].severity,
});

const consumer = '{{ $labels.consumer }}';
/** Builds that nobody reads have series of their own and promise nothing. */
const read = 'consumer!~".* [(]build [0-9]+[)]"';

/** For every consumer that there is. Each process reports all of them: the worst counts. */
const fleetRules = (): AlertRule[] => [
  {
    ...ofClass('measurement-blind'),
    alert: 'FactlineMeasurementBlind',
    // No series at all: nobody can be asked, which is no better than an answer that nothing is known.
    expression: 'max(factline_measurement_up) == 0 or absent(factline_measurement_up)',
    hold: '1m',
    summary: 'No process can measure the consumers',
  },
  {
    ...ofClass('consumer-stopped'),
    alert: 'FactlineConsumerStopped',
    expression: `max by (consumer) (factline_consumer_verdict{verdict="STALLED",${read}}) == 1`,
    hold: '1m',
    summary: `${consumer} has stopped`,
  },
  {
    ...ofClass('falling-behind'),
    alert: 'FactlineFallingBehind',
    expression: `max by (consumer) (factline_lag_seconds{${read}}) > max by (consumer) (factline_handled_within_seconds) or min by (consumer) (factline_time_to_breach_seconds{${read}} > 0) < 3600`,
    hold: '5m',
    summary: `${consumer} falls behind its promise`,
  },
  {
    ...ofClass('dependency-down'),
    alert: 'FactlineBreakerOpen',
    expression: 'max by (consumer) (factline_breaker_open) == 1',
    hold: '1m',
    summary: `${consumer} is paused by its breaker`,
  },
  {
    ...ofClass('quarantine-growth'),
    alert: 'FactlineQuarantineGrows',
    expression:
      'max by (consumer) (factline_quarantined) - max by (consumer) (factline_quarantined offset 1m) >= 10',
    summary: `${consumer} fills the quarantine`,
  },
  {
    ...ofClass('quarantine-age'),
    alert: 'FactlineQuarantineAges',
    expression: 'max by (consumer) (factline_quarantine_escalation) > 0',
    summary: `${consumer} has keys in quarantine for longer than its triage allows`,
  },
  {
    ...ofClass('workflow-stuck'),
    alert: 'FactlineWorkflowStuck',
    expression: 'max by (consumer) (factline_workflow_living{state="stuck"}) > 0',
    summary: `Instances of ${consumer} are stuck and need a person`,
  },
];

const burnRulesOf = ({ name, owner, slo }: DeclaredPromise): AlertRule[] => {
  const budget = slo?.errorBudget ?? errorBudgetDefault;
  const promised = slo?.handledWithin ?? '1m';
  return burnRules.map((rule) => ({
    ...ofClass('burn-rate'),
    alert: 'FactlineErrorBudgetBurn',
    severity: rule.severity,
    expression: burnExpression(name, rule, budget),
    labels: { consumer: name, rule: `${rule.rate}x`, ...(owner === undefined ? {} : { owner }) },
    summary: `${name} spends its error budget more than ${rule.rate} times as fast as it lasts (events within ${seconds(promised)}, ${Number((budget * 100).toPrecision(6))} % may fail)`,
  }));
};

const seconds = (promised: Duration): string => `${toMilliseconds(promised) / 1_000} s`;

/** Both windows; of several processes each counts other samples, so they are summed up. */
const burnExpression = (
  name: string,
  { rate, longSeconds, shortSeconds }: BurnRule,
  budget: number,
): string => {
  const selector = `{consumer=${quoted(name)}}`;
  const limit = Number((rate * budget).toPrecision(12));
  const side = (window: number): string => {
    const of = (metric: string): string => `sum(increase(${metric}${selector}[${windowText(window)}]))`;
    return `${of('factline_slo_failed_total')} / ${of('factline_slo_events_total')} ${budget === 0 ? '>' : '>='} ${limit}`;
  };
  return `${side(longSeconds)} and ${side(shortSeconds)}`;
};

const windowText = (window: number): string =>
  window % 86_400 === 0
    ? `${window / 86_400}d`
    : window % 3_600 === 0
      ? `${window / 3_600}h`
      : `${window / 60}m`;
