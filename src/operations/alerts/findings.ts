import type { Queryable, Row } from '../../postgres/index.ts';
import { loadQueries, run } from '../../postgres/index.ts';
import { alertClasses } from './alert-classes.ts';
import type { Condition } from './conditions.ts';

const sql = loadQueries<'quarantine_findings'>(new URL('./alerts.sql', import.meta.url));

/** A condition together with the rows of the quarantine's detector that its alert is going to carry. */
export interface Finding extends Condition {
  readonly carries: readonly number[];
}

interface Found {
  readonly id: number;
  readonly kind: 'age' | 'growth';
  readonly level: number;
}

/**
 * What the detector of the quarantine (triage/watch.ts) has found: groups that grow now or wait too long now, and what it wrote down
 * since the last look, also where that is over by now.
 */
export const quarantineFindings = async (on: Queryable, app: string): Promise<Finding[]> =>
  (await run(on, sql.quarantine_findings, [app])).flatMap((row) => [
    findingOf(row, 'growth'),
    findingOf(row, 'age'),
  ]);

const findingOf = (row: Row, kind: Found['kind']): Finding => {
  const name = kind === 'age' ? 'quarantine-age' : 'quarantine-growth';
  const found = (row['found'] as readonly Found[]).filter((each) => each.kind === kind);
  const now = kind === 'age' ? Number(row['escalation']) : row['growing'] === true ? 1 : 0;
  const level = Math.max(now, 1, ...found.map((each) => each.level));
  const consumer = String(row['consumer']);
  const eventType = String(row['event_type']);
  const { title, severity } = alertClasses[name];
  return {
    class: name,
    consumer,
    fingerprint: `${row['fingerprint']}@${eventType}`,
    // The first level is the owner's; further ones call somebody.
    severity: kind === 'age' && level > 1 ? 'page' : severity,
    observed: now > 0 ? 'met' : found.length > 0 ? 'raised' : 'clear',
    level,
    summary: `${consumer} ${title}: ${row['error_code']} at ${eventType}: ${row['error_message']}`,
    facts: {
      group: row['id'],
      eventType,
      keys: row['keys'],
      level,
      owner: row['owner'],
      assignedTo: row['assigned_to'],
    },
    carries: found.map(({ id }) => id),
  };
};
