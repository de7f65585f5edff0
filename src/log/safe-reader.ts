import { FactlineError, toPosition } from '../foundation/index.ts';
import { type Database, loadQueries, run } from '../postgres/index.ts';
import { BatchLimit } from './batch-limit.ts';
import type { RecentRows } from './recent-rows.ts';
import type { Recount } from './recount.ts';
import {
  forgetHolders,
  lookAtHolders,
  type Settling,
  settleDeadEnd,
  settlingFrom,
  walk,
} from './settling.ts';
import type { HolderRule } from './start-checks.ts';
import { type StoredEvent, storedEvent, storedSize } from './stored-event.ts';
import type { TailSession } from './tail-session.ts';

const sql = loadQueries<'begin' | 'read_tail' | 'holders_of_both' | 'holders_of_sequence' | 'store_mark'>(
  new URL('./tail.sql', import.meta.url),
);

export interface PassRequest {
  /** Some cursor lives on the rows of the tail; when none does a backlog is settled without reading it. */
  readonly rowsWanted: boolean;
  /** Positions beyond the last visible row shall be settled as well: somebody waits for a barrier. */
  readonly endWanted: boolean;
}

export interface PassOutcome {
  /** Events delivered. */
  readonly delivered: number;
  /** There is more to read now. */
  readonly more: boolean;
  /** The position that a later visible one waits for. */
  readonly gap: number | null;
  /** Positions were given that are neither visible nor proven dead. */
  readonly unfinished: boolean;
}

const rowsStart = 125;
const rowsMax = 1000;
/** Reads of one pass: the first, and one more after each successful proof. */
const roundsMax = 4;

interface TailRead {
  /** The highest position given, or for a moment somewhat more. */
  readonly head: number;
  readonly events: readonly StoredEvent[];
  readonly exhausted: boolean;
  /** A row beyond the head: its position was not given by the sequence. Nothing from there on is delivered. */
  readonly foreign: boolean;
}

const reading = loadQueries<'barrier'>(new URL('./reading.sql', import.meta.url));

/** The algorithm of LOG.md §1 on one session. `begin` after every connect, then `pass` after `pass`, never two at once. */
export class SafeReader {
  readonly #session: TailSession;
  readonly #database: Database;
  readonly #rows: RecentRows;
  readonly #recount: Recount;
  readonly #limit = new BatchLimit({ rowsStart, rowsMax });
  #rule: HolderRule = 'sequence-only';
  #state: Settling | null = null;
  #head = 0;
  #serverStarted = '';
  #marked = 0;

  constructor(options: { session: TailSession; database: Database; rows: RecentRows; recount: Recount }) {
    this.#session = options.session;
    this.#database = options.database;
    this.#rows = options.rows;
    this.#recount = options.recount;
  }

  get settled(): number {
    return this.#state?.settled ?? 0;
  }

  /** The highest position known to have been given. */
  get head(): number {
    return this.#head;
  }

  /** The highest position for which the mark is stored. */
  get marked(): number {
    return this.#marked;
  }

  get state(): Settling | null {
    return this.#state;
  }

