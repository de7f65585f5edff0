import type { Severity } from '../burn-rate.ts';

export type AlertClass =
  | 'measurement-blind'
  | 'consumer-stopped'
  | 'falling-behind'
  | 'burn-rate'
  | 'dependency-down'
  | 'quarantine-growth'
  | 'pause-exceeded'
  | 'quarantine-age'
  | 'workflow-stuck';

export interface AlertClassEntry {
  /** Of the incident taxonomy. */
  readonly incident: string;
  /** Where the class has one; burn rates have that of their rule. */
  readonly severity: Severity;
  /** How long it must hold before it fires: what passes by itself wakes nobody. */
  readonly holdMs: number;
  readonly title: string;
}

const minute = 60_000;

/** Everything that Factline raises alerts for. Each has a runbook under its name in docs/alerts.md. */
export const alertClasses: Readonly<Record<AlertClass, AlertClassEntry>> = {
  'measurement-blind': {
    incident: 'FL-01',
    severity: 'page',
    holdMs: minute,
    title: 'cannot be measured',
  },
  'consumer-stopped': { incident: 'FL-03', severity: 'page', holdMs: minute, title: 'has stopped' },
  'falling-behind': { incident: 'FL-04', severity: 'ticket', holdMs: 5 * minute, title: 'falls behind' },
  'burn-rate': { incident: 'FL-04', severity: 'page', holdMs: 0, title: 'spends its error budget' },
  'dependency-down': {
    incident: 'FL-06',
    severity: 'page',
    holdMs: minute,
    title: 'is paused by its breaker',
  },
  'quarantine-growth': {
    incident: 'FL-07',
    severity: 'page',
    holdMs: 0,
    title: 'fills the quarantine',
  },
  'quarantine-age': { incident: 'FL-05', severity: 'ticket', holdMs: 0, title: 'has keys in quarantine' },
  'pause-exceeded': {
    incident: 'FL-04',
    severity: 'page',
    holdMs: 0,
    title: 'is paused, and more events have come than it may buffer',
  },
  'workflow-stuck': { incident: 'FL-13', severity: 'ticket', holdMs: 0, title: 'has stuck instances' },
};

export const runbookOfAlert = (name: AlertClass): string => `docs/alerts.md#${name}`;
