import { readHead, type StoredEvent, storedEvent } from '../../log/index.ts';
import { loadQueries, type Queryable, runArrays } from '../../postgres/index.ts';

const sql = loadQueries<'sample_span' | 'sample_parked'>(new URL('./evidence.sql', import.meta.url));

/** An event that is really in the log. */
export interface SampledEvent {
  readonly event: StoredEvent;
  /** The members of its payload: with type and source they tell which version of a producer wrote it. */
  readonly members: readonly string[];
  /** Where it is parked; of 5,000 rows of the quarantine. */
  readonly parked: readonly ParkedAt[];
}

export interface ParkedAt {
  /** For `quarantine show`. */
  readonly id: number;
  readonly consumer: string;
  /** Null: it has not failed, it waits behind one that has. */
  readonly failureClass: string | null;
}

export interface LogSample {
  /** Newest first. */
  readonly events: readonly SampledEvent[];
  readonly span: SampledSpan;
}

/** Where it was looked: the newest positions only, since no index leads by type. */
export interface SampledSpan {
  /** Exclusive; 0 when the whole log was looked at. */
  readonly after: number;
  readonly upTo: number;
}

export interface SampleRequest {
  readonly types: readonly string[];
  /** Of each producer version: type, source, and members of the payload. */
  readonly limit: number;
}

/** Positions in one statement: a tenth of a second at most. */
const spanLength = 50_000;
/** Looked at in any case, so that older versions of a producer are found as well. */
const lookedAtMin = 200_000;
/** And at most, while there are too few events of some type: a few seconds. */
const lookedAtMax = 1_000_000;
/** A payload that is a map has another version for each event: then the newest of the source have to do. */
const versionsMax = 20;
/** Rows of the quarantine looked at. */
const parkedRowsMax = 5_000;

/**
 * The newest events of these types, by producer version, and the newest parked ones. Walks the log backwards in bounded
 * spans, so it may not find events of a type that was published long ago: `span` says how far it looked.
 * @example await readSample(database.operations, { types: [OrderPlaced.type], limit: 200 })
 */
export const readSample = async (on: Queryable, request: SampleRequest): Promise<LogSample> => {
  const { visible } = await readHead(on);
  const chosen = new Chosen(request);
  let after = visible;
  while (after > 0) {
    const types = typesToLookFor(chosen, request, visible - after);
    if (types.length === 0) break;
    const upTo = after;
    after = Math.max(0, upTo - spanLength);
    const values = [after, upTo, types, request.limit, request.limit * versionsMax];
    for (const row of await runArrays(on, sql.sample_span, values)) chosen.offer(sampled(row));
  }
  const parked = await runArrays(on, sql.sample_parked, [request.types, parkedRowsMax]);
  return { events: withParked(chosen.events, parked.map(sampled)), span: { after, upTo: visible } };
};

/** All parked ones, however old, and the newest of the others. */
const withParked = (
  events: readonly SampledEvent[],
  parked: readonly SampledEvent[],
): readonly SampledEvent[] => {
  const byPosition = new Map([...events, ...parked].map((each) => [each.event.position, each]));
  return [...byPosition.values()].sort((a, b) => b.event.position - a.event.position);
};

const typesToLookFor = (
  chosen: Chosen,
  { types, limit }: SampleRequest,
  lookedAt: number,
): readonly string[] => {
  if (lookedAt >= lookedAtMax) return [];
  return lookedAt < lookedAtMin ? types : types.filter((type) => chosen.count(type) < limit);
};

/** The columns after those of an event: its members, and of a parked one where it is parked. */
const membersColumn = 10;
const parkedColumn = 11;

const sampled = (row: readonly unknown[]): SampledEvent => ({
  event: storedEvent(row),
  members: row[membersColumn] as string[],
  parked: (row[parkedColumn] as ParkedAt[] | undefined) ?? [],
});

/** The newest of each version, over several spans. */
class Chosen {
  readonly events: SampledEvent[] = [];
  readonly #request: SampleRequest;
  readonly #counts = new Map<string, number>();

  constructor(request: SampleRequest) {
    this.#request = request;
  }

  offer(candidate: SampledEvent): void {
    const { type, source } = candidate.event;
    const { limit } = this.#request;
    const version = JSON.stringify([type, source, candidate.members]);
    const ofSource = JSON.stringify([type, source]);
    if (this.count(version) >= limit || this.count(ofSource) >= limit * versionsMax) return;
    for (const name of [version, ofSource, type]) this.#counts.set(name, this.count(name) + 1);
    this.events.push(candidate);
  }

  /** Of a type, so far. */
  count(name: string): number {
    return this.#counts.get(name) ?? 0;
  }
}
