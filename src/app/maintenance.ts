import { purgeWorkflowMail } from '../consumers/index.ts';
import { type Clock, Periodic } from '../foundation/index.ts';
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

/**
 * The rare chores of a started app: partitions ahead of the log, dedupe keys beyond their window, mail that no workflow
 * can want any more. What a failed pass leaves
 * missing is shown by `doctor`.
 */
export class Maintenance extends Periodic {
  readonly #options: MaintenanceOptions;

  constructor(options: MaintenanceOptions) {
    super('the maintenance', { clock: options.clock, everyMs });
    this.#options = options;
  }

  /** One bounded pass. */
  override async runOnce(): Promise<void> {
    const { parts, settings } = this.#options;
    await ensurePartitions(parts.database);
    await run(parts.database.operations, publishingQueries.purge_ids, [settings.dedupeWindowDays]);
    if (settings.executors.length > 0) await purgeWorkflowMail(parts.database.operations, settings.name);
  }
}
