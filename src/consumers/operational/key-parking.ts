import { FactlineError } from '../../foundation/index.ts';
import { readPositions, type StoredEvent } from '../../log/index.ts';
import {
  editedEvent,
  type ParkedState,
  type ParkFailure,
  type ParkRow,
  type TakenRow,
  takeRows,
} from '../parked/index.ts';
import type { RunnerServices } from '../runner.ts';
import type { Entry } from './entry.ts';
import { type Failed, failureRecord } from './failure-record.ts';
import type { Holds } from './holds.ts';
import type { KeyQueue, ParkedHeadFacts } from './key-queue.ts';
import type { LaneWork } from './lane-work.ts';
import type { ParkAnswer, ParkingWriter } from './parking-writer.ts';
import type { Workload } from './workload.ts';

export interface KeyParkingOptions {
  readonly services: RunnerServices;
  readonly workload: Workload;
  readonly writer: ParkingWriter;
  /** The types that this code can handle. */
  readonly types: ReadonlySet<string>;
  /** What people have paused. */
  readonly holds: Holds;
  readonly onLost: (lane: LaneWork) => void;
  /** Something may begin, or be read, that could not before. */
  readonly onChange: () => void;
  /** A retry was stored that is due in so many milliseconds. */
  readonly onRetry: (delayMs: number) => void;
}

/** Rows loaded at one time: they stand `running` in the table, which bounds the suspects of a death. */
const rowsMax = 100;
/** Arrivals appended in one statement. */
const appendMax = 500;
/** Loads at one time: they share the reserved pool with checkpoints and effects. */
const loadsMax = 2;

/** Moves keys into `parked` and drains them from there. Every change of a parked key's state is made here. */
export class KeyParking {
  readonly #options: KeyParkingOptions;
  readonly #wanted = new Set<KeyQueue>();
  /** Parked because of a hold. */
  readonly #held = new Set<KeyQueue>();
  #loads = 0;

  constructor(options: KeyParkingOptions) {
    this.#options = options;
  }

  /** The running head failed: it and everything behind it goes to `parked`, in one statement. */
  async fail(queue: KeyQueue, failed: Failed): Promise<void> {
    const { workload, services } = this.#options;
    const { entry, next } = failed;
    const fromRows = queue.phase === 'draining';
    const followers = fromRows ? [...queue.rows] : [...queue.arrivals];
    queue.move('failed');
    queue.running = null;
    const head = this.#row(entry, { ...next, delayMs: next.state === 'retrying' ? next.delayMs : null });
    const rows = [head, ...followers.map((each) => this.#row(each, waiting('behind a failed event')))];
    const ids = await this.#write(queue.lane, rows, [failureRecord(failed, services.app)]);
    if (ids === null) return;
    if (fromRows) queue.rows = [];
    else queue.arrivals.splice(0, followers.length);
    workload.release(queue.lane, [entry, ...followers]);
    queue.move('stored');
    queue.head = { position: entry.position, state: next.state };
    if (next.state === 'retrying') this.#options.onRetry(next.delayMs);
    else this.#announce(failed, ids.get(entry.position) ?? 0);
    await services.testStep?.('operational.parked');
    this.settled(queue);
  }

  /** Moves a hot or slow key out of the window: its head goes on running, everything behind it waits in `parked`. */
  spill(queue: KeyQueue, reason: string): void {
    const { running } = queue;
    if (running === null) return;
    const followers = [...queue.arrivals];
    queue.move('spilled');
    const rows = [
      this.#row(running, { state: 'running', reason, delayMs: null }),
      ...followers.map((each) => this.#row(each, waiting(reason))),
    ];
    queue.spilling = this.#write(queue.lane, rows, []).then((ids) => {
      queue.spilling = null;
      if (ids === null) return;
      running.parked = true;
      // A commit under way may have deleted a row that stood there already, and this write has put it back.
      running.deletesRow = false;
      this.#options.workload.pass(queue.lane, running);
      queue.arrivals.splice(0, followers.length);
      this.#options.workload.release(queue.lane, followers);
      queue.more = followers.length > 0;
      queue.move('stored while running');
      this.settled(queue);
    });
  }

  /** Writes arrivals of a parked key behind its rows, so that they neither fill the window nor hold the mark. */
  append(queue: KeyQueue): void {
    if (!queue.appendable) return;
    const entries = queue.arrivals.slice(0, appendMax);
    queue.appending = true;
    const rows = entries.map((each) => this.#row(each, waiting('behind a parked event')));
    void this.#write(queue.lane, rows, []).then((ids) => {
      queue.appending = false;
      if (ids === null) return;
      queue.arrivals.splice(0, entries.length);
      this.#options.workload.release(queue.lane, entries);
      queue.more = true;
      this.settled(queue);
    });
  }

