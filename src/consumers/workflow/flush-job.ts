import { type DraftEnvelope, storedDraftText } from '../../contracts/index.ts';
import { type LastStatement, loadQueries } from '../../postgres/index.ts';
import type { PublishedDraft } from './calls.ts';
import { type EndingFailure, endStates, type InstanceState, type StuckReason } from './instance.ts';
import type { JournalEntry } from './journal.ts';

/** A row of the journal that is to be written. */
export interface RecordRow {
  readonly entry: JournalEntry;
  /** The value's JSON text; null: none. */
  readonly valueText: string | null;
  /** When it is due: so many milliseconds from now, or at a moment (ISO 8601). */
  readonly delayMs?: number | null;
  readonly until?: string | null;
  readonly tookMs?: number;
}

/** What becomes of the instance itself; what is left out stays as it is. */
export interface InstanceChange {
  readonly state?: InstanceState;
  readonly ending?: 'failed' | 'cancelled';
  readonly held?: boolean;
  readonly due?: 'now' | 'rest' | 'never';
  /** JSON text. */
  readonly resultText?: string | null;
  readonly failure?: EndingFailure;
  readonly stuck?: StuckReason;
  /** So many calls are on record with it. */
  readonly calls?: number;
  /** It has survived what it was suspected of. */
  readonly progress?: boolean;
}

export interface WaitRow {
  readonly ordinal: number;
  readonly type: string;
  readonly key: string;
  readonly after: number;
  /** False: the wait has ended. */
  readonly open: boolean;
}

/** What one instance has to record in one go. */
export interface FlushJob {
  readonly id: number;
  readonly workflowId: number;
  readonly consumerId: number;
  readonly lane: number;
  readonly token: number;
  readonly rows: readonly RecordRow[];
  readonly change: InstanceChange | null;
  readonly waits: readonly WaitRow[];
  readonly drafts: readonly (PublishedDraft & { readonly envelope: DraftEnvelope })[];
}

const flushQueries = loadQueries<
  'record_call' | 'record_result' | 'record_end' | 'record_results' | 'record' | 'flush'
>(new URL('./flush.sql', import.meta.url));

const changeText = ({ id, consumerId, lane }: FlushJob, change: InstanceChange): string => {
  const { resultText, ...rest } = change;
  const head = JSON.stringify({
    id,
    consumer: consumerId,
    lane,
    hasResult: resultText != null,
    ...rest,
    progress: change.progress ?? false,
  });
  // The result's text is used as it is: it was made when the function ended.
  return resultText == null ? head : `${head.slice(0, -1)},"result":${resultText}}`;
};

const rowText = (
  { id, consumerId, lane }: FlushJob,
  { entry, valueText, delayMs, until, tookMs }: RecordRow,
): string => {
  const { value: _, ...rest } = entry;
  const head = JSON.stringify({
    instance: id,
    consumer: consumerId,
    lane,
    ...rest,
    hasValue: valueText !== null,
    delayMs,
    until,
    tookMs,
  });
  return valueText === null ? head : `${head.slice(0, -1)},"value":${valueText}}`;
};

const eventsText = (jobs: readonly FlushJob[]): string =>
  `[${jobs.flatMap(({ drafts }) => drafts.map(({ draft, envelope }) => storedDraftText(draft, envelope))).join(',')}]`;

/** In one order, so that those who lock several do not wait for one another in a circle. */
const lanesOf = (jobs: readonly FlushJob[]): readonly string[] => {
  const lanes = new Map(jobs.map((job) => [`${job.consumerId}/${job.lane}/${job.token}`, job]));
  const sorted = [...lanes.values()].sort((a, b) => a.consumerId - b.consumerId || a.lane - b.lane);
  const arrayOf = (part: 'consumerId' | 'lane' | 'token'): string =>
    `{${sorted.map((job) => job[part]).join(',')}}`;
  return [arrayOf('consumerId'), arrayOf('lane'), arrayOf('token')];
};

const resultValues = (
  { id, consumerId, lane, token }: FlushJob,
  { entry, valueText, tookMs }: RecordRow,
): LastStatement['values'] => {
  const { undo, ordinal, kind, name, state, attempts, completion, error } = entry;
  const call = [id, String(undo), ordinal, kind, name, state, attempts, completion];
  return [consumerId, lane, token, ...call, valueText, error && JSON.stringify(error), tookMs ?? 0];
};

/** Of one call that has ended; null: there is more to record. */
const singleRow = ({ rows, waits, drafts }: FlushJob): RecordRow | null => {
  const [row] = rows;
  if (row === undefined || rows.length + waits.length + drafts.length > 1) return null;
  return row.entry.state === 'pending' || row.delayMs != null || row.until != null ? null : row;
};

/** Of one instance, which ends with the call or goes on. */
const singleStatement = (job: FlushJob): LastStatement | null => {
  const row = singleRow(job);
  if (row === null) return null;
  const values = resultValues(job, row);
  const { change } = job;
  if (change === null) return { query: flushQueries.record_result, values };
  const { state, held, due, failure, ending, calls = null, resultText = null, progress = false } = change;
  const isEnd = state !== undefined && endStates.includes(state) && held === false && due === 'never';
  if (!isEnd || failure !== undefined || ending !== undefined) return null;
  const end = [state, calls, resultText, String(progress)];
  return { query: flushQueries.record_end, values: [...values, ...end] };
};

/**
 * The statement that records a single call, if that is all. It answers with one row written, or with none: then `flushStatement`
 * says why.
 */
export const callStatement = (jobs: readonly FlushJob[]): LastStatement | null => {
  const [job] = jobs;
  if (job === undefined || jobs.length > 1 || job.change !== null) return null;
  const row = singleRow(job);
  return row === null ? null : { query: flushQueries.record_call, values: resultValues(job, row) };
};

/** The statement that records the jobs and publishes the events (a parameter of `publish`; default: those of the jobs). */
export const flushStatement = (jobs: readonly FlushJob[], events = eventsText(jobs)): LastStatement => {
  const [first] = jobs;
  if (first !== undefined && jobs.length === 1 && events === '[]') {
    const single = singleStatement(first);
    if (single !== null) return single;
  }
  const rows = jobs.flatMap((job) => job.rows.map((row) => rowText(job, row)));
  const changes = jobs.flatMap((job) => (job.change === null ? [] : [changeText(job, job.change)]));
  const waits = jobs.flatMap(({ id, workflowId, waits }) =>
    waits.map((wait) => ({ instance: id, workflow: workflowId, ...wait })),
  );
  const results = [...lanesOf(jobs), rows.length + changes.length, `[${rows.join(',')}]`];
  if (waits.length > 0 || events !== '[]') {
    const values = [...results, `[${changes.join(',')}]`, JSON.stringify(waits), events];
    return { query: flushQueries.flush, values };
  }
  if (changes.length > 0)
    return { query: flushQueries.record, values: [...results, `[${changes.join(',')}]`] };
  return { query: flushQueries.record_results, values: results };
};
