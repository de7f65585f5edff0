import { FactlineError } from '../foundation/index.ts';
import { type EventContract, type EventOf, isEventContract } from './contract.ts';
import { type FactEvent, openEnvelope, type StoredRow } from './envelope.ts';
import { validatePayload } from './payload-check.ts';
import { hidesSomething, keyLevelOf, type Redact, redaction, shownKey } from './redaction.ts';
import type { Upcaster } from './upcasting/define-upcaster.ts';
import { type UpcastRoutes, upcastEvent, upcastRoutes } from './upcasting/upcasting.ts';

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

/** `unknown` where no command is among the contracts of a `Many`, else the reason, which the compiler then prints. */
export type EventsOnly<O> = [Extract<OneOf<O>, { readonly kind: 'command' }>] extends [never]
  ? unknown
  : 'a projection reads events and no commands';

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

/** The contracts that a consumer knows, one per type, and the upcasters that bring older events to them. */
export class ContractSet implements Iterable<EventContract> {
  readonly #byType = new Map<string, EventContract>();
  readonly #routes: UpcastRoutes;
  #hidingKeys: readonly EventContract[] | null = null;

  /** @throws FactlineError CONTRACT_DUPLICATE when two different contracts have one type; UPCASTER_INVALID */
  constructor(contracts: Iterable<EventContract>, upcasters: readonly Upcaster[] = []) {
    for (const contract of contracts) {
      const present = this.#byType.get(contract.type);
      if (present && present !== contract)
        throw new FactlineError('CONTRACT_DUPLICATE', { type: contract.type });
      this.#byType.set(contract.type, contract);
    }
    this.#routes = upcastRoutes(upcasters, (type) => this.#byType.has(type));
  }

  /** Every type that `open` accepts: those of the contracts, and those that upcasters lead from. */
  get types(): ReadonlySet<string> {
    return new Set([...this.#byType.keys(), ...this.#routes.keys()]);
  }

  /** The upcasters that are in use: each leads, maybe over others, to one of the contracts. */
  get upcasters(): readonly Upcaster[] {
    return [...new Set([...this.#routes.values()].flat())];
  }

  /** Takes what its contracts call personal or secret out of texts about an event: as it was published, and as it is read. */
  redactionOf(row: StoredRow): Redact {
    const contracts = this.#contractsOf(row.type).filter(hidesSomething);
    if (contracts.length === 0) return (text) => text;
    const payloads = [() => openEnvelope(row).data, () => this.open(row).data].flatMap((read) => {
      try {
        return [read()];
      } catch {
        return [];
      }
    });
    const redactions = contracts.map((contract) => redaction(contract, payloads));
    return (text) => redactions.reduce((shown, redact) => redact(shown), text);
  }

  /** A key as it may be shown: one that is made of a hidden field gives way to its level. */
  shownKey(key: string): string {
    this.#hidingKeys ??= [...this.#byType.values(), ...this.upcasters.map(({ from }) => from)].filter(
      (contract) => keyLevelOf(contract) !== undefined,
    );
    return this.#hidingKeys.reduce((shown, contract) => shownKey(contract, shown), key);
  }

  /** Of this type, and on its way to one that this code reads. */
  #contractsOf(type: string): readonly EventContract[] {
    const route = this.#routes.get(type) ?? [];
    return [this.#byType.get(type) ?? [], route.flatMap(({ from, to }) => [from, to])].flat();
  }

  has(type: string): boolean {
    return this.#byType.has(type) || this.#routes.has(type);
  }

  /**
   * The event of a stored row as this code's contracts have it, which may be older or newer than its writer: the payload is
   * checked, members that this code does not know are dropped where its schema drops them, defaults are filled in.
   * @throws FactlineError EVENT_UNKNOWN_TYPE; PAYLOAD_INVALID, SCHEMA_ASYNC, SCHEMA_THREW, UPCAST_FAILED: a retry cannot help
   */
  open(row: StoredRow): FactEvent {
    const contract = this.#byType.get(row.type);
    if (contract !== undefined) {
      const event = openEnvelope(row) as { data: unknown } & FactEvent;
      // The envelope was made for us alone just now, so the checked payload may take the place of the parsed one.
      event.data = validatePayload(contract, contract.schema, event.data);
      return event;
    }
    const route = this.#routes.get(row.type);
    if (route === undefined) throw new FactlineError('EVENT_UNKNOWN_TYPE', { type: row.type });
    return upcastEvent(openEnvelope(row), route);
  }

  [Symbol.iterator](): Iterator<EventContract> {
    return this.#byType.values();
  }
}
