import type { Draft } from '../../contracts/index.ts';
import type { Tx } from '../../log/index.ts';
import { loadQueries, type Queryable, type Row, run } from '../../postgres/index.ts';
import { systemEvents } from './contracts.ts';

const sql = loadQueries<'switch_on' | 'switch_off' | 'waiting' | 'take'>(
  new URL('./system-events.sql', import.meta.url),
);

/** In one transaction; what is left follows with the next pass. */
const factsMax = 200;

/** From now on facts of the app's consumers are noted, or no longer. */
export const switchSystemEvents = async (on: Queryable, app: string, wanted: boolean): Promise<void> => {
  await run(on, wanted ? sql.switch_on : sql.switch_off, [app]);
};

export const systemFactsWait = async (on: Queryable, app: string): Promise<boolean> =>
  (await run(on, sql.waiting, [app]))[0]?.['waiting'] === true;

export interface FactPublishing {
  readonly app: string;
  /** A key as it may be shown. */
  readonly shownKey: (key: string) => string;
}

/** Publishes what was noted and takes it out, in the transaction given: each fact once. Answers how many. */
export const publishFacts = async (tx: Tx, { app, shownKey }: FactPublishing): Promise<number> => {
  const { rows } = await tx.query(sql.take.text, [app, factsMax]);
  const [first, ...rest] = rows.map((row) => draftOf(row as Row, shownKey));
  if (first !== undefined) tx.publish(first, ...rest);
  return rows.length;
};

const draftOf = (row: Row, shownKey: FactPublishing['shownKey']): Draft => {
  const facts = row['facts'] as Readonly<Record<string, unknown>>;
  const make = makers[row['kind'] as keyof typeof makers];
  const key = facts['number'] === undefined ? facts['key'] : shownKey(String(facts['key']));
  const outcome = row['discarded'] === true ? 'discarded' : 'tried again';
  const payload = {
    ...facts,
    ...(key === undefined ? {} : { key }),
    ...(row['kind'] === 'key.released' ? { outcome } : {}),
  };
  return make(payload as never);
};

/** By the names that the triggers of 0005 give them. */
const makers = {
  'consumer.paused': systemEvents.consumerPaused,
  'consumer.resumed': systemEvents.consumerResumed,
  'key.quarantined': systemEvents.keyQuarantined,
  'key.released': systemEvents.keyReleased,
  'replay.finished': systemEvents.replayFinished,
  'alert.fired': systemEvents.alertFired,
  'alert.resolved': systemEvents.alertResolved,
} as const satisfies Readonly<Record<string, (facts: never) => Draft>>;
