import { loadQueries, type Queryable, run } from '../../postgres/index.ts';
import type { Severity } from '../burn-rate.ts';
import { type AlertClass, runbookOfAlert } from './alert-classes.ts';
import type { AlertState } from './alert-state.ts';

const sql = loadQueries<'list_alerts' | 'list_receivers'>(new URL('./alerts.sql', import.meta.url));

/** Times are ISO 8601, by the database's clock. */
export interface ListedAlert {
  readonly id: number;
  readonly app: string;
  /** class:consumer:fingerprint */
  readonly key: string;
  readonly class: AlertClass;
  readonly consumer: string;
  readonly severity: Severity;
  /** pending: it is met, but not for long enough yet. */
  readonly state: AlertState;
  readonly level: number;
  readonly summary: string;
  readonly facts: Readonly<Record<string, unknown>>;
  readonly metAt: string;
  readonly metMs: number;
  readonly firedAt: string | null;
  readonly resolvedAt: string | null;
  /** Who was told what, or will be by a message that waits. */
  readonly told: readonly { readonly receiver: string; readonly state: string; readonly at: string }[];
  readonly runbook: string;
}

export interface ListedReceiver {
  readonly app: string;
  readonly name: string;
  readonly kind: 'webhook' | 'slack' | 'email';
  /** When a process that has it was last there. */
  readonly usedAt: string;
  readonly deliveredAt: string | null;
  /** Messages that it has not taken yet. */
  readonly waiting: number;
  readonly waitingMs: number | null;
  readonly attempts: number;
  readonly lastError: string | null;
}

export const listAlerts = async (
  on: Queryable,
  { all = false, limit = 200 }: { readonly all?: boolean; readonly limit?: number } = {},
): Promise<ListedAlert[]> =>
  (await run(on, sql.list_alerts, [all, limit])).map((row) => ({
    id: Number(row['id']),
    app: String(row['app']),
    key: String(row['dedup_key']),
    class: row['class'] as AlertClass,
    consumer: String(row['consumer']),
    severity: row['severity'] as Severity,
    state: row['state'] as AlertState,
    level: Number(row['level']),
    summary: String(row['summary']),
    facts: row['facts'] as ListedAlert['facts'],
    metAt: String(row['met_at']),
    metMs: Number(row['met_ms']),
    firedAt: row['fired_at'] as string | null,
    resolvedAt: row['resolved_at'] as string | null,
    told: row['told'] as ListedAlert['told'],
    runbook: runbookOfAlert(row['class'] as AlertClass),
  }));

export const listReceivers = async (on: Queryable): Promise<ListedReceiver[]> =>
  (await run(on, sql.list_receivers)).map((row) => ({
    app: String(row['app']),
    name: String(row['name']),
    kind: row['kind'] as ListedReceiver['kind'],
    usedAt: String(row['used_at']),
    deliveredAt: row['delivered_at'] as string | null,
    waiting: Number(row['waiting']),
    waitingMs: row['oldest_ms'] === null ? null : Number(row['oldest_ms']),
    attempts: Number(row['attempts'] ?? 0),
    lastError: row['last_error'] as string | null,
  }));
