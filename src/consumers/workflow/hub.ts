import { Background } from '../../foundation/index.ts';
import { type Database, loadQueries, run } from '../../postgres/index.ts';
import type { InstanceState, LoadedInstance } from './instance.ts';
import type { RecordedFailure } from './journal.ts';

const sql = loadQueries<'tell_owners'>(new URL('./starting.sql', import.meta.url));

/** A slot that an executor of this process keeps for an instance that is being started. */
export interface Reservation {
  give(instance: LoadedInstance): void;
  cancel(): void;
}

/** An executor of this process, as the router and the app reach it. */
export interface ExecutorDoor {
  readonly consumerId: number;
  readonly name: string;
  /** Null: the lane is another process's, or nothing is free. */
  reserve(key: string): Reservation | null;
  /** Something is due, or mail has come for these instances. */
  wake(instances: readonly number[]): void;
  /** Whether the instance is in memory here: its end will be told. */
  has(id: number): boolean;
  /** Whether this process holds all lanes: nobody else need be told. */
  alone(): boolean;
}

export interface InstanceEnd {
  readonly id: number;
  readonly state: InstanceState;
  readonly result?: unknown;
  readonly failure?: RecordedFailure;
}

/**
 * Where the parts of workflows in one process meet: what happens here needs no notification and no query. Other processes are told
 * through the channel of requests, together for everything that happens within a moment; their heartbeat is the net below.
 */
export class WorkflowHub {
  readonly #database: Database;
  readonly #doors = new Map<string, ExecutorDoor>();
  readonly #listeners = new Map<number, Set<(end: InstanceEnd) => void>>();
  /** The last ones that ended here, so that who asks a moment later need not look. */
  readonly #recent = new Map<number, InstanceEnd>();
  readonly #background = new Background(() => {});
  #telling = false;
  #tellAgain = false;

  constructor(database: Database) {
    this.#database = database;
  }

  /** The latest one of a name counts: an app that was stopped and started makes new ones. */
  register(door: ExecutorDoor): void {
    this.#doors.set(door.name, door);
  }

  door(name: string): ExecutorDoor | undefined {
    return this.#doors.get(name);
  }

  /** Wakes executors of this process, and tells the others. */
  wake(woken: readonly { readonly id: number; readonly consumerId: number }[]): void {
    if (woken.length === 0) return;
    const doors = [...this.#doors.values()];
    let others = false;
    for (const [consumerId, instances] of Map.groupBy(woken, (each) => each.consumerId)) {
      const door = doors.find((each) => each.consumerId === consumerId);
      door?.wake(instances.map(({ id }) => id));
      others ||= !door?.alone();
    }
    if (others) this.#tellOthers();
  }

  /** One statement at a time; what comes meanwhile shares the next. A lost one is made good by a heartbeat. */
  #tellOthers(): void {
    if (this.#telling) {
      this.#tellAgain = true;
      return;
    }
    this.#telling = true;
    this.#background.run(async () => {
      try {
        do {
          this.#tellAgain = false;
          await run(this.#database.operations, sql.tell_owners, ['workflows']);
        } while (this.#tellAgain);
      } finally {
        this.#telling = false;
      }
    });
  }

  isAtWork(id: number): boolean {
    return [...this.#doors.values()].some((door) => door.has(id));
  }

  ended(end: InstanceEnd): void {
    this.#recent.set(end.id, end);
    if (this.#recent.size > recentMax) this.#recent.delete(this.#recent.keys().next().value as number);
    for (const listener of this.#listeners.get(end.id) ?? []) listener(end);
  }

  recentEnd(id: number): InstanceEnd | undefined {
    return this.#recent.get(id);
  }

  onEnded(id: number, listener: (end: InstanceEnd) => void): () => void {
    const own = this.#listeners.get(id) ?? new Set();
    own.add(listener);
    this.#listeners.set(id, own);
    return () => {
      own.delete(listener);
      if (own.size === 0 && this.#listeners.get(id) === own) this.#listeners.delete(id);
    };
  }
}

const recentMax = 1_000;

const hubs = new WeakMap<Database, WorkflowHub>();

/** The hub of the app that this database object belongs to. */
export const hubOf = (database: Database): WorkflowHub => {
  const hub = hubs.get(database) ?? new WorkflowHub(database);
  hubs.set(database, hub);
  return hub;
};
