import { hostname } from 'node:os';
import { type Clock, type Randomness, uuidv7 } from '../../foundation/index.ts';
import type { SharedSession } from '../../log/index.ts';
import { type Database, loadQueries, type Queryable, run } from '../../postgres/index.ts';
import type { AppIdentity } from '../runner.ts';
import { type Declared, type Picture, type SeenProcess, toPicture } from './picture.ts';
import type { RunningCode } from './running-code.ts';

const sql = loadQueries<
  | 'join_processes'
  | 'rejoin_processes'
  | 'leave_processes'
  | 'forget_processes'
  | 'announce_process'
  | 'hold_session_lock'
  | 'beat'
>(new URL('./membership.sql', import.meta.url));

/** The first half of the session lock's key; the second is the process's number. "FACT" as ASCII. */
export const sessionLockSpace = 0x46414354;
const lockNumber = (processId: number): number => processId % 2 ** 31;

/** A process that could not beat for this long does not know whether others took its lanes: it stops. Below `leaseMs`. */
const ownBeatMsMax = 6_000;

export interface MembershipOptions {
  readonly database: Database;
  readonly session: SharedSession;
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly app: AppIdentity;
  readonly code: RunningCode;
}

/** This process among the others: its row, its session lock, its heartbeat. */
export class Membership {
  readonly id: number;
  readonly incarnation: string;
  readonly #options: MembershipOptions;
  /** The server process that holds the session lock. */
  #lockHolder: number | null = null;
  /** When the last successful heartbeat was sent; others see it no earlier. */
  #beatenAtMs: number;

  private constructor(options: MembershipOptions, id: number, incarnation: string) {
    this.#options = options;
    this.id = id;
    this.incarnation = incarnation;
    this.#beatenAtMs = options.clock.monotonic();
  }

  static async join(options: MembershipOptions): Promise<Membership> {
    const { database, app, code, clock, randomness } = options;
    const incarnation = uuidv7(clock.wall().getTime(), randomness);
    const values = [app.name, ...identity(app, incarnation), JSON.stringify(code), sessionLockSpace];
    const [row] = await run(database.operations, sql.join_processes, values);
    return new Membership(options, row?.['id'] as number, incarnation);
  }

  /** To be run on every connection of the direct session: others look the lock up to see whether this process lives. */
  async holdSessionLock(client: Queryable): Promise<void> {
    const values = [sessionLockSpace, lockNumber(this.id), this.id];
    const [row] = await run(client, sql.hold_session_lock, values);
    this.#lockHolder = row?.['backend'] as number;
  }

  /** Behind a pooler the lock sits on a connection that is not ours alone: then only the beat says that we live. */
  get direct(): boolean {
    return this.#lockHolder !== null && this.#lockHolder === this.#options.session.processId;
  }

  /** One statement: a sign of life, and a look at everybody. */
  async beat(declared: Readonly<Record<string, Declared>>, consumerIds: readonly number[]): Promise<Picture> {
    const { database, clock, app, code } = this.#options;
    const sentAtMs = clock.monotonic();
    const values = [this.id, this.direct, JSON.stringify(declared), app.name, sessionLockSpace, consumerIds];
    const [row] = await run(database.operations, sql.beat, values);
    const picture = this.#withSelf(toPicture(row ?? {}), declared);
    if (picture.known) this.#beatenAtMs = sentAtMs;
    else
      await run(database.operations, sql.rejoin_processes, [
        this.id,
        app.name,
        ...identity(app, this.incarnation),
        JSON.stringify(code),
      ]);
    return picture;
  }

  /** The statement sees this process's row as it was before the statement. */
  #withSelf(picture: Picture, declared: Readonly<Record<string, Declared>>): Picture {
    const others = picture.processes.filter((process) => process.id !== this.id);
    const self: SeenProcess = { id: this.id, beat: 0, declared, session: 'held' };
    return { ...picture, processes: [...others, self] };
  }

  /** Why this process may have lost its leases; null when it surely has not. */
  doubt(): string | null {
    if (!this.#options.session.connected) return 'the direct session was lost';
    const { silentMs } = this;
    return silentMs > ownBeatMsMax ? `no heartbeat for ${Math.round(silentMs)} ms` : null;
  }

  /** Since the last successful heartbeat was sent. */
  get silentMs(): number {
    return this.#options.clock.monotonic() - this.#beatenAtMs;
  }

  /** Tells the others that this process has joined. */
  async announce(): Promise<void> {
    await run(this.#options.database.operations, sql.announce_process, [`process ${this.id}`]);
  }

  async leave(): Promise<void> {
    await run(this.#options.database.operations, sql.leave_processes, [this.id]);
  }
}

const identity = (app: AppIdentity, incarnation: string): readonly [string, string, number, string] => [
  incarnation,
  hostname(),
  process.pid,
  app.codeVersion,
];