  /**
   * Starts from the stored mark, or after a reconnect from what was settled before; whoever held locks before is
   * unknown again. Without an open publisher the whole backlog is settled here, by one look.
   * @throws FactlineError LOG_WENT_BACKWARDS
   */
  async begin(rule: HolderRule): Promise<void> {
    this.#rule = rule;
    const [row] = await this.#session.run(sql.begin);
    const mark = Number(row?.['mark']);
    this.#serverStarted = String(row?.['started']);
    this.#marked = Math.max(this.#marked, mark);
    if (this.#state === null) {
      this.#state = settlingFrom(mark);
      this.#rows.reset(mark);
    } else {
      this.#state = forgetHolders(this.#state);
    }
    const head = Number(row?.['head']);
    this.#see(head);
    await this.#look(head);
    if (this.#state.dead > this.#state.settled && this.#rows.size === 0) await this.#jump(this.#state.dead);
  }

  /** One bounded pass: delivers what is proven, and where something is not, looks at the holders once. */
  async pass(request: PassRequest): Promise<PassOutcome> {
    let delivered = 0;
    let gap: number | null = null;
    for (let round = 1; round <= roundsMax; round += 1) {
      const before = this.#current();
      const read = await this.#read(before.settled);
      this.#see(read.head);
      const step = walk(
        before,
        read.events.map((event) => event.position),
        read.exhausted,
      );
      this.#deliver(step.state, read.events.slice(0, step.passed));
      delivered += step.passed;
      gap = step.gap ?? (read.foreign ? this.settled + 1 : null);
      if (step.deadEnd > step.state.settled) await this.#settleEnd(step.deadEnd);
      if (!read.exhausted && gap === null) {
        if (request.rowsWanted || !(await this.#skipBacklog())) return this.#outcome(delivered, true, null);
        continue;
      }
      const proven =
        step.gap !== null
          ? await this.#look(read.events.at(-1)?.position ?? 0)
          : request.endWanted && this.#head > this.settled && (await this.#lookAtEnd());
      if (!proven) break;
    }
    return this.#outcome(delivered, false, gap);
  }

  /** Stores the mark; durable when it returns, as everything before it in the write-ahead log then is. */
  async storeMark(settled: number = this.settled): Promise<void> {
    await run(this.#database.operations, sql.store_mark, [settled]);
    this.#marked = Math.max(this.#marked, settled);
  }

  #current(): Settling {
    if (this.#state === null)
      throw new FactlineError('NOT_STARTED', { unit: 'The tail', operation: 'reading' });
    return this.#state;
  }

  #outcome(delivered: number, more: boolean, gap: number | null): PassOutcome {
    return { delivered, more, gap, unfinished: gap !== null || this.#head > this.settled };
  }

  /** A head below what is settled means that positions are given again: going on would skip their events. */
  #see(head: number): void {
    const { settled } = this.#current();
    if (head < settled) {
      throw new FactlineError('LOG_WENT_BACKWARDS', { head, consumer: 'the tail', checkpoint: settled });
    }
    this.#head = head;
  }

  async #read(after: number): Promise<TailRead> {
    const limit = this.#limit.rows;
    const answer = await this.#session.runArrays(sql.read_tail, [after, limit]);
    const head = toPosition(answer[0]?.[0] as number);
    const events: StoredEvent[] = [];
    let bytes = 0;
    let foreign = false;
    for (const row of answer) {
      if (row[1] === null) continue;
      const event = storedEvent(row, 1);
      if (event.position > head) {
        foreign = true;
        break;
      }
      bytes += storedSize(event);
      events.push(event);
    }
    this.#limit.learn(events.length, bytes);
    return { head, events, exhausted: foreign || events.length < limit, foreign };
  }

  #deliver(state: Settling, events: readonly StoredEvent[]): void {
    if (state.settled > this.settled) this.#recount.note(events, this.settled, state.settled);
    this.#state = state;
    this.#rows.append(events, state.settled);
  }

  /** Dead positions at the end pass only under a durable mark (see settling.ts). */
  async #settleEnd(deadEnd: number): Promise<void> {
    await this.storeMark(deadEnd);
    this.#deliver(settleDeadEnd(this.#current(), deadEnd), []);
  }

  async #jump(deadEnd: number): Promise<void> {
    await this.storeMark(deadEnd);
    this.#recount.skip();
    this.#state = settleDeadEnd(this.#current(), deadEnd);
    this.#rows.reset(this.#state.settled);
  }

  /** Settles a backlog that nobody wants from here: true when it moved, so that the reading goes on behind it. */
  async #skipBacklog(): Promise<boolean> {
    if (!(await this.#lookAtEnd())) return false;
    await this.#jump(this.#current().dead);
    return true;
  }

  /** Looks after the exact end was read, which covers positions that no row shows. */
  async #lookAtEnd(): Promise<boolean> {
    const [row] = await this.#session.run(reading.barrier);
    const barrier = Number(row?.['barrier']);
    this.#see(barrier);
    return this.#look(barrier);
  }

  /**
   * Looks at the holders. `high` was given to somebody before this call: a visible position, or the exact end.
   * True when more is proven dead than is settled: read again now.
   */
  async #look(high: number): Promise<boolean> {
    const query = this.#rule === 'both-locks' ? sql.holders_of_both : sql.holders_of_sequence;
    const [row] = await this.#session.run(query);
    const started = String(row?.['started']);
    if (started !== this.#serverStarted) {
      // A pooler has hidden a restart of the server: what was read before belongs to another life of it.
      this.#serverStarted = started;
      this.#state = forgetHolders(this.#current());
      return false;
    }
    this.#state = lookAtHolders(this.#current(), high, row?.['holders'] as string[]);
    return this.#state.dead > this.#state.settled;
  }
}
