import { FactlineError, laneOf, type Timer } from '../../foundation/index.ts';
import { readPositions, type StoredEvent } from '../../log/index.ts';
import { loadQueries, type NamedQuery, run, sqlState } from '../../postgres/index.ts';
import { type ParkedState, type ParkFailure, type ParkRow, park } from '../parked/index.ts';
import type { RunnerServices } from '../runner.ts';
import type { Entry, ReplayTerms } from './entry.ts';
import { type Failed, failureRecord } from './failure-record.ts';
import type { FinishResult } from './inbox-writer.ts';
import type { KeyQueue } from './key-queue.ts';
import type { LaneWork } from './lane-work.ts';
import { RedeliveryPace } from './redelivery-pace.ts';
import type { Workload } from './workload.ts';

const sql = loadQueries<
  'take_replayed' | 'note_strain' | 'finish_replayed' | 'finish_replayed_publishing' | 'start_replayed_effect'
>(new URL('./redelivery.sql', import.meta.url));

export interface RedeliveryOptions {
  readonly services: RunnerServices;
  readonly workload: Workload;
  /** Slots that replays may use at most. */
  readonly slots: number;
  /** False while the breaker is open or a person has paused the consumer. */
  readonly allowed: () => boolean;
  readonly onLost: (lane: LaneWork) => void;
  readonly onChange: () => void;
}

interface TakenReplayed {
  readonly key: string;
  readonly keyHash: number;
  readonly position: number;
  readonly was: ParkedState;
  readonly attempts: number;
  readonly envelope: StoredEvent | null;
}

/** How soon a pause, an abort or more rows are noticed while a replay is under way. */
const lookEveryMs = 200;
/** How soon after an event its key's next one is looked for: what ends meanwhile shares the look. */
const nextLookMs = 20;
const failedLookMs = 1_000;

/** So many are taken ahead that a look serves several handlers, or a tenth of a second; after a death each of them is a suspect. */
const heldMax = (slots: number, rate: number): number =>
  Math.max(2 * slots, 8, Math.min(Math.ceil(rate / 10), 50));

/**
 * Delivers the events of a governed replay again: rows of `parked` under its number, of each key the first that is left, and
 * never while a live event of that key may begin (ENGINE.md §9). A failure stops the replay's rows of that key, nothing else.
 *
 *   due, look ──► taken (`running` in the table, in memory) ──► its turn ──► handled: inbox row under the replay, row deleted
 *                      ▲                │ paused, aborted                └──► failed: `retrying` or `quarantined`
 *                      └── `waiting` ◄──┘
 */
export class Redelivery {
  readonly #options: RedeliveryOptions;
  /** In memory, by position. */
  readonly #held = new Map<number, { readonly entry: Entry; readonly queue: () => KeyQueue | undefined }>();
  #timer: Timer | null = null;
  #looking = false;
  #again = false;
  #hurried = false;
  #rate = 0;
  readonly pace: RedeliveryPace;

  constructor(options: RedeliveryOptions) {
    this.#options = options;
    this.pace = new RedeliveryPace(options.services, options.onChange);
  }

  get slots(): number {
    return this.#options.slots;
  }

  /** Looks now; a call during a look has another one follow. */
  check(): void {
    if (this.#looking) {
      this.#again = true;
      return;
    }
    this.#looking = true;
    this.#hurried = false;
    this.#timer?.cancel();
    this.#timer = null;
    void this.#look()
      .catch((error: unknown) => {
        const { services } = this.#options;
        services.telemetry.emit('engine.error', { unit: `redelivery of ${services.consumer.name}`, error });
        return failedLookMs;
      })
      .then((nextMs) => {
        this.#looking = false;
        if (this.#again) {
          this.#again = false;
          this.#soon();
        } else if (nextMs !== null) this.#expect(nextMs);
      });
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = null;
    this.pace.stop();
  }

  /** A look that comes by itself anyway is not made to come later. */
  #soon(): void {
    if (this.#looking) this.#again = true;
    else if (!this.#hurried) {
      this.#timer?.cancel();
      this.#hurried = true;
      this.#expect(nextLookMs);
    }
  }

