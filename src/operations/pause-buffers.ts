import { loadQueries, type Queryable, type Row, run } from '../postgres/index.ts';
import { countText } from './duration-text.ts';
import type { ConsumerFacts, PauseBuffer } from './facts.ts';

const sql = loadQueries<'read_buffers' | 'count_on'>(new URL('./pause-buffers.sql', import.meta.url));

/** Rows of the log that one look goes over: about 10 ms. */
const rowsMax = 20_000;

/** A pause with a limit, and what has come while it lasts. */
export interface BufferedPause {
  readonly consumerId: number;
  readonly consumer: string;
  readonly scope: 'consumer' | 'type' | 'key';
  /** The type or key; empty for the whole consumer. */
  readonly value: string;
  /** As PostgreSQL writes it: by this one pause is told from the next. */
  readonly pausedAt: string;
  readonly by: string | null;
  readonly reason: string;
  readonly buffer: PauseBuffer;
}

export const readBuffers = async (on: Queryable, app: string | null): Promise<readonly BufferedPause[]> =>
  (await run(on, sql.read_buffers, [app, rowsMax])).map(bufferedPause);

/** Moves what is counted up to the mark of the log, so that long pauses stay cheap to look at. */
export const countBuffers = async (on: Queryable, app: string): Promise<void> => {
  await run(on, sql.count_on, [app, rowsMax]);
};

export const isExceeded = ({ events, max }: PauseBuffer): boolean => events > max;

/** @example '1,204 events have come, 1,000 may' */
export const bufferText = (buffer: PauseBuffer): string => {
  const events = `${buffer.exact ? '' : 'at least '}${countText(buffer.events, 'event has come', 'events have come')}`;
  return `${events}, ${buffer.max.toLocaleString('en-US')} may`;
};

/** The consumers with what their pauses buffer; asks nothing while none is paused. */
export const withBuffers = async (
  on: Queryable,
  app: string | null,
  consumers: readonly ConsumerFacts[],
): Promise<ConsumerFacts[]> => {
  if (consumers.every(({ paused, pausedParts }) => paused === null && pausedParts.length === 0))
    return [...consumers];
  const buffers = await readBuffers(on, app);
  const bufferOf = (id: number, scope: BufferedPause['scope'], value: string): PauseBuffer | null =>
    buffers.find((each) => each.consumerId === id && each.scope === scope && each.value === value)?.buffer ??
    null;
  return consumers.map((facts) => ({
    ...facts,
    paused: facts.paused && { ...facts.paused, buffer: bufferOf(facts.id, 'consumer', '') },
    pausedParts: facts.pausedParts.map((part) => ({
      ...part,
      buffer: bufferOf(facts.id, part.scope, part.value),
    })),
  }));
};

const bufferedPause = (row: Row): BufferedPause => ({
  consumerId: Number(row['id']),
  consumer: String(row['name']),
  scope: row['scope'] as BufferedPause['scope'],
  value: String(row['value']),
  pausedAt: String(row['paused_at']),
  by: row['actor'] as string | null,
  reason: String(row['reason']),
  buffer: {
    max: Number(row['buffer_max']),
    events: Number(row['events']),
    exact: row['exact'] === true,
    resumes: row['buffer_resumes'] === true,
  },
});