  /** The head of a parked key may run: its time has come, a person wants it, or nothing stands before it any more. */
  want(queue: KeyQueue): void {
    if (queue.phase !== 'parked' || !queue.lane.active) return;
    this.#wanted.add(queue);
    this.#loadNext();
  }

  /**
   * Keeps a key that rests from going on while a person's decision about it is carried out. `work` answers what stands at
   * its head since; null: nothing has changed. False, without work: the key is not at rest.
   */
  async whileResting(queue: KeyQueue, work: () => Promise<ParkedHeadFacts | null>): Promise<boolean> {
    const flowing = queue.phase === 'flowing' && queue.running === null;
    if ((!flowing && queue.phase !== 'parked') || !queue.lane.active) return false;
    queue.move(flowing ? 'failed' : 'wanted');
    this.#options.workload.refresh(queue);
    queue.lane.writes += 1;
    let head: ParkedHeadFacts | null = null;
    try {
      head = await work();
    } finally {
      queue.lane.writes -= 1;
      if (!queue.lane.dropped) {
        queue.move(flowing ? 'stored' : 'not yet');
        // A key without rows finds that out when it is loaded.
        const before =
          flowing || queue.head === null ? { position: 0, state: 'waiting' as const } : queue.head;
        queue.head = head !== null && (flowing || head.position <= before.position) ? head : before;
        this.settled(queue);
      }
    }
    return true;
  }

  get busy(): boolean {
    return this.#wanted.size > 0 || this.#loads > 0;
  }

  forget(lane: LaneWork): void {
    for (const queue of this.#wanted) if (queue.lane === lane) this.#wanted.delete(queue);
    for (const queue of this.#held) if (queue.lane === lane) this.#held.delete(queue);
  }

  /** Why no handler may begin this event now; null: nothing speaks against it. */
  obstacle(event: StoredEvent): WaitReason | null {
    const { types, holds } = this.#options;
    if (!types.has(event.type)) return 'no code';
    return holds.has(event) ? 'paused' : null;
  }

  /** A hold was lifted: keys that wait for one are looked at again, and wait on when it is another. */
  lifted(): void {
    const held = [...this.#held];
    this.#held.clear();
    for (const queue of held) {
      // What is being loaded may have been judged by the hold.
      if (queue.phase === 'loading') queue.askedAgain = true;
      if (queue.phase !== 'parked' || queue.lane.dropped) continue;
      queue.head = { position: queue.head?.position ?? 0, state: 'waiting' };
      this.settled(queue);
    }
  }

  /** After anything has changed about a queue: the next thing that its state asks for. */
  settled(queue: KeyQueue): void {
    const { workload, onChange } = this.#options;
    if (queue.lane.dropped) return;
    if (queue.phase === 'draining' && queue.running === null && queue.rows.length === 0 && !queue.appending) {
      if (queue.more) {
        queue.move('used up');
        void this.#load(queue);
      } else queue.move('last row done');
    }
    if (queue.phase === 'parked') {
      this.append(queue);
      if (queue.head?.state === 'waiting' && !queue.appending) this.want(queue);
    }
    workload.refresh(queue);
    onChange();
  }

  #loadNext(): void {
    for (const queue of this.#wanted) {
      if (this.#loads >= loadsMax) return;
      this.#wanted.delete(queue);
      if (queue.phase !== 'parked' || !queue.lane.active) continue;
      queue.move('wanted');
      void this.#load(queue);
    }
  }

  /** The queue is `loading`. */
  async #load(queue: KeyQueue): Promise<void> {
    this.#loads += 1;
    queue.lane.writes += 1;
    queue.more = false;
    queue.askedAgain = false;
    try {
      const taken = await this.#take(queue);
      if (taken === null) this.#options.onLost(queue.lane);
      else if (!queue.lane.dropped) await this.#loaded(queue, taken);
    } catch (error) {
      const { services } = this.#options;
      services.telemetry.emit('engine.error', { unit: `draining of ${services.consumer.name}`, error });
      await services.clock.sleep(loadPauseMs);
      if (!queue.lane.dropped) {
        queue.move('not yet');
        queue.head = { position: queue.head?.position ?? 0, state: 'waiting' };
        this.settled(queue);
      }
    } finally {
      this.#loads -= 1;
      queue.lane.writes -= 1;
      this.#loadNext();
    }
  }

  async #take(queue: KeyQueue): Promise<{ entries: Entry[]; more: boolean } | null> {
    const { services } = this.#options;
    const { database, consumer, testStep } = services;
    const scope = { consumerId: consumer.id, replayId: 0 };
    const fence = { lane: queue.lane.lane, token: queue.lane.lease.token, position: 0 };
    await testStep?.('operational.before-take-rows');
    const taken = await takeRows(database.operations, scope, { fence, key: queue.key, limit: rowsMax });
    await testStep?.('operational.after-take-rows');
    if (taken === null) return null;
    const events = await readPositions(
      database.operations,
      taken.rows.map(({ position }) => position),
    );
    const byPosition = new Map(events.map((event) => [event.position, event]));
    const entries: Entry[] = [];
    for (const row of taken.rows) {
      const event = byPosition.get(row.position) ?? (row.envelope as StoredEvent | null);
      // Never passed over: the key stays where it is, and says so with every look.
      if (event === null)
        throw new FactlineError('LOG_COMPACTED', {
          after: row.position - 1,
          compactedBelow: row.position + 1,
        });
      entries.push(this.#entry(queue, row, editedEvent(event, row.edited)));
    }
    queue.suspectRows = false;
    return { entries, more: taken.more };
  }

  #entry(queue: KeyQueue, row: TakenRow, event: StoredEvent): Entry {
    return {
      event,
      position: row.position,
      key: queue.key,
      keyHash: queue.keyHash,
      lane: queue.lane.lane,
      attempts: row.attempts,
      open: false,
      parked: true,
      deletesRow: false,
      releasedId: row.failed ? row.id : null,
      suspect: queue.suspectRows && row.was === 'running',
      repair: row.repair,
      replay: null,
    };
  }

  async #loaded(queue: KeyQueue, { entries, more }: { entries: Entry[]; more: boolean }): Promise<void> {
    const { workload } = this.#options;
    queue.more = queue.more || more;
    const stopped = entries.findIndex(({ event }) => this.obstacle(event) !== null);
    if (stopped === 0) return this.#parkAgain(queue, entries);
    const rows = stopped < 0 ? entries : entries.slice(0, stopped);
    if (stopped > 0) queue.more = true;
    if (rows.length > 0) {
      queue.move('rows');
      workload.load(queue, rows);
    } else if (queue.more || queue.appending) {
      // Its head may not run yet (a person, or its time, decides); or rows come in at this moment: then they are loaded.
      queue.move('not yet');
      const position = queue.head?.position ?? 0;
      queue.head = { position, state: more && !queue.askedAgain ? 'quarantined' : 'waiting' };
    } else queue.move('no rows');
    this.settled(queue);
  }

