import { Background, type Clock } from '../../foundation/index.ts';
import { type Database, loadQueries, run } from '../../postgres/index.ts';
import { hubOf } from './hub.ts';

const sql = loadQueries<'find_started'>(new URL('./starting.sql', import.meta.url));

const lookMsMin = 5;
const lookMsMax = 250;
/** A transaction that lasts longer, or was rolled back: the owners' heartbeats find what comes of it. */
const watchedMs = 10_000;

/**
 * Instances that were started in somebody else's transaction: their owners are woken when it has committed. Nobody tells when that
 * is, and a NOTIFY inside would make the commits of the whole server wait for one another, so it is looked for, for all of
 * them together.
 */
export class CommittedStarts {
  readonly #database: Database;
  readonly #clock: Clock;
  /** Until when each is looked for. */
  readonly #watched = new Map<number, number>();
  /** Whatever fails: the heartbeats are the net. */
  readonly #background = new Background(() => this.#watched.clear());
  #lookMs = lookMsMin;

  constructor({ database, clock }: { readonly database: Database; readonly clock: Clock }) {
    this.#database = database;
    this.#clock = clock;
  }

  watch(id: number): void {
    const isIdle = this.#watched.size === 0;
    this.#watched.set(id, this.#clock.monotonic() + watchedMs);
    this.#lookMs = lookMsMin;
    if (isIdle) this.#arm();
  }

  #arm(): void {
    this.#clock.timer(this.#lookMs, () => this.#background.run(() => this.#look()), { unref: true });
    this.#lookMs = Math.min(this.#lookMs * 2, lookMsMax);
  }

  async #look(): Promise<void> {
    const nowMs = this.#clock.monotonic();
    const rows = await run(this.#database.operations, sql.find_started, [[...this.#watched.keys()]]);
    for (const row of rows) this.#watched.delete(Number(row['id']));
    hubOf(this.#database).wake(
      rows.map((row) => ({ id: Number(row['id']), consumerId: Number(row['consumer_id']) })),
    );
    for (const [id, untilMs] of this.#watched) if (untilMs < nowMs) this.#watched.delete(id);
    if (this.#watched.size > 0) this.#arm();
  }
}
