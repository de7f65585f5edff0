import { FactlineError } from '../../foundation/index.ts';
import type { ParkedState } from '../parked/index.ts';
import type { Entry } from './entry.ts';
import type { LaneWork } from './lane-work.ts';

/*
 * The queue of one key: at most one of its events is handled at a time, in position order, wherever they wait.
 *
 *                  fails, spilled            stored                    due, a person, its turn
 *   ┌─► flowing ───────────────────► parking ───────► parked ─────────────────────────────────► loading
 *   │     no rows in `parked`;         a write is       rows in `parked`; nothing begins ◄─not yet──┤ │
 *   │     runs what arrives            on its way       before its head may                         │ │ rows
 *   │                                   ▲   │ stored, the head still runs                           │ ▼
 *   │                             fails │   └────────────────────────────────────────────────► draining
 *   │                                   └──────────────────────────────────────────────────── runs rows, in order
 *   └──────────── no row is left ◄─────────────── loading ◄──── the loaded rows are used up ──────────┘
 *
 * Whatever arrives while there are rows stands behind them: in memory first (`arrivals`), then appended to `parked` as
 * `waiting`. An event is parked only together with all earlier unhandled events of its key, so rows and arrivals are
 * always two halves of one line.
 */
export type KeyPhase = 'flowing' | 'parking' | 'parked' | 'loading' | 'draining';

export type KeyEvent =
  | 'failed'
  | 'spilled'
  | 'stored'
  | 'stored while running'
  | 'wanted'
  | 'rows'
  | 'no rows'
  | 'not yet'
  | 'used up'
  | 'last row done';

const transitions: Readonly<Record<KeyPhase, Partial<Readonly<Record<KeyEvent, KeyPhase>>>>> = {
  flowing: { failed: 'parking', spilled: 'parking' },
  parking: { stored: 'parked', 'stored while running': 'draining' },
  parked: { wanted: 'loading' },
  loading: { rows: 'draining', 'no rows': 'flowing', 'not yet': 'parked' },
  draining: { failed: 'parking', 'used up': 'loading', 'last row done': 'flowing' },
};

/** The one place that knows which phase follows. */
export const nextPhase = (phase: KeyPhase, event: KeyEvent): KeyPhase => {
  const next = transitions[phase][event];
  if (next === undefined)
    throw new FactlineError('LIFECYCLE_TRANSITION_REFUSED', { unit: 'A key', from: phase, to: event });
  return next;
};

/** What stands at the head of a key that is parked. */
export interface ParkedHeadFacts {
  readonly position: number;
  readonly state: ParkedState;
}

export class KeyQueue {
  readonly key: string;
  readonly keyHash: number;
  readonly lane: LaneWork;
  /** Read from the log and not begun; while there are rows they stand behind these. */
  readonly arrivals: Entry[] = [];
  /** Loaded from `parked`, in state `running` there, and not begun. */
  rows: Entry[] = [];
  /** What a replay delivers again: it runs while no live event of the key may. */
  replayed: Entry | null = null;
  running: Entry | null = null;
  /** When `running` began, on the monotonic clock. */
  runningSince = 0;
  /** `parked` has rows behind the loaded ones. */
  more = false;
  /** A person let a row go while rows were being loaded. */
  askedAgain = false;
  /** An append of arrivals is on its way. */
  appending = false;
  /** Of a spilled key: resolves when its rows are stored. */
  spilling: Promise<void> | null = null;
  /** The rows found `running` at an unclean takeover may have killed the previous owner. */
  suspectRows = false;
  head: ParkedHeadFacts | null = null;
  #phase: KeyPhase = 'flowing';

  constructor(lane: LaneWork, key: string, keyHash: number) {
    this.lane = lane;
    this.key = key;
    this.keyHash = keyHash;
  }

  get phase(): KeyPhase {
    return this.#phase;
  }

  move(event: KeyEvent): void {
    this.#phase = nextPhase(this.#phase, event);
  }

  /** A queue of a key that was found parked. */
  static parked(
    lane: LaneWork,
    head: { key: string; keyHash: number; position: number; state: ParkedState },
  ): KeyQueue {
    const queue = new KeyQueue(lane, head.key, head.keyHash);
    queue.#phase = 'parked';
    queue.head = { position: head.position, state: head.state };
    queue.suspectRows = !lane.lease.clean && head.state === 'running';
    return queue;
  }

  /** The next event that may begin, if one may. */
  get next(): Entry | undefined {
    if (this.running !== null || !this.lane.active) return undefined;
    if (this.#phase === 'flowing') return this.arrivals[0];
    return this.#phase === 'draining' ? this.rows[0] : undefined;
  }

  /** The event of a replay that may begin: live ones go first. */
  get nextReplayed(): Entry | undefined {
    if (this.replayed === null || this.running !== null || !this.lane.active) return undefined;
    const resting = (this.#phase === 'flowing' && this.arrivals.length === 0) || this.#phase === 'parked';
    return resting ? this.replayed : undefined;
  }

  beginReplayed(now: number): Entry | undefined {
    const entry = this.nextReplayed;
    if (entry === undefined) return undefined;
    this.replayed = null;
    this.running = entry;
    this.runningSince = now;
    return entry;
  }

  begin(now: number): Entry | undefined {
    const entry = this.next;
    if (entry === undefined) return undefined;
    (this.#phase === 'flowing' ? this.arrivals : this.rows).shift();
    this.running = entry;
    this.runningSince = now;
    return entry;
  }

  /** The running event goes back to where it came from: its attempt does not count. */
  putBack(): void {
    if (this.running === null) return;
    if (this.running.replay !== null) this.replayed = this.running;
    else (this.#phase === 'flowing' ? this.arrivals : this.rows).unshift(this.running);
    this.running = null;
  }

  /** Arrivals that stand behind rows and are only in memory. */
  get appendable(): boolean {
    if (this.arrivals.length === 0 || this.appending || !this.lane.active) return false;
    return this.#phase === 'parked' || this.#phase === 'draining';
  }

  /** Nothing left to do or to remember. */
  get empty(): boolean {
    const idle = this.running === null && this.replayed === null && this.arrivals.length === 0;
    return this.#phase === 'flowing' && idle;
  }
}
