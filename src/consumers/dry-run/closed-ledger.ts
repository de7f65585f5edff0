import { FactlineError } from '../../foundation/index.ts';
import { EffectLedger, type EffectLedgerOptions, type EffectStart } from '../operational/effect-ledger.ts';
import type { Entry } from '../operational/entry.ts';

export interface ClosedLedgerOptions extends EffectLedgerOptions {
  /** A call was refused: the handler goes no further. */
  readonly onRefused: () => void;
}

/** A ledger that lets nothing out: what is recorded is answered, what is not ends the handler. It records nothing. */
export class ClosedLedger extends EffectLedger {
  readonly reused: string[] = [];
  readonly refused: string[] = [];
  readonly #options: ClosedLedgerOptions;

  constructor(options: ClosedLedgerOptions) {
    super(options);
    this.#options = options;
  }

  /** @throws FactlineError EFFECT_CLOSED */
  override async start({ event }: Entry, name: string): Promise<EffectStart> {
    const recorded = await this.recorded(event.id, name);
    if (recorded !== null) {
      this.reused.push(name);
      return { state: 'done', result: recorded.result };
    }
    this.refused.push(name);
    this.#options.onRefused();
    throw new FactlineError('EFFECT_CLOSED', { effect: name, consumer: this.#options.consumer.name });
  }
}
