import { Background, type Clock } from '../foundation/index.ts';
import { type Database, loadQueries } from '../postgres/index.ts';
import type { TailSession } from './tail-session.ts';

const sql = loadQueries<'hint_alone'>(new URL('./tail.sql', import.meta.url));

/** Other processes listen here: "something was committed, look". May be lost; polling is the net. */
export const logChannel = 'factline_log';

const spacingMsMin = 2;
/** Under sustained load readers find everything by reading on; hints would only cost commits their CPU. */
const spacingMsMax = 10;
const sustainedAfter = 20;

/** Tells other processes about commits: one notification for many commits, never inside the user's transaction. */
export class Hint {
  readonly #session: TailSession;
  readonly #database: Database;
  readonly #clock: Clock;
  readonly #background: Background;
  #sentAt = Number.NEGATIVE_INFINITY;
  #pending = false;
  /** Hints in a row that had to wait for the spacing. */
  #inRow = 0;

  constructor(options: { session: TailSession; database: Database; clock: Clock }) {
    this.#session = options.session;
    this.#database = options.database;
    this.#clock = options.clock;
    // A lost hint costs another process one poll interval; there is nothing to report.
    this.#background = new Background(() => undefined);
  }

  /** Sends a hint now, or one for all calls until the spacing has passed. */
  fire(): void {
    if (this.#pending) return;
    const spacing = this.#inRow < sustainedAfter ? spacingMsMin : spacingMsMax;
    const waitMs = this.#sentAt + spacing - this.#clock.monotonic();
    if (waitMs <= 0) {
      this.#inRow = 0;
      this.#send();
      return;
    }
    this.#pending = true;
    this.#inRow += 1;
    this.#clock.timer(waitMs, () => {
      this.#pending = false;
      this.#send();
    });
  }

  /** Resolves when no hint is under way. */
  settled(): Promise<void> {
    return this.#background.settled();
  }

  #send(): void {
    this.#sentAt = this.#clock.monotonic();
    this.#background.run(async () => {
      if (this.#session.connected) await this.#session.notify(logChannel, '');
      // A process that only publishes has no tail: one round trip, its own transaction without a flush.
      else await this.#database.operations.query(sql.hint_alone.text);
    });
  }
}