  /** Each look is a write: as long as others are there to begin, it waits for its time. */
  #moreSoon(): void {
    if (this.#held.size <= this.#options.slots) this.#soon();
  }

  #expect(ms: number): void {
    this.#timer = this.#options.services.clock.timer(ms, () => this.check(), { unref: true });
  }

  get #lanes(): readonly LaneWork[] {
    return this.#options.workload.laneList.filter((lane) => lane.active);
  }

  /** Answers when to look again; null: when somebody says so. */
  async #look(): Promise<number | null> {
    const { services, slots, allowed } = this.#options;
    this.#forgetLost();
    const lanes = this.#lanes;
    const [any] = lanes;
    if (any === undefined || !allowed()) return null;
    const { laneCount } = any.lease;
    const fences = lanes.map((lane) => ({ lane: lane.lane, token: lane.lease.token }));
    const room = Math.max(heldMax(slots, this.#rate) - this.#held.size, 0);
    const values = [services.consumer.id, JSON.stringify(fences), laneCount, [...this.#held.keys()], room];
    for (const lane of lanes) lane.writes += 1;
    try {
      await services.testStep?.('operational.before-redeliver');
      const [row] = await run(services.database.operations, sql.take_replayed, values);
      await services.testStep?.('operational.after-redeliver');
      const terms = row?.['replay'] as ReplayTerms | null;
      await this.#giveBack(terms);
      if (terms === null) return this.#held.size > 0 ? lookEveryMs : null;
      await this.#keepPace(terms);
      await this.#deliver(terms, { rows: row?.['rows'] as TakenReplayed[], laneCount });
      return lookEveryMs;
    } finally {
      for (const lane of lanes) lane.writes -= 1;
    }
  }

  /** As fast as it may be; and where live events take longer beside it, whoever decides about that is told. */
  async #keepPace({ id, rate }: ReplayTerms): Promise<void> {
    const { services } = this.#options;
    this.#rate = rate;
    this.pace.allow(rate);
    if (this.pace.takeFelt()) await run(services.database.operations, sql.note_strain, [id]);
  }

  async #deliver(
    terms: ReplayTerms,
    { rows, laneCount }: { readonly rows: readonly TakenReplayed[]; readonly laneCount: number },
  ): Promise<void> {
    if (rows.length === 0) return;
    const { services, workload, onChange } = this.#options;
    const positions = rows.map(({ position }) => position);
    const events = await readPositions(services.database.operations, positions);
    const byPosition = new Map(events.map((event) => [event.position, event]));
    for (const row of rows) {
      const lane = workload.lanes.get(laneOf(row.keyHash, laneCount));
      if (lane === undefined || !lane.active) continue;
      const event = byPosition.get(row.position) ?? row.envelope;
      if (event === null)
        throw new FactlineError('LOG_COMPACTED', {
          after: row.position - 1,
          compactedBelow: row.position + 1,
        });
      const entry = entryOf(row, { event, lane, terms });
      this.#held.set(row.position, { entry, queue: () => workload.queueOf(lane, row.key) });
      workload.redeliver(lane, entry);
    }
    onChange();
  }

  /** What has not begun of a replay that is paused or has ended waits again. */
  async #giveBack(terms: ReplayTerms | null): Promise<void> {
    const { workload } = this.#options;
    for (const { entry, queue: find } of [...this.#held.values()]) {
      const queue = find();
      if (entry.replay?.id === terms?.id || queue === undefined || queue.replayed !== entry) continue;
      queue.replayed = null;
      workload.refresh(queue);
      await this.#store(
        { ...entry, lane: queue.lane },
        { state: 'waiting', reason: replayReason, delayMs: null },
      );
      this.#ended(queue, entry);
    }
  }

  #forgetLost(): void {
    for (const [position, { queue }] of this.#held) if (queue() === undefined) this.#held.delete(position);
  }

  /** Its handler used no transaction: that the event is handled is still to be written. */
  async finish(entry: Entry, lane: LaneWork): Promise<FinishResult> {
    const { services } = this.#options;
    const { database, consumer, testStep } = services;
    await testStep?.('operational.before-inbox');
    try {
      const counts = { published: 0, suppressed: 0 };
      const { query, values } = finishReplayed(entry, {
        consumerId: consumer.id,
        token: lane.lease.token,
        events: '[]',
        counts,
      });
      await run(database.operations, query, values);
    } catch (error) {
      if (sqlState(error) === 'FL001') return 'lost';
      if (sqlState(error) === 'FL002') return 'duplicate';
      throw error;
    }
    await testStep?.('operational.after-inbox');
    return 'handled';
  }

  /** It is handled, and its row is gone. */
  done(queue: KeyQueue, entry: Entry): void {
    queue.running = null;
    this.#ended(queue, entry);
    this.#count(entry, 'handled');
    this.#moreSoon();
  }

  /** The event waits, or stands in quarantine, under its replay; the live events of its key go on. */
  async failed(queue: KeyQueue, failed: Failed): Promise<void> {
    const { services } = this.#options;
    const { entry, next } = failed;
    const to = {
      state: next.state,
      reason: next.reason,
      delayMs: next.state === 'retrying' ? next.delayMs : null,
    };
    await services.testStep?.('operational.before-park');
    if (!(await this.#store({ ...entry, lane: queue.lane }, to, [failureRecord(failed, services.app)])))
      return;
    await services.testStep?.('operational.after-park');
    queue.running = null;
    this.#ended(queue, entry);
    this.#count(entry, next.state === 'quarantined' ? 'failed' : 'retried');
    this.#soon();
  }

  #ended(queue: KeyQueue, entry: Entry): void {
    const { workload, onChange } = this.#options;
    this.#held.delete(entry.position);
    if (queue.lane.dropped) return;
    workload.release(queue.lane, [entry]);
    workload.refresh(queue);
    onChange();
  }

  /** False: the lane is another process's. */
  async #store(
    { lane, ...entry }: Pick<Entry, 'key' | 'keyHash' | 'position' | 'replay'> & { readonly lane: LaneWork },
    to: Pick<ParkRow, 'state' | 'reason' | 'delayMs'>,
    failures: readonly ParkFailure[] = [],
  ): Promise<boolean> {
    const { services, onLost } = this.#options;
    const { lane: number, lease } = lane;
    const { key, keyHash, position, replay } = entry;
    const scope = { consumerId: services.consumer.id, replayId: replay?.id ?? 0 };
    const fences = [{ lane: number, token: lease.token, position }];
    const rows = [{ lane: number, key, keyHash, position, ...to }];
    const stored = await park(services.database.operations, scope, { fences, rows, failures });
    if (stored.lanes.has(number)) return !lane.dropped;
    if (!lane.dropped) onLost(lane);
    return false;
  }

  #count({ replay }: Entry, outcome: string): void {
    if (replay === null) return;
    const { telemetry, consumer } = this.#options.services;
    telemetry.metrics.count('factline_replay_events_total', { consumer: consumer.name, outcome });
  }
}

