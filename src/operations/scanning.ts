import { keyHash, laneOf } from '../foundation/index.ts';
import { loadQueries, type Queryable, type Row, run } from '../postgres/index.ts';
import type { NewerGeneration } from './facts.ts';

const sql = loadQueries<'scan_log'>(new URL('./measuring.sql', import.meta.url));

/** Rows of the log looked at first: about 5 ms. Nearly always the oldest unhandled event is among the first. */
const firstLookMax = 2_000;
/** Further looks, while no unhandled event was found: a consumer that stood still while others' types were published. */
const furtherLookMax = 20_000;
const furtherLooksMax = 5;

/** What a scan needs to know of a consumer. */
export interface Scanned {
  readonly id: number;
  readonly types: readonly string[];
  readonly newerGeneration: NewerGeneration | null;
  readonly ordering: 'key' | 'global' | 'none';
  readonly startPosition: number;
  /** The last position of the log when the marks were read. */
  readonly head: number;
  readonly lanes: readonly { readonly lane: number; readonly checkpoint: number }[];
}

export interface FoundInLog {
  /** Unhandled events above the mark among the rows looked at. */
  readonly unhandled: number;
  /** The whole log above the mark was looked at. */
  readonly exact: boolean;
  /**
   * When no event was found in the bounded look and the log goes on, the age of the last row looked at stands in, with
   * `exact: false`: the oldest unhandled event is at most that old.
   */
  readonly oldest: {
    readonly position: number;
    readonly ageMs: number;
    readonly lane: number;
    readonly exact: boolean;
  } | null;
}

/** The oldest unhandled events above the marks, by consumer id. */
export const scanLog = async (
  on: Queryable,
  consumers: readonly Scanned[],
): Promise<Map<number, FoundInLog>> => {
  const found = new Map<number, FoundInLog>();
  let open = consumers.map((consumer) => ({ consumer, after: Math.min(...checkpointsOf(consumer)) }));
  // Nothing stood above its marks when they were read: nothing to look at.
  for (const { consumer, after } of open)
    if (after >= consumer.head) found.set(consumer.id, { unhandled: 0, exact: true, oldest: null });
  open = open.filter(({ consumer }) => !found.has(consumer.id));
  for (let look = 0; open.length > 0 && look <= furtherLooksMax; look += 1) {
    const rowsMax = look === 0 ? firstLookMax : furtherLookMax;
    const rows = await run(on, sql.scan_log, [JSON.stringify(open.map(request)), rowsMax]);
    const byId = new Map(rows.map((row) => [Number(row['id']), row]));
    const next: typeof open = [];
    for (const each of open) {
      const row = byId.get(each.consumer.id);
      const result = evaluate(each.consumer, row, rowsMax);
      found.set(each.consumer.id, result);
      // Only a stand-in so far, and the log goes on: look further.
      if (result.oldest?.exact === false)
        next.push({ consumer: each.consumer, after: Number(row?.['last']) });
    }
    open = next;
  }
  return found;
};

/** By lane, from 0; a consumer without lanes stands where it started. */
const checkpointsOf = ({ lanes, startPosition }: Scanned): number[] =>
  lanes.length === 0 ? [startPosition] : lanes.map(({ checkpoint }) => checkpoint);

const request = ({
  consumer,
  after,
}: {
  consumer: Scanned;
  after: number;
}): Readonly<Record<string, unknown>> => ({
  id: consumer.id,
  after,
  types: consumer.types,
  newerTypes: consumer.newerGeneration?.types ?? [],
  barrier: consumer.newerGeneration?.barrier ?? 0,
  ordering: consumer.ordering,
  checkpoints: checkpointsOf(consumer),
});

const evaluate = (consumer: Scanned, row: Row | undefined, rowsMax: number): FoundInLog => {
  const exact = Number(row?.['scanned'] ?? 0) < rowsMax;
  const candidates = row?.['candidates'] as Candidate[] | null | undefined;
  const lanes = Math.max(1, consumer.lanes.length);
  const hits = candidates ? candidatesAboveMark(consumer, candidates) : null;
  const unhandled = hits === null ? Number(row?.['unhandled'] ?? 0) : hits.length;
  if (hits?.[0] !== undefined) {
    const [position, id, ageMs] = hits[0];
    return { unhandled, exact, oldest: { position, ageMs, lane: laneOf(keyHash(id), lanes), exact: true } };
  }
  if (hits === null && unhandled > 0) {
    const lane = lanes === 1 ? 0 : laneOf(Number(row?.['key_hash']), lanes);
    return {
      unhandled,
      exact,
      oldest: { position: Number(row?.['position']), ageMs: Number(row?.['age_ms']), lane, exact: true },
    };
  }
  if (exact) return { unhandled: 0, exact, oldest: null };
  const standIn = {
    position: Number(row?.['last']),
    ageMs: Number(row?.['last_age_ms']),
    lane: 0,
    exact: false,
  };
  return { unhandled: 0, exact, oldest: standIn };
};

type Candidate = readonly [position: number, id: string, ageMs: number];

/** Under ordering 'none' the lane follows from the event's id, which only this side can hash. */
const candidatesAboveMark = (consumer: Scanned, candidates: readonly Candidate[]): readonly Candidate[] => {
  const checkpoints = checkpointsOf(consumer);
  return candidates.filter(
    ([position, id]) => position > (checkpoints[laneOf(keyHash(id), checkpoints.length)] ?? 0),
  );
};
