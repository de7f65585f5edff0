import { FactlineError } from '../foundation/index.ts';
import { type EventContract, type EventOf, isEventContract } from './contract.ts';
import type { FactEvent } from './envelope.ts';
import { validatePayload } from './payload-check.ts';

/** One contract, several, or a module of them (`import * as orders from './orders-contracts.ts'`). */
export type Many<C> = C | readonly C[] | { readonly [name: string]: C };

/** The contract or contracts of a `Many`, as a union. */
export type OneOf<O> = O extends EventContract
  ? O
  : O extends readonly (infer C extends EventContract)[]
    ? C
    : Extract<O[keyof O], EventContract>;

/** The union of the events of a `Many`: what a consumer with `on: O` receives. */
export type On<O> = OneOf<O> extends infer C ? (C extends EventContract ? EventOf<C> : never) : never;

/** The contracts of a `Many`; what else a module exports beside contracts is left out. */
export const manyContracts = (
  many: Many<EventContract> | Readonly<Record<string, unknown>>,
): readonly EventContract[] => {
  if (isEventContract(many)) return [many];
  if (!Array.isArray(many)) return Object.values(many).filter(isEventContract);
  const contracts: readonly unknown[] = many;
  if (contracts.every(isEventContract)) return contracts;
  const wrong = contracts.find((value) => !isEventContract(value));
  throw new FactlineError('OPTION_INVALID', {
    option: 'on',
    expected: 'contracts made by defineEvent',
    actual: String(wrong),
  });
};

/**
 * Checks a payload that was read from the log against the contract of this code, which may be older or newer than its writer.
 * Members that this code does not know are dropped where its schema drops them; defaults are filled in.
 * @throws FactlineError PAYLOAD_INVALID, SCHEMA_ASYNC, SCHEMA_THREW: all of them poison, a retry cannot help
 */
export const acceptPayload = <D>(contract: EventContract<EventContract['type'], D>, payload: unknown): D =>
  validatePayload(contract.type, contract.schema, payload) as D;

/** The contracts that an app or a consumer knows, one per type. */
export class ContractSet implements Iterable<EventContract> {
  readonly #byType = new Map<string, EventContract>();

  /** @throws FactlineError CONTRACT_DUPLICATE when two different contracts have one type */
  constructor(contracts: Iterable<EventContract>) {
    for (const contract of contracts) {
      const present = this.#byType.get(contract.type);
      if (present && present !== contract)
        throw new FactlineError('CONTRACT_DUPLICATE', { type: contract.type });
      this.#byType.set(contract.type, contract);
    }
  }

  get types(): ReadonlySet<string> {
    return new Set(this.#byType.keys());
  }

  get(type: string): EventContract | undefined {
    return this.#byType.get(type);
  }

  has(type: string): boolean {
    return this.#byType.has(type);
  }

  /**
   * The event with its payload checked against this code's contract.
   * @throws FactlineError EVENT_UNKNOWN_TYPE, or what `acceptPayload` throws
   */
  accept(event: FactEvent): FactEvent {
    const contract = this.#byType.get(event.type);
    if (!contract) throw new FactlineError('EVENT_UNKNOWN_TYPE', { type: event.type });
    const data = acceptPayload(contract, event.data);
    return data === event.data ? event : { ...event, data };
  }

  [Symbol.iterator](): Iterator<EventContract> {
    return this.#byType.values();
  }
}