/** Why a row of a replay waits. */
const replayReason = 'delivered again by a replay';

const entryOf = (
  { key, keyHash, position, was, attempts }: TakenReplayed,
  {
    event,
    lane,
    terms,
  }: { readonly event: StoredEvent; readonly lane: LaneWork; readonly terms: ReplayTerms },
): Entry => ({
  event,
  position,
  key,
  keyHash,
  lane: lane.lane,
  attempts,
  open: false,
  parked: true,
  deletesRow: true,
  releasedId: null,
  repair: null,
  suspect: was === 'running' && !lane.lease.clean,
  replay: terms,
});

/** The last statement of an event that a replay delivers. */
export const finishReplayed = (
  { lane, keyHash, position, key, replay }: Entry,
  end: {
    readonly consumerId: number;
    readonly token: number;
    readonly events: string;
    readonly counts: { readonly published: number; readonly suppressed: number };
  },
): { query: NamedQuery; values: (string | number | null)[] } => {
  const { consumerId, token, events, counts } = end;
  const { published, suppressed } = counts;
  const values = [consumerId, lane, token, keyHash, position, key, replay?.id ?? 0];
  if (published + suppressed === 0) return { query: sql.finish_replayed, values };
  return { query: sql.finish_replayed_publishing, values: [...values, events, published, suppressed] };
};
