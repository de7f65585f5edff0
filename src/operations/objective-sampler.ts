import { type Clock, Periodic } from '../foundation/index.ts';
import { type Database, loadQueries, run } from '../postgres/index.ts';
import { measureConsumers } from './measuring.ts';

const sql = loadQueries<'sample'>(new URL('./objectives.sql', import.meta.url));

/** An hour is sixty samples: fine enough for a budget of thirty days, and no load. */
const everyMs = 60_000;
/** More events than this in a minute are counted as this many: the share of late ones hardly changes. */
const countedRowsMax = 200_000;

export interface ObjectiveSamplerOptions {
  readonly database: Pick<Database, 'operations'>;
  readonly clock: Clock;
  readonly app: string;
}

/**
 * Writes down once a minute how the consumers of an app keep their promises, so that the error budget knows thirty days
 * and not only what is late now. Every running process has one; in each minute the first one counts. A sample
 * that failed is made up for by the next, which counts from the last one that was written.
 */
export class ObjectiveSampler extends Periodic {
  readonly #options: ObjectiveSamplerOptions;

  constructor(options: ObjectiveSamplerOptions) {
    super('the sampler of objectives', { clock: options.clock, everyMs, atStart: true });
    this.#options = options;
  }

  /** One bounded pass. Returns for how many consumers this process was the one that counted. */
  override async runOnce(): Promise<number> {
    const { database, app } = this.#options;
    const consumers = await measureConsumers(database.operations, app);
    if (consumers.length === 0) return 0;
    const samples = consumers.map(({ id, types, head, oldest, handledWithinMs }) => ({
      id,
      types,
      head,
      late: (oldest?.ageMs ?? 0) > handledWithinMs,
    }));
    return (await run(database.operations, sql.sample, [JSON.stringify(samples), countedRowsMax])).length;
  }
}
