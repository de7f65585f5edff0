import type { Draft } from '../contracts/index.ts';
import { type Clock, Periodic, type Telemetry } from '../foundation/index.ts';
import { claimProbe, ProbeSent, probeEveryMs } from '../operations/index.ts';
import type { Parts } from './parts.ts';

export interface ProbingOptions {
  readonly parts: Parts;
  readonly app: string;
  readonly publish: (probe: Draft) => Promise<unknown>;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
}

/** Sends a probe every ten seconds, from one process of the app: see operations/probes. */
export class Probing extends Periodic {
  readonly #options: ProbingOptions;

  constructor(options: ProbingOptions) {
    super('the probes', { clock: options.clock, everyMs: probeEveryMs, firstAfterMs: 0 });
    this.#options = options;
  }

  /** One bounded pass. */
  override async runOnce(): Promise<void> {
    const { parts, app, publish, telemetry } = this.#options;
    try {
      if (await claimProbe(parts.database.operations, app)) await publish(ProbeSent({ app }));
    } catch (error) {
      telemetry.emit('engine.error', { unit: 'the probes', error });
    }
  }
}
