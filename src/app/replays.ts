import type { TestStep } from '../consumers/index.ts';
import { type Clock, Periodic, type Telemetry } from '../foundation/index.ts';
import { followRebuilds, ReplayRun } from '../replay/index.ts';
import type { Settings } from './options.ts';
import type { Parts } from './parts.ts';

export interface ReplaysOptions {
  readonly parts: Parts;
  readonly settings: Settings;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  readonly testStep?: TestStep | undefined;
}

/** While a replay is under way events are handed over ten times a second, in small lots that live events hardly feel. */
const everyMs = 100;
/** What is done less often: a look at whether the heartbeat has seen work, and what only now and then has to follow. */
const beginPasses = 5;
const followPasses = 20;

/**
 * What a started app does for governed replays of its consumers: hands their events over to the owners of the lanes, at the pace
 * that live traffic leaves. Everything that matters is in the database, so any process may be the one.
 */
export class Replays extends Periodic {
  readonly #options: ReplaysOptions;
  readonly #run: ReplayRun;
  #pass = 0;
  #active = false;
  #busy = false;

  constructor(options: ReplaysOptions) {
    super('the replays', { clock: options.clock, everyMs });
    this.#options = options;
    const { parts, settings, telemetry, testStep } = options;
    const consumers = settings.consumers.filter((each) => each.class === 'operational');
    const byName = new Map(consumers.map((each) => [each.name, each]));
    this.#run = new ReplayRun({
      database: parts.database,
      telemetry,
      ...(testStep === undefined ? {} : { testStep }),
      consumers: () =>
        new Map(
          parts.engine.running().flatMap(({ consumer }) => {
            const definition = byName.get(consumer.name);
            return definition === undefined ? [] : [[consumer.id, definition] as const];
          }),
        ),
    });
  }

  /** One bounded pass. */
  override async runOnce(): Promise<void> {
    const pass = this.#pass++;
    const { parts, clock, telemetry } = this.#options;
    if (this.#busy || !(this.#active || pass % beginPasses === 0)) return;
    const chores = parts.engine.chores();
    this.#busy = true;
    try {
      if (this.#active || chores.has('replays')) this.#active = (await this.#run.pass()) > 0;
      if (pass % followPasses !== 0) return;
      if (chores.has('rebuilds')) await followRebuilds(parts.database, { clock });
      if (chores.has('replays')) await this.#run.clear();
    } catch (error) {
      telemetry.emit('engine.error', { unit: 'the replays', error });
    } finally {
      this.#busy = false;
    }
  }
}
