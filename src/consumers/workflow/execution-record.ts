import { currentTrace, uuidv8 } from '../../foundation/index.ts';
import type { Cause } from '../../log/index.ts';
import type { LastStatement } from '../../postgres/index.ts';
import type { PublishedDraft } from './calls.ts';
import type { ExecutionServices, HeldLane } from './execution-services.ts';
import {
  type FlushJob,
  flushStatement,
  type InstanceChange,
  type RecordRow,
  type WaitRow,
} from './flush-job.ts';
import type { FlushResult } from './flusher.ts';
import type { LoadedInstance } from './instance.ts';
import type { JournalEntry } from './journal.ts';

/**
 * What one instance has to record, gathered until it is flushed: everything that was gathered before goes in one go, so what
 * stands in the journal is always a beginning of what happened.
 */
export class ExecutionRecord {
  readonly cause: Cause;
  readonly #services: ExecutionServices;
  readonly #instance: LoadedInstance;
  readonly #lane: HeldLane;
  /** The calls that are on record. */
  readonly #stored: Set<number>;
  #rows: RecordRow[] = [];
  #waits: WaitRow[] = [];
  #drafts: PublishedDraft[] = [];
  #change: InstanceChange = {};
  #changed = false;

  constructor(services: ExecutionServices, instance: LoadedInstance, lane: HeldLane) {
    this.#services = services;
    this.#instance = instance;
    this.#lane = lane;
    this.#stored = callsOf(instance.journal);
    const { correlationId, causationId, traceparent, tracestate } = instance.cause;
    const own = correlationId ?? uuidv8([`workflow:${instance.workflowId}`, String(instance.id), 0]);
    this.cause = {
      correlationId: own,
      causationId: causationId ?? own,
      ...(traceparent === undefined ? {} : { traceparent }),
      ...(tracestate === undefined ? {} : { tracestate }),
    };
  }

  get empty(): boolean {
    return this.#rows.length === 0 && this.#waits.length === 0 && this.#drafts.length === 0 && !this.#changed;
  }

  /** What is recorded of one call is its latest state. */
  row(row: RecordRow): void {
    const { ordinal, undo } = row.entry;
    const earlier = this.#rows.findIndex(({ entry }) => entry.ordinal === ordinal && entry.undo === undo);
    if (earlier >= 0) this.#rows.splice(earlier, 1);
    this.#rows.push(row);
  }

  /** As `row`. */
  wait(wait: WaitRow): void {
    const earlier = this.#waits.findIndex(({ ordinal }) => ordinal === wait.ordinal);
    if (earlier >= 0) this.#waits.splice(earlier, 1);
    this.#waits.push(wait);
  }

  publish(drafts: readonly PublishedDraft[]): void {
    this.#drafts.push(...drafts);
  }

  change(change: InstanceChange): void {
    this.#change = { ...this.#change, ...change };
    this.#changed = true;
  }

  /** Takes what was gathered. */
  take(): FlushJob {
    const { id, workflowId, consumerId } = this.#instance;
    const { lane, token } = this.#lane;
    const job: FlushJob = {
      id,
      workflowId,
      consumerId,
      lane,
      token,
      rows: this.#rows,
      change: this.#changed ? this.#counted() : null,
      waits: this.#waits,
      drafts: this.#drafts.map(({ ordinal, draft }) => ({
        ordinal,
        draft,
        envelope: this.#envelope(ordinal),
      })),
    };
    this.#rows = [];
    this.#waits = [];
    this.#drafts = [];
    this.#change = {};
    this.#changed = false;
    return job;
  }

  /** With how many calls are on record then. What makes an instance stuck may be a row too many. */
  #counted(): InstanceChange {
    if (this.#change.state === 'stuck') return this.#change;
    const taken = callsOf(this.#rows.map(({ entry }) => entry));
    return { ...this.#change, calls: new Set([...this.#stored, ...taken]).size };
  }

  /** The statement that records one row by itself, as the last one of a transaction that publishes these events. */
  alone(row: RecordRow, events: string): LastStatement {
    const { id, workflowId, consumerId } = this.#instance;
    const { lane, token } = this.#lane;
    const job = { id, workflowId, consumerId, lane, token, rows: [row], change: null, waits: [], drafts: [] };
    return flushStatement([job], events);
  }

  /** Writes what was gathered, with what other instances have to record. */
  async flush(): Promise<FlushResult> {
    const job = this.take();
    const result = await this.#services.flusher.submit(job, () => this.#lane.dropped);
    if (result.kind === 'recorded') for (const { entry } of job.rows) this.noteStored(entry);
    return result;
  }

  /** It is on record by itself. */
  noteStored({ undo, ordinal }: JournalEntry): void {
    if (!undo) this.#stored.add(ordinal);
  }

  /** The id of an event is that of its call, whatever process publishes it. */
  #envelope(ordinal: number): FlushJob['drafts'][number]['envelope'] {
    const { correlationId, causationId, ...carried } = this.cause;
    const trace = {
      ...(carried.traceparent ? { traceparent: carried.traceparent } : {}),
      ...(carried.tracestate ? { tracestate: carried.tracestate } : {}),
    };
    return {
      id: uuidv8([`workflow:${this.#instance.workflowId}`, `${this.#instance.id}:publish`, ordinal]),
      source: this.#services.runner.app.source,
      correlationId,
      causationId,
      ...currentTrace(trace),
    };
  }
}

const callsOf = (entries: readonly JournalEntry[]): Set<number> =>
  new Set(entries.filter(({ undo }) => !undo).map(({ ordinal }) => ordinal));
