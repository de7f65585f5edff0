import type pg from 'pg';
import { engineTransaction, loadQueries, type Queryable, type Row, run } from '../../postgres/index.ts';
import type { Severity } from '../burn-rate.ts';
import type { Verdict } from '../verdict.ts';
import { type AlertClass, alertClasses } from './alert-classes.ts';
import { type AlertStep, nextAlertStep, type OpenAlert } from './alert-state.ts';
import { type Condition, conditionsOf, dedupKeyOf } from './conditions.ts';
import { dueMessages, type TellableAlert, type ToldSoFar } from './due-messages.ts';
import { type Finding, quarantineFindings } from './findings.ts';
import type { CheckedReceiver } from './receivers.ts';

const sql = loadQueries<
  | 'claim_turn'
  | 'lock_app'
  | 'open_alerts'
  | 'apply_steps'
  | 'carry_findings'
  | 'keep_receivers'
  | 'told_so_far'
  | 'make_message'
  | 'forget_old'
>(new URL('./alerts.sql', import.meta.url));

export interface EvaluationOptions {
  readonly app: string;
  /** Measured now, or a moment ago. */
  readonly verdicts: () => Promise<readonly Verdict[]>;
  readonly receivers: readonly CheckedReceiver[];
  /** In the transaction in which alerts begin to fire and end. */
  readonly onChange?: (client: pg.PoolClient, changes: readonly AlertChange[]) => Promise<void>;
}

/** An alert that began to fire, or ended. */
export interface AlertChange {
  readonly id: number;
  readonly key: string;
  readonly class: AlertClass;
  readonly consumer: string;
  readonly severity: Severity;
  readonly state: 'firing' | 'resolved';
  readonly level: number;
  readonly summary: string;
}

/** From one evaluation to the next, whoever makes it. */
export const evaluateEveryMs = 10_000;
/** Processes do not tick at the same moment: a turn a little early is a turn. */
const turnMs = evaluateEveryMs - 1_000;

/** What a turn came to. */
export interface Evaluation {
  readonly changes: readonly AlertChange[];
  /** A consumer, or a part of one, is paused: whoever had the turn looks whether that ends. */
  readonly paused: boolean;
}

/**
 * One evaluation, when it is this process's turn: what was observed moves the alerts, and who has to be told gets a message, all in one
 * transaction. While all is well and nothing is open it is one statement beside the measurement. Null when it is somebody else's turn.
 */
export const evaluateAlerts = async (
  pool: pg.Pool,
  options: EvaluationOptions,
): Promise<Evaluation | null> => {
  const { app, receivers } = options;
  const [turn] = await run(pool, sql.claim_turn, [app, receivers.map(({ name }) => name), turnMs]);
  if (turn === undefined) return null;
  const verdicts = await options.verdicts();
  const paused = turn['paused'] === true;
  const isWell = !conditionsOf(verdicts).some(isMet);
  if (turn['busy'] === false && isWell) return { changes: [], paused };
  const { value } = await engineTransaction(pool, async (client) => {
    await run(client, sql.lock_app, [app]);
    await keepReceivers(client, app, receivers);
    const findings = await quarantineFindings(client, app);
    const changes = await applySteps(client, app, { verdicts, findings });
    if (changes.length > 0) await options.onChange?.(client, changes);
    await makeMessages(client, app, receivers);
    await run(client, sql.forget_old, [app]);
    return changes;
  });
  return { changes: value, paused };
};

interface Observations {
  readonly verdicts: readonly Verdict[];
  readonly findings: readonly Finding[];
}

interface StoredAlert extends OpenAlert {
  readonly id: number;
  readonly key: string;
  readonly class: AlertClass;
  readonly consumer: string;
}

const applySteps = async (
  client: Queryable,
  app: string,
  { verdicts, findings }: Observations,
): Promise<AlertChange[]> => {
  const open = (await run(client, sql.open_alerts, [app])).map(storedAlert);
  const conditions = new Map<string, Condition>(
    [...conditionsOf(verdicts), ...findings].map((each) => [dedupKeyOf(each), each]),
  );
  const known = new Map(open.map((alert) => [alert.key, alert]));
  const unseen = open.filter(({ key }) => !conditions.has(key)).map((alert) => unseenMove(alert, verdicts));
  const moves = [...conditions].map(([key, condition]) => moveOf(key, condition, known.get(key) ?? null));
  const moving = [...moves, ...unseen].filter(({ step, met }) => step !== 'none' && (step !== 'stay' || met));
  if (moving.length === 0) return [];
  const changed = await run(client, sql.apply_steps, [app, JSON.stringify(moving)]);
  const carried = findings
    .filter(({ carries }) => carries.length > 0)
    .map((finding) => ({ key: dedupKeyOf(finding), ids: finding.carries }));
  if (carried.length > 0) await run(client, sql.carry_findings, [app, JSON.stringify(carried)]);
  return changed.map(changeOf);
};

