import { FactlineError, type Issue } from '../../foundation/index.ts';
import { type DataOf, type EventContract, isEventContract } from '../contract.ts';
import { describeValue } from '../payload-check.ts';

/** How events of one contract are read as another's. Made by `defineUpcaster`; frozen. */
export interface Upcaster {
  readonly from: EventContract;
  readonly to: EventContract;
  readonly upcast: (data: unknown) => unknown;
}

export const isUpcaster = (value: unknown): value is Upcaster => {
  if (typeof value !== 'object' || value === null) return false;
  const { from, to, upcast } = value as Partial<Upcaster>;
  return isEventContract(from) && isEventContract(to) && typeof upcast === 'function';
};

const issuesOf = (from: EventContract, to: EventContract, upcast: unknown): readonly Issue[] => {
  const issues: Issue[] = [];
  const add = (path: string, expected: string, value: unknown): void => {
    issues.push({ path, expected, actual: describeValue(value), message: `is not ${expected}` });
  };
  if (!isEventContract(from)) add('from', 'a contract made by defineEvent', from);
  if (!isEventContract(to)) add('to', 'a contract made by defineEvent', to);
  if (typeof upcast !== 'function') add('upcast', 'a function', upcast);
  if (issues.length > 0) return issues;
  if (from.type === to.type) add('to', `another type than ${from.type}`, to.type);
  // The key decides the order, the lane and who waits for whom: an event must not change it when it is read.
  if (from.key.join() !== to.key.join())
    add('to.key', `the key of ${from.type}, ${from.key.join(', ')}`, to.key);
  return issues;
};

/**
 * Lets consumers of a new contract read the events of an old one. `upcast` gets a payload of `from`, checked and of its own,
 * and answers the payload of `to`; it is pure and synchronous, and runs each time such an event is read. The log is not changed.
 * @example
 * const placedV1toV2 = defineUpcaster(OrderPlacedV1, OrderPlacedV2, ({ pence, ...order }) => ({ ...order, total: { pence, currency: 'GBP' } }))
 * createFactline({ upcasters: [placedV1toV2], consumers: [...] })
 * @throws FactlineError UPCASTER_INVALID with everything that is wrong
 */
export const defineUpcaster = <From extends EventContract, To extends EventContract>(
  from: From,
  to: To,
  upcast: (data: DataOf<From>) => NoInfer<DataOf<To>>,
): Upcaster => {
  const issues = issuesOf(from, to, upcast);
  if (issues.length > 0)
    throw new FactlineError('UPCASTER_INVALID', { from: describeType(from), to: describeType(to), issues });
  return Object.freeze({ from, to, upcast: upcast as Upcaster['upcast'] });
};

const describeType = (contract: unknown): string =>
  isEventContract(contract) ? contract.type : describeValue(contract);
