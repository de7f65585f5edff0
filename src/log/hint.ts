import { Background, type Clock } from '../foundation/index.ts';
import { type Database, loadQueries, run } from '../postgres/index.ts';
import type { TailSession } from './tail-session.ts';

const sql = loadQueries<'hint' | 'hint_alone'>(new URL('./tail.sql', import.meta.url));

/** Other processes listen here: "something was committed, look". May be lost; polling is the net. */
export const logChannel = 'factline_log';

const spacingMsMin = 2;
/** Under sustained load readers find everything by reading on; hints would only cost commits their CPU. */
const spacingMsMax = 10;
const sustainedAfter = 20;
/** A process that was found to be the only reader looks again after this long: until then a new one is served by its polling. */
const aloneMs = 1_000;

/** Tells other processes about commits: one notification for many commits, never inside the user's transaction. */
export class Hint {
  readonly #session: TailSession;
  readonly #database: Database;
  readonly #clock: Clock;
  readonly #background: Background;
  #sentAt = Number.NEGATIVE_INFINITY;
  #pending = false;
  #sending = false;
  /** Nobody else reads until then, as far as is known. */
  #aloneUntil = Number.NEGATIVE_INFINITY;
  /** Hints in a row that had to wait for the spacing. */
  #inRow = 0;

  constructor(options: { session: TailSession; database: Database; clock: Clock }) {
    this.#session = options.session;
    this.#database = options.database;
    this.#clock = options.clock;
    // A lost hint costs another process one poll interval; there is nothing to report.
    this.#background = new Background(() => undefined);
  }

  /** Sends a hint now, or one for all calls until the spacing has passed and the one under way has been sent. */
  fire(): void {
    const now = this.#clock.monotonic();
    if (this.#pending || now < this.#aloneUntil) return;
    const spacing = this.#inRow < sustainedAfter ? spacingMsMin : spacingMsMax;
    const waitMs = this.#sentAt + spacing - now;
    if (waitMs <= 0 && !this.#sending) {
      this.#inRow = 0;
      this.#send();
      return;
    }
    this.#pending = true;
    this.#inRow += 1;
    this.#clock.timer(Math.max(waitMs, spacing), () => {
      this.#pending = false;
      if (this.#sending) this.fire();
      else this.#send();
    });
  }

  /** Resolves when no hint is under way. */
  settled(): Promise<void> {
    return this.#background.settled();
  }

  #send(): void {
    this.#sentAt = this.#clock.monotonic();
    this.#sending = true;
    this.#background.run(async () => {
      try {
        if ((await this.#tell()) === 0) this.#aloneUntil = this.#clock.monotonic() + aloneMs;
      } finally {
        this.#sending = false;
      }
    });
  }

  /** Answers how many other processes read the log. */
  async #tell(): Promise<number> {
    const [row] = this.#session.connected
      ? await this.#session.run(sql.hint, [logChannel])
      : // A process that only publishes has no tail.
        await run(this.#database.operations, sql.hint_alone, [logChannel]);
    return Number(row?.['readers']);
  }
}