/** What happens to an alert; of one that nobody observed no more is known than its row. */
interface Move extends Partial<Omit<Condition, 'observed' | 'fingerprint'>> {
  readonly id: number | null;
  readonly key: string;
  readonly step: AlertStep;
  readonly met: boolean;
}

const isMet = ({ observed }: Condition): boolean => observed === 'met' || observed === 'raised';

const moveOf = (key: string, condition: Condition, alert: StoredAlert | null): Move => {
  const { observed, class: name, consumer, severity, level, summary, facts } = condition;
  return {
    id: alert?.id ?? null,
    key,
    step: nextAlertStep(alert, observed, alertClasses[name].holdMs),
    met: isMet(condition),
    class: name,
    consumer,
    severity,
    level,
    summary,
    facts,
  };
};

/**
 * Nobody said anything of it. A group that left the quarantine is over, and so is what a consumer had that is gone; of a consumer that can't
 * be measured it is not known.
 */
const unseenMove = (alert: StoredAlert, verdicts: readonly Verdict[]): Move => {
  const ofQuarantine = alert.class === 'quarantine-age' || alert.class === 'quarantine-growth';
  const there = verdicts.some(({ consumer }) => consumer === alert.consumer);
  const step = nextAlertStep(alert, !ofQuarantine && there ? 'unknown' : 'clear', 0);
  return { id: alert.id, key: alert.key, step, met: false };
};

const storedAlert = (row: Row): StoredAlert => ({
  id: Number(row['id']),
  key: String(row['dedup_key']),
  class: row['class'] as AlertClass,
  consumer: String(row['consumer']),
  state: row['state'] as OpenAlert['state'],
  metMs: Number(row['met_ms']),
  clearMs: row['clear_ms'] === null ? null : Number(row['clear_ms']),
});

const changeOf = (row: Row): AlertChange => ({
  id: Number(row['id']),
  key: String(row['dedup_key']),
  class: row['class'] as AlertClass,
  consumer: String(row['consumer']),
  severity: row['severity'] as Severity,
  state: row['state'] as AlertChange['state'],
  level: Number(row['level']),
  summary: String(row['summary']),
});

/** Before anything fires: what fires in the same moment is their business. */
const keepReceivers = async (
  client: Queryable,
  app: string,
  receivers: readonly CheckedReceiver[],
): Promise<void> => {
  if (receivers.length === 0) return;
  const kinds = receivers.map(({ receiver }) => receiver.kind);
  await run(client, sql.keep_receivers, [app, receivers.map(({ name }) => name), kinds]);
};

const makeMessages = async (
  client: Queryable,
  app: string,
  receivers: readonly CheckedReceiver[],
): Promise<void> => {
  if (receivers.length === 0) return;
  const names = receivers.map(({ name }) => name);
  const rows = (await run(client, sql.told_so_far, [app, names])).map(toldSoFar);
  const byName = new Map(receivers.map((each) => [each.name, each]));
  const due = dueMessages(app, rows, (name) => {
    const { schedule, only, fromLevel } = byName.get(name) as CheckedReceiver;
    return { ...schedule, only, fromLevel };
  });
  for (const { receiver, class: name, message, tells } of due) {
    const values = [app, receiver, name, JSON.stringify(message), JSON.stringify(tells)];
    await run(client, sql.make_message, values);
  }
};

const toldSoFar = (row: Row): ToldSoFar => ({
  receiver: String(row['receiver']),
  class: row['class'] as AlertClass,
  alert: tellable(row),
  changedMs: Number(row['changed_ms']),
  told:
    row['told_state'] === null
      ? null
      : {
          state: row['told_state'] as TellableAlert['state'],
          level: Number(row['told_level']),
          ms: Number(row['told_ms']),
        },
  messageMs: row['message_ms'] === null ? null : Number(row['message_ms']),
});

const tellable = (row: Row): TellableAlert => ({
  id: Number(row['id']),
  key: String(row['dedup_key']),
  state: row['state'] as TellableAlert['state'],
  severity: row['severity'] as Severity,
  level: Number(row['level']),
  consumer: String(row['consumer']),
  summary: String(row['summary']),
  facts: row['facts'] as TellableAlert['facts'],
  metAt: String(row['met_at']),
  firedAt: String(row['fired_at']),
  resolvedAt: row['resolved_at'] === null ? null : String(row['resolved_at']),
});
