import { type Clock, FactlineError, type Telemetry } from '../foundation/index.ts';
import { type Database, loadQueries, type Queryable, type Row, run } from '../postgres/index.ts';

const sql = loadQueries<'facts' | 'progress' | 'note_timeline'>(
  new URL('./start-checks.sql', import.meta.url),
);

/** both-locks needs verified grants; sequence-only is sound for everybody and waits for a little more (LOG.md §0.5). */
export type HolderRule = 'both-locks' | 'sequence-only';

/** What the start check found; `status` and `doctor` show it. */
export interface LogReport {
  readonly epoch: string;
  readonly rule: HolderRule;
  /** Why it is not the stronger rule; null when it is. */
  readonly ruleReason: string | null;
  /** The highest position given so far. */
  readonly head: number;
  readonly compactedBelow: number;
  readonly partitionsAhead: number;
  readonly systemIdentifier: string;
  readonly timeline: number;
  /** Nothing that stops reading, but that somebody should know. */
  readonly warnings: readonly string[];
}

export interface StartCheckOptions {
  readonly database: Database;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
}

const partitionsAheadMin = 3;

/**
 * Checks everything that safe reading rests on.
 * @throws FactlineError LOG_CHECK_FAILED with all that is wrong at once; LOG_RESTORED, LOG_WENT_BACKWARDS.
 */
export const startChecks = async ({ database, telemetry }: StartCheckOptions): Promise<LogReport> => {
  const report = await checkLog(database.operations);
  for (const warning of report.warnings) telemetry.emit('log.warning', { warning });
  return report;
};

/** The same on any connection; also run by the tail after each connect. */
export const checkLog = async (on: Queryable): Promise<LogReport> => {
  const facts = await one(on, sql.facts);
  const issues = issuesOf(facts);
  if (issues.length > 0) throw new FactlineError('LOG_CHECK_FAILED', { issues });
  const progress = await one(on, sql.progress);
  refuseForeignLog(facts, progress);
  const timeline = Number(facts['timeline']);
  if (timeline !== progress['timeline']) await run(on, sql.note_timeline, [timeline]);
  return {
    epoch: String(progress['epoch']),
    ...ruleOf(facts),
    head: Number(progress['given']),
    compactedBelow: Number(progress['compacted_below']),
    partitionsAhead: Number(facts['partitions_ahead']),
    systemIdentifier: String(facts['system_identifier']),
    timeline,
    warnings: warningsOf(facts, progress),
  };
};

const one = async (on: Queryable, query: (typeof sql)['facts']): Promise<Row> => {
  const [row] = await run(on, query);
  if (row) return row;
  throw new FactlineError('LOG_CHECK_FAILED', { issues: [`the statement ${query.name} found nothing`] });
};

/** Each with the sentence that an operator reads when it does not hold. */
const conditions: readonly (readonly [fact: string, wanted: boolean, broken: string])[] = [
  ['in_recovery', false, 'the server is a standby; the proof needs the primary'],
  ['identity_always', true, 'events.position is no longer "generated always as identity"'],
  ['sequence_known', true, 'events.position draws from another sequence than events_position_seq'],
  ['cache_one', true, 'the sequence of events.position caches values (CACHE must be 1)'],
  ['no_cycle', true, 'the sequence of events.position may cycle'],
  ['increasing', true, 'the sequence of events.position does not increase'],
  ['may_read_sequence', true, 'this role lacks SELECT on factline.events_position_seq'],
  ['may_read_events', true, 'this role lacks SELECT on factline.events'],
  ['may_store_mark', true, 'this role lacks SELECT and UPDATE on factline.log_mark'],
  ['rows_hidden', false, 'row level security hides events from this role'],
  ['default_partition', false, 'factline.events has a DEFAULT partition'],
  ['leaf_not_a_table', false, 'a partition of factline.events is not a plain table'],
];

const issuesOf = (facts: Row): string[] =>
  conditions.filter(([fact, wanted]) => facts[fact] !== wanted).map(([, , broken]) => broken);

/** A copy of another server, or a log that ends before what was already handled: positions may be given again. */
const refuseForeignLog = (facts: Row, progress: Row): void => {
  const head = Number(progress['given']);
  if (facts['system_identifier'] !== progress['system_identifier']) {
    throw new FactlineError('LOG_RESTORED', {
      actual: facts['system_identifier'],
      expected: progress['system_identifier'],
    });
  }
  const checkpoint = Number(progress['checkpoint'] ?? 0);
  if (checkpoint > head) {
    throw new FactlineError('LOG_WENT_BACKWARDS', { head, consumer: progress['consumer'], checkpoint });
  }
  const mark = Number(progress['mark']);
  if (mark > head)
    throw new FactlineError('LOG_WENT_BACKWARDS', { head, consumer: 'the tail', checkpoint: mark });
  const visible = Number(progress['visible']);
  if (visible > head) {
    const issue = `the event at position ${visible} lies beyond the sequence, which stands at ${head}: run setval`;
    throw new FactlineError('LOG_CHECK_FAILED', { issues: [issue] });
  }
};

const ruleOf = (facts: Row): Pick<LogReport, 'rule' | 'ruleReason'> => {
  const reason = weaknessOf(facts);
  return reason === null
    ? { rule: 'both-locks', ruleReason: null }
    : { rule: 'sequence-only', ruleReason: reason };
};

const weaknessOf = (facts: Row): string | null => {
  const role = String(facts['role']);
  if (facts['superuser'] === true) return `the role ${role} is a superuser, whom no grant binds`;
  if (facts['owner'] === true) return `the role ${role} owns the log, so no grant binds it`;
  return facts['position_writers'] === null
    ? null
    : `positions can be given by hand: ${facts['position_writers']}`;
};

const warningsOf = (facts: Row, progress: Row): string[] => {
  const warnings: string[] = [];
  if (facts['synchronous_commit'] === 'off') {
    warnings.push(
      'synchronous_commit is off: after a crash of the server an event that was delivered may never have been',
    );
  }
  if (facts['fsync'] === 'off') warnings.push('fsync is off: a power cut can lose or damage the log');
  const ahead = Number(facts['partitions_ahead']);
  if (ahead < partitionsAheadMin) {
    warnings.push(`only ${ahead} partitions of the log are ahead; without one, publishing fails`);
  }
  if (facts['timeline'] !== progress['timeline']) {
    warnings.push(
      `the timeline of the server changed from ${progress['timeline']} to ${facts['timeline']} (a standby was promoted)`,
    );
  }
  return warnings;
};
