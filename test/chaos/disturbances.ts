import { setTimeout as sleep } from 'node:timers/promises';
import type { SeededRandomness } from '../stress/randomness.ts';
import type { Fleet } from './fleet.ts';

/** About how often; 0: never. */
export interface DisturbancesEvery {
  readonly killEveryMs: number;
  readonly restartEveryMs: number;
  readonly freezeEveryMs: number;
  readonly robEveryMs: number;
}

export interface DisturbancesOptions extends DisturbancesEvery {
  /** From then on nothing is done any more, once all of it has happened; 0: until the end. */
  readonly calmAfterMs: number;
  readonly fleet: Fleet;
  readonly randomness: SeededRandomness;
  readonly query: (sql: string) => Promise<readonly Record<string, unknown>[]>;
}

/** Longer than a process may take to come back after a restart of the server: then its lanes are another's. */
const frozenMs = 4_000;
const lookMs = 100;

/** What happens to workers and server while they work. */
export class Disturbances {
  readonly #options: DisturbancesOptions;
  readonly #since = Date.now();
  readonly #done: Promise<unknown>;
  readonly #ending = new AbortController();
  kills = 0;
  restarts = 0;
  frozen = 0;
  robbed = 0;

  constructor(options: DisturbancesOptions) {
    this.#options = options;
    const { killEveryMs, restartEveryMs, freezeEveryMs, robEveryMs } = options;
    this.#done = Promise.all([
      this.#every(killEveryMs, () => this.#kill()),
      this.#every(restartEveryMs, () => this.#restart()),
      this.#every(freezeEveryMs, () => this.#freeze()),
      this.#every(robEveryMs, () => this.#rob()),
    ]);
  }

  /** Whether all of it has happened at least once. */
  get haveHappened(): boolean {
    const { killEveryMs, restartEveryMs, freezeEveryMs, robEveryMs } = this.#options;
    const pairs = [
      [killEveryMs, this.kills],
      [restartEveryMs, this.restarts],
      [freezeEveryMs, this.frozen],
      [robEveryMs, this.robbed],
    ] as const;
    return pairs.every(([everyMs, times]) => everyMs === 0 || times > 0);
  }

  /** Resolves when nothing happens any more. */
  async end(): Promise<void> {
    this.#ending.abort();
    await this.#done;
  }

  get #isOver(): boolean {
    const { calmAfterMs } = this.#options;
    const isCalm = calmAfterMs > 0 && Date.now() - this.#since > calmAfterMs && this.haveHappened;
    return isCalm || this.#ending.signal.aborted;
  }

  async #every(ms: number, act: () => Promise<void>): Promise<void> {
    const { randomness } = this.#options;
    while (ms > 0 && !this.#isOver) {
      // Not in step with one another.
      await sleep(ms * (0.5 + randomness.float()), undefined, { signal: this.#ending.signal }).catch(
        () => {},
      );
      if (!this.#isOver) await act().catch(() => {});
    }
  }

  /** A worker that has started: one that always dies before that proves nothing. */
  async #pick(): Promise<Fleet['working'][number] | undefined> {
    const { fleet, randomness } = this.#options;
    while (fleet.working.length === 0 && !this.#isOver) await sleep(lookMs);
    return fleet.working.length === 0 ? undefined : randomness.pick(fleet.working);
  }

  async #kill(): Promise<void> {
    if ((await this.#pick())?.kill('SIGKILL') === true) this.kills += 1;
  }

  /** As long as the server lives its session proves that it lives as well; with a restart meanwhile it is a zombie when it goes on. */
  async #freeze(): Promise<void> {
    const worker = await this.#pick();
    if (worker?.kill('SIGSTOP') !== true) return;
    this.frozen += 1;
    await sleep(frozenMs);
    worker.kill('SIGCONT');
  }

  /**
   * As others do who take a worker for dead: the lanes of one that is in the middle of something. It works on and does not know; only
   * the fence keeps what it does from being recorded.
   */
  async #rob(): Promise<void> {
    while (!this.#isOver) {
      const lanes = await this.#options.query(
        `with busy as (
           select l.consumer_id, l.owner from factline.workflow_instances i join factline.lanes l on l.consumer_id = i.consumer_id
              and l.lane = (i.key_hash::bigint & 4294967295) % (select count(*) from factline.lanes n where n.consumer_id = i.consumer_id)
            where i.held and i.changed_at > factline.clock() - interval '100 ms' and l.owner is not null
            order by i.changed_at desc limit 1)
         update factline.lanes l set token = token + 1, owner = null, released = false
           from busy where l.consumer_id = busy.consumer_id and l.owner = busy.owner returning l.lane`,
      );
      if (lanes.length > 0) {
        this.robbed += 1;
        return;
      }
      await sleep(lookMs);
    }
  }

  /** The postmaster takes a killed backend for corrupted memory: it ends all sessions and recovers from its log. */
  async #restart(): Promise<void> {
    await this.#pick();
    const [row] = await this.#options.query(
      `select pid from pg_stat_activity where datname = current_database() and backend_type = 'client backend'
         and pid <> pg_backend_pid() limit 1`,
    );
    if (row === undefined) return;
    process.kill(Number(row['pid']), 'SIGKILL');
    this.restarts += 1;
  }
}
