import type pg from 'pg';
import { type Clock, type Randomness, systemRandomness } from '../../foundation/index.ts';
import { loadQueries, type Row, run } from '../../postgres/index.ts';
import type { Predicted } from '../estimate/estimate.ts';
import { predictSum } from '../estimate/intervals.ts';
import { bounded, type PositionRange } from './walk.ts';

const sql = loadQueries<'sample_spans'>(new URL('./freeze.sql', import.meta.url));

/** Short enough that a span mostly lies in one page of the log: many places say more than many events of one place. */
const spanPositions = 16;
const spansPerRound = 1_000;
const roundsMax = 8;
/** After it no further round begins: on a slow disk the intervals are wider instead. */
const withinMs = 1_000;

/** What a part of the log holds of a selection, from spans of it that chance has picked. */
export interface SampledRange {
  /** Positions that were looked at. */
  readonly positions: number;
  readonly events: Predicted;
  readonly types: ReadonlyMap<string, { readonly events: Predicted; readonly bytes: Predicted }>;
}

export interface SampleOptions {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** True: it is known well enough. */
  readonly enough?: (sofar: SampledRange) => boolean;
}

/**
 * Where the spans of a round begin: one at any place of each of as many equal parts of the range, so that they are spread evenly, and
 * each position is as likely as any other.
 */
export const drawSpans = (
  { from, to }: PositionRange,
  { float }: Pick<Randomness, 'float'>,
): readonly number[] => {
  const share = spansIn({ from, to }) / spansPerRound;
  return Array.from(
    { length: spansPerRound },
    (_, part) => from + Math.floor((part + float()) * share) * spanPositions,
  );
};

const spansIn = ({ from, to }: PositionRange): number => Math.ceil((to - from + 1) / spanPositions);

/**
 * Estimates what of a range of positions matches (`matching` of walk.ts) by rounds of spans, each round over the whole range.
 * Bytes are known less surely than events: a span that is heavier than all that were seen can't be foreseen.
 */
export const sampleRange = async (
  pool: pg.Pool,
  range: PositionRange,
  { values, ...options }: SampleOptions & { readonly values: readonly unknown[] },
): Promise<SampledRange> => {
  const { clock, signal, enough } = options;
  const until = clock.monotonic() + withinMs;
  const sums = new Map<string | null, Sums>();
  for (let round = 1; ; round += 1) {
    signal.throwIfAborted();
    const drawn = [...values, drawSpans(range, systemRandomness), spanPositions, range.to];
    const { value } = await bounded(pool, (client) => run(client, sql.sample_spans, drawn));
    for (const row of value) add(sums, row);
    const sofar = summaryOf(sums, { range, rounds: round });
    if (round === roundsMax || clock.monotonic() > until || enough?.(sofar) === true) return sofar;
  }
};

/** Over all spans so far: of the events, and of their bytes. */
interface Sums {
  readonly events: number;
  readonly eventsSquared: number;
  readonly bytes: number;
  readonly bytesSquared: number;
  readonly bytesMost: number;
}

const add = (sums: Map<string | null, Sums>, row: Row): void => {
  const type = row['type'] as string | null;
  const sofar = sums.get(type);
  const plus = (before: number | undefined, name: string): number => (before ?? 0) + Number(row[name]);
  sums.set(type, {
    events: plus(sofar?.events, 'events'),
    eventsSquared: plus(sofar?.eventsSquared, 'events_squared'),
    bytes: plus(sofar?.bytes, 'bytes'),
    bytesSquared: plus(sofar?.bytesSquared, 'bytes_squared'),
    bytesMost: Math.max(sofar?.bytesMost ?? 0, Number(row['bytes_most'])),
  });
};

const none: Sums = { events: 0, eventsSquared: 0, bytes: 0, bytesSquared: 0, bytesMost: 0 };

const summaryOf = (
  sums: ReadonlyMap<string | null, Sums>,
  { range, rounds }: { readonly range: PositionRange; readonly rounds: number },
): SampledRange => {
  const drawn = rounds * spansPerRound;
  const parts = spansIn(range);
  const positions = range.to - range.from + 1;
  const eventsOf = ({ events: sum, eventsSquared: sumOfSquares }: Sums): Predicted => {
    const { likely, low, high } = predictSum({ drawn, sum, sumOfSquares, most: spanPositions }, parts);
    return { likely: Math.min(likely, positions), low, high: Math.min(high, positions) };
  };
  const bytesOf = ({ bytes: sum, bytesSquared: sumOfSquares, bytesMost: most }: Sums): Predicted =>
    predictSum({ drawn, sum, sumOfSquares, most }, parts);
  const types = [...sums].flatMap(([type, each]) =>
    type === null ? [] : [[type, { events: eventsOf(each), bytes: bytesOf(each) }] as const],
  );
  return {
    positions: drawn * spanPositions,
    events: eventsOf(sums.get(null) ?? none),
    types: new Map(types.sort(([one], [other]) => (one < other ? -1 : 1))),
  };
};
