import type pg from 'pg';
import type { Clock } from '../../foundation/index.ts';
import { loadQueries, run } from '../../postgres/index.ts';
import type { Predicted } from '../estimate/estimate.ts';
import { exactly } from '../estimate/intervals.ts';
import type { LogSelection } from '../request/selection.ts';
import { type SampledRange, sampleRange } from './sampling.ts';
import { bounded, matching, spans } from './walk.ts';

const sql = loadQueries<'count_span'>(new URL('./freeze.sql', import.meta.url));

/** Up to so many positions everything is looked at, which takes about a second. */
export const sampledAbove = 250_000;

export interface CountRequest {
  readonly selection: LogSelection;
  readonly types: readonly string[];
  readonly ceiling: number;
  /** Positions that are looked at one by one; default 250,000. */
  readonly sampledAbove?: number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** What a log holds up to a ceiling. */
export interface LogCount {
  /** False: everything was counted, and each interval is a single number. */
  readonly sampled: boolean;
  readonly events: Predicted;
  readonly types: SampledRange['types'];
}

/**
 * A whole log keeps no rows: positions up to a settled ceiling never change. A long one is sampled; where chance has found nothing
 * it is counted, since nothing and little are not the same.
 */
export const countLog = async (pool: pg.Pool, request: CountRequest): Promise<LogCount> => {
  const { selection, types, ceiling } = request;
  if (ceiling <= (request.sampledAbove ?? sampledAbove)) return countAll(pool, request);
  const values = matching(selection, types);
  const sampled = await sampleRange(pool, { from: 1, to: ceiling }, { ...request, values });
  if (sampled.events.likely === 0) return countAll(pool, request);
  return { sampled: true, events: sampled.events, types: sampled.types };
};

const countAll = async (pool: pg.Pool, request: CountRequest): Promise<LogCount> => {
  const { types, ceiling } = request;
  const counts = new Map<string, { readonly events: number; readonly bytes: number }>();
  for await (const { after, upTo } of spans(request, { from: 1, to: ceiling })) {
    const { value } = await bounded(pool, (client) => run(client, sql.count_span, [after, upTo, types]));
    for (const row of value) {
      const type = String(row['type']);
      const sofar = counts.get(type) ?? { events: 0, bytes: 0 };
      counts.set(type, {
        events: sofar.events + Number(row['count']),
        bytes: sofar.bytes + Number(row['bytes']),
      });
    }
  }
  return {
    sampled: false,
    events: exactly([...counts.values()].reduce((sum, { events }) => sum + events, 0)),
    types: new Map(
      [...counts].map(([type, { events, bytes }]) => [
        type,
        { events: exactly(events), bytes: exactly(bytes) },
      ]),
    ),
  };
};
