import { Background, type Clock, Lifecycle, type Timer } from '../foundation/index.ts';
import { ensurePartitions, publishingQueries } from '../log/index.ts';
import { run } from '../postgres/index.ts';
import type { Settings } from './options.ts';
import type { Parts } from './parts.ts';

export interface MaintenanceOptions {
  readonly parts: Parts;
  readonly settings: Settings;
  readonly clock: Clock;
}

/** Partitions are made ten million positions ahead, so a quarter of an hour is far from late. */
const everyMs = 15 * 60_000;

/** The rare chores of a started app: partitions ahead of the log, dedupe keys beyond their window. */
export class Maintenance extends Lifecycle {
  readonly #options: MaintenanceOptions;
  /** A chore that failed is tried again at the next pass; `doctor` shows what is missing meanwhile. */
  readonly #background: Background = new Background(() => undefined);
  #timer: Timer | undefined;

  constructor(options: MaintenanceOptions) {
    super('the maintenance');
    this.#options = options;
  }

  protected async onStart(): Promise<void> {
    this.#arm();
  }

  protected async onStop(): Promise<void> {
    this.#timer?.cancel();
    await this.#background.settled();
  }

  /** One bounded pass. */
  async runOnce(): Promise<void> {
    const { parts, settings } = this.#options;
    await ensurePartitions(parts.database);
    await run(parts.database.operations, publishingQueries.purge_ids, [settings.dedupeWindowDays]);
  }

  #arm(): void {
    this.#timer = this.#options.clock.timer(
      everyMs,
      () => {
        this.#background.run(() => this.runOnce());
        this.#arm();
      },
      { unref: true },
    );
  }
}
