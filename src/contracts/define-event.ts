import { inspect } from 'node:util';
import type { StandardSchemaV1 } from '@standard-schema/spec';
import { FactlineError } from '../foundation/index.ts';
import { declarationIssues, type Loose } from './check-declaration.ts';
import {
  contractBrand,
  type Draft,
  type DraftOptions,
  type EventContract,
  type EventContractJson,
} from './contract.ts';
import { type ContractTerms, saidOf, termsOf } from './contract-terms.ts';
import { createDraft } from './draft.ts';
import type { FactEvent } from './envelope.ts';
import { keyOf } from './key.ts';
import {
  describeValue,
  isStorableText,
  payloadText,
  refuseTransforms,
  validatePayload,
} from './payload-check.ts';
import type { KeyField, Out, PayloadSchema, TypeName, Wire } from './payload-types.ts';

export interface EventDeclaration<T extends TypeName, S extends PayloadSchema>
  extends ContractTerms<NoInfer<Out<S>>> {
  /** `{domain}.{entity}.{action}.v{n}` in lower case, the action in the past tense: `shop.order.placed.v1`. */
  readonly type: T;
  /** The field (or fields) of the payload that names the entity whose order matters. */
  readonly key: NoInfer<KeyField<Out<S>> | readonly [KeyField<Out<S>>, ...KeyField<Out<S>>[]]>;
  readonly schema: S & Wire<S>;
}

const dedupeKeyLengthMax = 512;

const refuseOption = (facts: { type: string; option: string; expected: string; actual: unknown }): never => {
  throw new FactlineError('EVENT_OPTION_INVALID', { ...facts, actual: describeValue(facts.actual) });
};

const timeText = (type: string, time: unknown): string | undefined => {
  if (time === undefined) return undefined;
  if (!(time instanceof Date) || Number.isNaN(time.getTime()))
    return refuseOption({ type, option: 'time', expected: 'a valid Date', actual: time });
  // Beyond these years ISO text gets a sign and six digits, which PostgreSQL does not read.
  const year = time.getUTCFullYear();
  if (year < 1 || year > 9999)
    refuseOption({ type, option: 'time', expected: 'a Date between the years 1 and 9999', actual: time });
  return time.toISOString();
};

const checkedDedupeKey = (type: string, dedupeKey: unknown): string | undefined => {
  if (dedupeKey === undefined) return undefined;
  if (
    typeof dedupeKey !== 'string' ||
    dedupeKey === '' ||
    dedupeKey.length > dedupeKeyLengthMax ||
    !isStorableText(dedupeKey)
  ) {
    return refuseOption({
      type,
      option: 'dedupeKey',
      expected: `a text of 1 to ${dedupeKeyLengthMax} characters without U+0000`,
      actual: dedupeKey,
    });
  }
  return dedupeKey;
};

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
  return createContract<T, Out<S>>(declaration as unknown as CheckedDeclaration<T, Out<S>>);
};

interface CheckedDeclaration<T extends TypeName, D> extends ContractTerms<unknown> {
  readonly type: T;
  readonly key: string | readonly string[];
  readonly schema: StandardSchemaV1<unknown, D>;
}

const createContract = <T extends TypeName, D>(
  declaration: CheckedDeclaration<T, D>,
): EventContract<T, D> => {
  const { type, schema } = declaration;
  const key = Object.freeze([declaration.key].flat() as string[]);
  const encodings = Object.freeze([...(declaration.encodings ?? [])]);
  const make = (data: D, options: DraftOptions = {}): Draft<T, D> => {
    const answered = validatePayload(type, schema, data);
    const keyValue = keyOf(type, key, answered);
    const dataText = payloadText(type, answered);
    refuseTransforms(type, data, answered);
    for (const encoding of encodings) validatePayload(type, encoding, answered);
    const time = timeText(type, options.time);
    const dedupeKey = checkedDedupeKey(type, options.dedupeKey);
    return createDraft({ contract, dataText, ...keyValue, time, dedupeKey });
  };
  const terms = termsOf(declaration);
  const members = {
    ...terms,
    type,
    key,
    schema,
    encodings,
    is: (event: { readonly type: string }): event is FactEvent<T, D> => event.type === type,
    toJSON: (): EventContractJson => ({ type, key, ...saidOf(terms) }),
    [inspect.custom]: () => `EventContract ${type} (key ${key.join(', ')})`,
    [contractBrand]: true,
  };
  const contract: EventContract<T, D> = Object.freeze(Object.assign(make, members));
  return contract;
};
