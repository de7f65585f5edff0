import { payloadText } from '../../contracts/index.ts';
import { type Clock, FactlineError, uuidv8 } from '../../foundation/index.ts';
import { classifyDatabaseError, type Database, loadQueries, run } from '../../postgres/index.ts';
import type { Entry, ReplayTerms } from './entry.ts';

const sql = loadQueries<
  'start_effect' | 'finish_effect' | 'forget_effect' | 'settle_effect' | 'open_effects' | 'recorded_effect'
>(new URL('./effects.sql', import.meta.url));
const replaySql = loadQueries<'take_replayed' | 'finish_replayed' | 'start_replayed_effect'>(
  new URL('./redelivery.sql', import.meta.url),
);

export interface EffectLedgerOptions {
  readonly database: Database;
  readonly clock: Clock;
  readonly consumer: { readonly id: number; readonly name: string };
}

/** new: nothing is known, call. repeated: an earlier call's outcome was not recorded. done: here is its result. */
export type EffectStart =
  | { readonly state: 'new' | 'repeated'; readonly idempotencyKey: string }
  | { readonly state: 'done'; readonly result: unknown };

/** One idempotency key per (consumer, event, effect), the same in every attempt and process. */
export const effectKey = (consumerId: number, eventId: string, name: string): string =>
  uuidv8([`effect:${consumerId}`, `${eventId}:${name}`, 0]);

/** Of a replay: the original key, unless its effects are to happen anew. */
const replayedKey = (consumerId: number, { event, replay }: Entry, name: string): string =>
  replay?.effects === 'execute'
    ? uuidv8([`effect:${consumerId}:replay:${replay.id}`, `${event.id}:${name}`, 0])
    : effectKey(consumerId, event.id, name);

/** How often writing down a result is tried: it happened, and a retry would ask the outside world again. */
const recordAttemptsMax = 4;
const recordPauseMs = 200;

/** The record of what a handler did outside of the database (ENGINE.md §6). */
export class EffectLedger {
  readonly #options: EffectLedgerOptions;

  constructor(options: EffectLedgerOptions) {
    this.#options = options;
  }

  /** @throws FactlineError LEASE_LOST; EFFECT_BLOCKED in a replay */
  async start(entry: Entry, name: string, token: number): Promise<EffectStart> {
    const { database, consumer } = this.#options;
    if (entry.replay !== null) return this.#startReplayed({ entry, name, token }, entry.replay);
    const idempotencyKey = effectKey(consumer.id, entry.event.id, name);
    const values = [consumer.id, entry.lane, token, entry.position, entry.event.id, name, idempotencyKey];
    let [row] = await run(database.operations, sql.start_effect, values);
    if (row?.['fenced'] === 1 && row['fresh'] === 0 && row['state'] === null) {
      // Somebody inserted it after this statement's snapshot: a new one sees it.
      [row] = await run(database.operations, sql.start_effect, values);
    }
    if (row?.['fenced'] !== 1)
      throw new FactlineError('LEASE_LOST', { lane: entry.lane, consumer: consumer.name });
    if (row['state'] === 'done') return { state: 'done', result: row['result'] ?? undefined };
    return { state: row['fresh'] === 1 ? 'new' : 'repeated', idempotencyKey };
  }

  async #startReplayed(
    { entry, name, token }: { readonly entry: Entry; readonly name: string; readonly token: number },
    { id, effects }: ReplayTerms,
  ): Promise<EffectStart> {
    const { database, consumer } = this.#options;
    const idempotencyKey = replayedKey(consumer.id, entry, name);
    const { lane, position, event } = entry;
    const values = [consumer.id, lane, token, position, event.id, name, idempotencyKey, id, effects];
    const [row] = await run(database.operations, replaySql.start_replayed_effect, values);
    if (row?.['fenced'] !== 1) throw new FactlineError('LEASE_LOST', { lane, consumer: consumer.name });
    if (row['disposition'] === 'blocked') {
      const why =
        effects === 'skip'
          ? 'effects are skipped, and no earlier result is recorded'
          : 'its maximum is reached';
      throw new FactlineError('EFFECT_BLOCKED', { effect: name, consumer: consumer.name, replay: id, why });
    }
    if (row['state'] === 'done') return { state: 'done', result: row['result'] ?? undefined };
    // Under the original key an outcome that live operation left unknown is unknown here as well.
    const unknown = row['fresh'] !== 1 || (effects === 'reuse' && row['live_state'] === 'started');
    return { state: unknown ? 'repeated' : 'new', idempotencyKey };
  }

  /** The result's JSON text. @throws FactlineError EFFECT_RESULT_INVALID */
  textOf(name: string, result: unknown): string | null {
    if (result === undefined) return null;
    try {
      return payloadText(name, result);
    } catch (error) {
      const issues = FactlineError.is(error) ? error.details['issues'] : [];
      throw new FactlineError('EFFECT_RESULT_INVALID', {
        effect: name,
        consumer: this.#options.consumer.name,
        issues,
      });
    }
  }

  /** Records what happened; also for a process that lost the lane meanwhile. */
  async finish(
    entry: Entry,
    name: string,
    record: { readonly text: string | null; readonly token: number },
  ): Promise<void> {
    const { database, consumer, clock } = this.#options;
    const idempotencyKey = replayedKey(consumer.id, entry, name);
    const replayId = entry.replay?.id ?? 0;
    const values = [consumer.id, entry.event.id, name, idempotencyKey, record.text, record.token, replayId];
    for (let attempt = 1; ; attempt += 1) {
      try {
        await run(database.operations, sql.finish_effect, values);
        return;
      } catch (error) {
        if (attempt >= recordAttemptsMax || classifyDatabaseError(error) !== 'transient') throw error;
        await clock.sleep(recordPauseMs * attempt);
      }
    }
  }

  /** The call did not happen: the next attempt begins it anew. */
  async forget(entry: Entry, name: string, token: number): Promise<void> {
    const { database, consumer } = this.#options;
    const replayId = entry.replay?.id ?? 0;
    await run(database.operations, sql.forget_effect, [consumer.id, entry.event.id, name, token, replayId]);
  }

  /** A person says what became of a call; false when there is no such call with an unknown outcome. */
  async settle(
    eventId: string,
    name: string,
    verdict: { readonly happened: boolean; readonly result: unknown },
  ): Promise<boolean> {
    const { database, consumer } = this.#options;
    const text = verdict.happened ? this.textOf(name, verdict.result) : null;
    const values = [consumer.id, eventId, name, verdict.happened ? 'happened' : 'did not', text];
    const [row] = await run(database.operations, sql.settle_effect, values);
    return row?.['settled'] === 1;
  }

  /** The calls of an event whose outcome is not recorded. */
  async open(eventId: string): Promise<string[]> {
    const { database, consumer } = this.#options;
    return (await run(database.operations, sql.open_effects, [consumer.id, eventId])).map((row) =>
      String(row['name']),
    );
  }

  /** The result of a call that is known to have happened; null when none is. */
  async recorded(eventId: string, name: string): Promise<{ readonly result: unknown } | null> {
    const { database, consumer } = this.#options;
    const [row] = await run(database.operations, sql.recorded_effect, [consumer.id, eventId, name]);
    return row === undefined ? null : { result: row['result'] ?? undefined };
  }
}
