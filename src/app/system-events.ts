import { ContractSet } from '../contracts/index.ts';
import { type Clock, Periodic, type Telemetry } from '../foundation/index.ts';
import type { Tx } from '../log/index.ts';
import { publishFacts, systemFactsWait } from '../operations/index.ts';
import type { Settings } from './options.ts';
import type { Parts } from './parts.ts';

export interface SystemEventsOptions {
  readonly parts: Parts;
  readonly settings: Settings;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  /** Runs the work in a transaction of the app. */
  readonly transact: (work: (tx: Tx) => Promise<number>) => Promise<{ readonly value: number }>;
}

const everyMs = 1_000;

/** Publishes Factline's own facts, for an app that wants them. Any of its processes may be the one. */
export class SystemEventsChore extends Periodic {
  readonly #options: SystemEventsOptions;
  readonly #contracts: ContractSet;
  #busy = false;

  constructor(options: SystemEventsOptions) {
    super('the system events', { clock: options.clock, everyMs });
    this.#options = options;
    this.#contracts = new ContractSet(options.settings.contracts, options.settings.upcasters);
  }

  /** One bounded pass. */
  override async runOnce(): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    const { parts, settings, telemetry, transact } = this.#options;
    const publishing = {
      app: settings.name,
      shownKey: (key: string): string => this.#contracts.shownKey(key),
    };
    try {
      while (await systemFactsWait(parts.database.operations, settings.name))
        if ((await transact((tx) => publishFacts(tx, publishing))).value === 0) break;
    } catch (error) {
      telemetry.emit('engine.error', { unit: 'the system events', error });
    } finally {
      this.#busy = false;
    }
  }
}
