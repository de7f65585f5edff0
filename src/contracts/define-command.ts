import { type Duration, FactlineError } from '../foundation/index.ts';
import { commandIssues, type Loose } from './check-declaration.ts';
import type { CommandContract, EventContract } from './contract.ts';
import { type CheckedDeclaration, createContract } from './create-contract.ts';
import type { ContractDeclaration } from './define-event.ts';
import type { Out, PayloadSchema, TypeName } from './payload-types.ts';

export interface CommandDeclaration<
  T extends TypeName,
  S extends PayloadSchema,
  R extends readonly EventContract[],
  W extends Duration | undefined,
> extends ContractDeclaration<T, S> {
  /** The events that answer it: its handler publishes one of them in its transaction. Without it nobody can wait for an answer. */
  readonly replies?: R;
  /** How long `app.request` waits for the reply unless it says otherwise: at most an hour. */
  readonly within?: W;
}

/**
 * Declares a command: a request that one owner handles once, named as an order (`payments.card.charge.v1`).
 * @example
 * const ChargeCard = defineCommand({
 *   type: 'payments.card.charge.v1', key: 'orderId', schema: z.object({ orderId: z.string(), pence: z.int() }),
 *   replies: [CardCharged, CardDeclined], within: '10s',
 * })
 * const request = await app.request(ChargeCard, { orderId: 'A1', pence: 4200 })
 * const reply = await request.reply() // CardCharged or CardDeclined
 * @throws FactlineError CONTRACT_INVALID with everything that is wrong. Calling the contract throws what calling an event's does.
 */
export const defineCommand = <
  const T extends TypeName,
  S extends PayloadSchema,
  const R extends readonly EventContract[] = readonly [],
  const W extends Duration | undefined = undefined,
>(
  declaration: CommandDeclaration<T, S, R, W>,
): CommandContract<T, Out<S>, R[number], W> => {
  const issues = commandIssues(declaration as unknown as Loose);
  if (issues.length > 0)
    throw new FactlineError('CONTRACT_INVALID', { type: String(declaration.type), issues });
  const { within } = declaration;
  const replies: readonly EventContract[] = declaration.replies ?? [];
  const contract = createContract<T, Out<S>>(
    declaration as unknown as CheckedDeclaration<T, Out<S>>,
    'command',
    {
      members: { replies: Object.freeze([...replies]), within },
      said: {
        ...(replies.length === 0 ? {} : { replies: replies.map(({ type }) => type) }),
        ...(within === undefined ? {} : { within }),
      },
    },
  );
  return contract as CommandContract<T, Out<S>, R[number], W>;
};
