import { type DraftEnvelope, storedDraftText } from '../../contracts/index.ts';
import type { PublishedDraft } from './calls.ts';
import type { EndingFailure, InstanceState, StuckReason } from './instance.ts';
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

const jobText = ({ id, consumerId, lane, token, rows, change }: FlushJob): string => {
  const { resultText, ...rest } = change ?? {};
  const head = JSON.stringify({
    id,
    consumer: consumerId,
    lane,
    token,
    rows: rows.length,
    change: change !== null,
    hasResult: resultText != null,
    ...rest,
    progress: change?.progress ?? false,
  });
  // The result's text is used as it is: it was made when the function ended.
  return resultText == null ? head : `${head.slice(0, -1)},"result":${resultText}}`;
};

const rowText = (instance: number, { entry, valueText, delayMs, until, tookMs }: RecordRow): string => {
  const { value: _, ...rest } = entry;
  const head = JSON.stringify({
    instance,
    ...rest,
    hasValue: valueText !== null,
    delayMs: delayMs ?? null,
    until: until ?? null,
    tookMs: tookMs ?? null,
  });
  return valueText === null ? head : `${head.slice(0, -1)},"value":${valueText}}`;
};

/** The parameters of the statement `flush`. */
export const flushParameters = (
  jobs: readonly FlushJob[],
  { events, strict }: { readonly events?: string; readonly strict: boolean },
): [string, string, string, string, string] => [
  `[${jobs.map(jobText).join(',')}]`,
  `[${jobs.flatMap((job) => job.rows.map((row) => rowText(job.id, row))).join(',')}]`,
  JSON.stringify(
    jobs.flatMap(({ id, workflowId, waits }) =>
      waits.map((wait) => ({ instance: id, workflow: workflowId, ...wait })),
    ),
  ),
  events ??
    `[${jobs
      .flatMap(({ id, drafts }) =>
        drafts.map(({ draft, envelope }) => `{"instance":${id},${storedDraftText(draft, envelope).slice(1)}`),
      )
      .join(',')}]`,
  String(strict),
];

/** Adds the instance to each event of the publish statement's parameter. */
export const ownedEvents = (id: number, events: string): string =>
  JSON.stringify((JSON.parse(events) as object[]).map((event) => ({ instance: id, ...event })));
