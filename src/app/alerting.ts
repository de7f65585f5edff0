import { afterStartMs, type Clock, Periodic, type Telemetry } from '../foundation/index.ts';
import {
  type CheckedReceiver,
  deliverAlerts,
  evaluateAlerts,
  evaluateEveryMs,
  resumeDue,
} from '../operations/index.ts';
import type { Parts } from './parts.ts';

export interface AlertingOptions {
  readonly parts: Parts;
  readonly app: string;
  readonly receivers: readonly CheckedReceiver[];
  readonly clock: Clock;
  readonly telemetry: Telemetry;
}

/**
 * What a started app does about alerts: one of its processes evaluates, every one delivers what waits. Everything that matters is in the
 * database: a restart, or another process, goes on where this one ended.
 */
export class Alerting extends Periodic {
  readonly #options: AlertingOptions;
  #busy = false;

  constructor(options: AlertingOptions) {
    super('the alerts', { clock: options.clock, everyMs: evaluateEveryMs, firstAfterMs: afterStartMs });
    this.#options = options;
  }

  /** One bounded pass. */
  override async runOnce(): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    try {
      await this.#pass();
    } catch (error) {
      this.#options.telemetry.emit('engine.error', { unit: 'the alerts', error });
    } finally {
      this.#busy = false;
    }
  }

  async #pass(): Promise<void> {
    const { parts, app, receivers, clock, telemetry } = this.#options;
    const { operations } = parts.database;
    const evaluation = await evaluateAlerts(operations, {
      app,
      receivers,
      verdicts: () => parts.meter.verdicts(),
    });
    for (const { id, key, severity, state, summary } of evaluation?.changes ?? [])
      telemetry.emit(state === 'firing' ? 'alert.fired' : 'alert.resolved', { id, key, severity, summary });
    // Whose turn it was looks for the ends of pauses, too.
    if (evaluation?.paused === true) await resumeDue(operations, app);
    const delivered = await deliverAlerts(operations, { app, receivers, clock });
    for (const { receiver, message, attempt, failure } of delivered) {
      telemetry.metrics.count('factline_alert_deliveries_total', {
        receiver,
        outcome: failure === null ? 'delivered' : 'failed',
      });
      if (failure !== null)
        telemetry.emit('alert.not-delivered', { receiver, message, attempt, reason: failure });
    }
  }
}
