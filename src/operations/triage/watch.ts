import type { Telemetry } from '../../foundation/index.ts';
import { loadQueries, type Queryable, run } from '../../postgres/index.ts';
import { type WatchedGroup, watchedGroups } from './groups.ts';

const sql = loadQueries<'raise_alerts'>(new URL('./groups.sql', import.meta.url));

export interface Alert {
  readonly kind: 'age' | 'growth';
  /** Of age: the level of on-call. Of growth: 1. */
  readonly level: number;
  readonly facts: Readonly<Record<string, unknown>>;
}

export interface Seen {
  readonly growing: boolean;
  readonly alerts: readonly Alert[];
}

/** Growth is looked at over at least so long. */
const spanMs = 60_000;
/** Keys that came within one span, and as a share of those there were. */
const growthKeys = 10;
const growthShare = 0.2;

/**
 * What the detector says of a group, against what it saw the last time: age when a higher level of on-call is reached, growth
 * when it begins to grow (and again only after it has stopped). A group that is new grows from nothing.
 */
export const judge = ({ keys, escalation, watched, ...group }: WatchedGroup): Seen => {
  // After a pause of the detector what has come meanwhile is spread over it.
  const grown = ((keys - watched.keys) * spanMs) / Math.max(watched.ms ?? spanMs, spanMs);
  const grows = grown >= Math.max(growthKeys, watched.keys * growthShare);
  const growing = grows || (watched.growing && grown > 0);
  const facts = { consumer: group.consumer, eventType: group.eventType, fingerprint: group.fingerprint };
  const alerts: Alert[] = [];
  if (escalation > watched.escalation) {
    const more = { oldestMs: Math.round(group.oldestMs), withinMs: group.triageWithinMs, owner: group.owner };
    alerts.push({ kind: 'age', level: escalation, facts: { ...facts, ...more } });
  }
  if (growing && !watched.growing)
    alerts.push({ kind: 'growth', level: 1, facts: { ...facts, keys, before: watched.keys } });
  return { growing, alerts };
};

const highestLevels = (groups: readonly WatchedGroup[]): ReadonlyMap<string, number> => {
  const levels = new Map<string, number>();
  for (const { consumer, escalation } of groups)
    levels.set(consumer, Math.max(escalation, levels.get(consumer) ?? 0));
  return levels;
};

/**
 * One look at all groups: alerts are written to `quarantine_alerts` in the transaction that remembers what was seen, so that each
 * is raised once, by whichever process looked first. Answers how many this one raised.
 */
export const watchQuarantine = async (on: Queryable, telemetry: Telemetry): Promise<number> => {
  const groups = await watchedGroups(on, { all: true });
  for (const [consumer, level] of highestLevels(groups))
    telemetry.metrics.set('factline_quarantine_escalation', { consumer }, level);
  const due = groups.filter(
    ({ events, watched }) =>
      (watched.ms === null || watched.ms >= spanMs) &&
      (events > 0 || watched.keys > 0 || watched.escalation > 0),
  );
  if (due.length === 0) return 0;
  const seen = due.map((group) => ({ group, ...judge(group) }));
  const rows = seen.map(({ group, growing, alerts }) => ({
    id: group.id,
    watchedAt: group.watched.at,
    escalation: group.escalation,
    keys: group.keys,
    growing,
    alerts,
  }));
  const raised = await run(on, sql.raise_alerts, [JSON.stringify(rows)]);
  for (const { group_id: id, kind, level } of raised) {
    const found = seen.find(({ group }) => group.id === id);
    if (found === undefined) continue;
    const { consumer, eventType, keys, owner, assignedTo } = found.group;
    const fields = { group: id, consumer, eventType, keys, level, owner, assignedTo };
    telemetry.emit(kind === 'age' ? 'quarantine.escalated' : 'quarantine.growing', fields);
  }
  return raised.length;
};
