/**
 * Who is told what, and when: pure. Alerts of one class go to a receiver in one message, so that an outage that stops forty consumers
 * is one message and not forty. A receiver hears of a change after `groupWaitMs` (others may follow at once), of further changes of the
 * class after `groupIntervalMs`, and of what still fires every `repeatEveryMs`.
 */
import type { Severity } from '../burn-rate.ts';
import { type AlertClass, alertClasses, runbookOfAlert } from './alert-classes.ts';

export interface AlertSchedule {
  readonly groupWaitMs: number;
  readonly groupIntervalMs: number;
  readonly repeatEveryMs: number;
}

/** An alert as a receiver gets to know it; times are ISO 8601, by the database's clock. */
export interface TellableAlert {
  readonly id: number;
  readonly key: string;
  readonly state: 'firing' | 'resolved';
  readonly severity: Severity;
  readonly level: number;
  readonly consumer: string;
  readonly summary: string;
  readonly facts: Readonly<Record<string, unknown>>;
  readonly metAt: string;
  readonly firedAt: string;
  readonly resolvedAt: string | null;
}

export interface ToldSoFar {
  readonly receiver: string;
  readonly class: AlertClass;
  readonly alert: TellableAlert;
  /** Since it began to fire, or ended. */
  readonly changedMs: number;
  /** Null: nothing was told. */
  readonly told: {
    readonly state: 'firing' | 'resolved';
    readonly level: number;
    readonly ms: number;
  } | null;
  /** Since the last message of the class to this receiver; null: there was none. */
  readonly messageMs: number | null;
}

/** What a webhook gets as JSON. The form is stable: fields are added, never renamed. */
export interface AlertMessage {
  readonly version: 1;
  readonly app: string;
  readonly receiver: string;
  readonly class: AlertClass;
  readonly incident: string;
  /** firing: at least one of the alerts does. */
  readonly state: 'firing' | 'resolved';
  /** The highest among those that fire, else among all. */
  readonly severity: Severity;
  readonly runbook: string;
  readonly alerts: readonly TellableAlert[];
  /** Alerts of this message that are not listed. */
  readonly more: number;
}

export interface DueMessage {
  readonly receiver: string;
  readonly class: AlertClass;
  readonly message: AlertMessage;
  readonly tells: readonly { readonly id: number; readonly state: string; readonly level: number }[];
}

/** A message is read by people. */
const listedMax = 50;

export const dueMessages = (
  app: string,
  rows: readonly ToldSoFar[],
  scheduleOf: (
    receiver: string,
  ) => AlertSchedule & { readonly only: Severity | null; readonly fromLevel: number },
): DueMessage[] => {
  const groups = new Map<string, ToldSoFar[]>();
  for (const row of rows) {
    const { only, fromLevel } = scheduleOf(row.receiver);
    const { severity, level } = row.alert;
    // Who was told that it fires is told that it ended, whatever became of its severity.
    if (((only !== null && severity !== only) || level < fromLevel) && row.told === null) continue;
    const name = `${row.receiver}\n${row.class}`;
    groups.set(name, [...(groups.get(name) ?? []), row]);
  }
  return [...groups.values()]
    .filter((group) => isDue(group, scheduleOf(group[0]?.receiver ?? '')))
    .map((group) => messageOf(app, group));
};

const isNews = ({ alert, told }: ToldSoFar): boolean =>
  told === null || told.state !== alert.state || told.level < alert.level;

const isDue = (group: readonly ToldSoFar[], schedule: AlertSchedule): boolean => {
  const sinceMessage = group[0]?.messageMs ?? Number.POSITIVE_INFINITY;
  const news = group.filter(isNews);
  if (news.length > 0)
    return (
      news.some(({ changedMs }) => changedMs >= schedule.groupWaitMs) &&
      sinceMessage >= schedule.groupIntervalMs
    );
  return group.some(
    ({ alert, told }) => alert.state === 'firing' && (told?.ms ?? 0) >= schedule.repeatEveryMs,
  );
};

const messageOf = (app: string, group: readonly ToldSoFar[]): DueMessage => {
  const [first] = group as readonly [ToldSoFar, ...ToldSoFar[]];
  const firing = group.filter(({ alert }) => alert.state === 'firing');
  const weighed = firing.length > 0 ? firing : group;
  const ordered = [...firing, ...group.filter(({ alert }) => alert.state !== 'firing')].map(
    ({ alert }) => alert,
  );
  return {
    receiver: first.receiver,
    class: first.class,
    message: {
      version: 1,
      app,
      receiver: first.receiver,
      class: first.class,
      incident: alertClasses[first.class].incident,
      state: firing.length > 0 ? 'firing' : 'resolved',
      severity: weighed.some(({ alert }) => alert.severity === 'page') ? 'page' : 'ticket',
      runbook: runbookOfAlert(first.class),
      alerts: ordered.slice(0, listedMax),
      more: Math.max(0, ordered.length - listedMax),
    },
    tells: ordered.map(({ id, state, level }) => ({ id, state, level })),
  };
};