  /** What was loaded may not begin: events of a type that this code does not know (a rolled-back deploy), or held ones. */
  async #parkAgain(queue: KeyQueue, entries: readonly Entry[]): Promise<void> {
    queue.move('rows');
    queue.move('failed');
    await this.#putDown(queue, entries);
  }

  /** The next event of the key may not begin: it and what follows is parked, in the key's order. */
  async parkNext(queue: KeyQueue): Promise<void> {
    const fromRows = queue.phase === 'draining';
    const followers = fromRows ? [...queue.rows] : [...queue.arrivals];
    queue.move('failed');
    await this.#putDown(queue, followers, () => {
      if (fromRows) queue.rows = [];
      else queue.arrivals.splice(0, followers.length);
      this.#options.workload.release(queue.lane, followers);
    });
  }

  async #putDown(queue: KeyQueue, entries: readonly Entry[], stored?: () => void): Promise<void> {
    const [first] = entries as readonly [Entry, ...Entry[]];
    const reason = this.obstacle(first.event) ?? 'paused';
    if (reason === 'paused') this.#held.add(queue);
    const rows = entries.map((entry) => this.#row(entry, waiting(reason)));
    if ((await this.#write(queue.lane, rows, [])) === null) return;
    stored?.();
    queue.move('stored');
    // Not `waiting`: nothing in this process makes it run, unless the hold was lifted meanwhile.
    const lifted = reason === 'paused' && this.obstacle(first.event) === null;
    queue.head = { position: first.position, state: lifted ? 'waiting' : 'quarantined' };
    this.settled(queue);
  }

  async #write(
    lane: LaneWork,
    rows: readonly ParkRow[],
    failures: readonly ParkFailure[],
  ): Promise<ParkAnswer> {
    lane.writes += 1;
    try {
      const ids = await this.#options.writer.write({ lane, rows, failures });
      if (lane.dropped) return null;
      if (ids === null) this.#options.onLost(lane);
      return ids;
    } finally {
      lane.writes -= 1;
    }
  }

  #row(entry: Entry, to: { state: ParkedState; reason: string; delayMs: number | null }): ParkRow {
    const { lane, key, keyHash, position } = entry;
    return { lane, key, keyHash, position, ...to };
  }

  #announce({ entry, description, shownKey }: Failed, id: number): void {
    const { telemetry, consumer } = this.#options.services;
    telemetry.emit('quarantine.added', {
      consumer: consumer.name,
      id,
      eventId: entry.event.id,
      key: shownKey,
      position: entry.position,
      error: description.message,
    });
  }
}

type WaitReason = 'no code' | 'paused';

/** After a failed load. */
const loadPauseMs = 500;

const waiting = (reason: string): { state: 'waiting'; reason: string; delayMs: null } => ({
  state: 'waiting',
  reason,
  delayMs: null,
});
