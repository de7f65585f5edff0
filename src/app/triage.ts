import { type Clock, Periodic, type Telemetry } from '../foundation/index.ts';
import { driveReleases, watchQuarantine } from '../operations/index.ts';
import type { Parts } from './parts.ts';

export interface TriageOptions {
  readonly parts: Parts;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
}

/** While a release is under way a pass a second. */
const everyMs = 1_000;
const watchPasses = 60;

/**
 * What a started app does for the quarantine beside its consumers: carries releases of groups on, also those whose process is
 * gone, and watches for growth and age. Everything it knows is in the database, so any process may be the one.
 */
export class Triage extends Periodic {
  readonly #options: TriageOptions;
  #pass = 0;
  #busy = false;

  constructor(options: TriageOptions) {
    super('the triage', { clock: options.clock, everyMs });
    this.#options = options;
  }

  /** One bounded pass. */
  override async runOnce(): Promise<void> {
    const { parts, telemetry } = this.#options;
    const { operations } = parts.database;
    const pass = this.#pass++;
    if (this.#busy) return;
    this.#busy = true;
    try {
      if (parts.engine.chores().has('releases')) await driveReleases(operations);
      if (pass % watchPasses === watchPasses - 1) await watchQuarantine(operations, telemetry);
    } catch (error) {
      telemetry.emit('engine.error', { unit: 'the triage', error });
    } finally {
      this.#busy = false;
    }
  }
}
