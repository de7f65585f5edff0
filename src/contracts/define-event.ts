import { FactlineError } from '../foundation/index.ts';
import { declarationIssues, type Loose } from './check-declaration.ts';
import type { EventContract, EventKind } from './contract.ts';
import type { ContractTerms } from './contract-terms.ts';
import { type CheckedDeclaration, createContract } from './create-contract.ts';
import type { KeyField, Out, PayloadSchema, TypeName, Wire } from './payload-types.ts';

/** What events and commands declare alike. */
export interface ContractDeclaration<T extends TypeName, S extends PayloadSchema>
  extends ContractTerms<NoInfer<Out<S>>> {
  /** `{domain}.{entity}.{action}.v{n}` in lower case: `shop.order.placed.v1`, in the past tense; a command's as an order. */
  readonly type: T;
  /** The field (or fields) of the payload that names the entity whose order matters. */
  readonly key: NoInfer<KeyField<Out<S>> | readonly [KeyField<Out<S>>, ...KeyField<Out<S>>[]]>;
  readonly schema: S & Wire<S>;
}

export interface EventDeclaration<T extends TypeName, S extends PayloadSchema>
  extends ContractDeclaration<T, S> {
  readonly kind?: EventKind;
}

/**
 * Declares an event. The result is a value to export and to call:
 * @example
 * const OrderPlaced = defineEvent({ type: 'shop.order.placed.v1', key: 'orderId', schema: z.object({ orderId: z.string() }) })
 * await app.publish(OrderPlaced({ orderId: 'A1' }))
 * @throws FactlineError CONTRACT_INVALID with everything that is wrong. Calling the contract throws PAYLOAD_INVALID,
 * PAYLOAD_NOT_JSON, PAYLOAD_TOO_LARGE, KEY_INVALID, SCHEMA_ASYNC, SCHEMA_THREW or EVENT_OPTION_INVALID, before anything is written.
 */
export const defineEvent = <const T extends TypeName, S extends PayloadSchema>(
  declaration: EventDeclaration<T, S>,
): EventContract<T, Out<S>> => {
  const issues = declarationIssues(declaration as unknown as Loose);
  if (issues.length > 0)
    throw new FactlineError('CONTRACT_INVALID', { type: String(declaration.type), issues });
  return createContract<T, Out<S>>(
    declaration as unknown as CheckedDeclaration<T, Out<S>>,
    declaration.kind ?? 'domain',
  );
};
