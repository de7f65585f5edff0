import { inspect } from 'node:util';
import type { StandardSchemaV1 } from '@standard-schema/spec';
import { FactlineError } from '../foundation/index.ts';
import {
  type ContractKind,
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
import type { TypeName } from './payload-types.ts';

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

/** A declaration in which nothing is wrong. */
export interface CheckedDeclaration<T extends TypeName, D> extends ContractTerms<unknown> {
  readonly type: T;
  readonly key: string | readonly string[];
  readonly schema: StandardSchemaV1<unknown, D>;
}

/** What only commands have: members of the contract, and how they show in JSON. */
export interface FurtherMembers {
  readonly members: object;
  readonly said: Pick<EventContractJson, 'replies' | 'within'>;
}

export const createContract = <T extends TypeName, D>(
  declaration: CheckedDeclaration<T, D>,
  kind: ContractKind,
  further: FurtherMembers = { members: {}, said: {} },
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
  const terms = termsOf(declaration, kind);
  const name = kind === 'command' ? 'CommandContract' : 'EventContract';
  const members = {
    ...terms,
    ...further.members,
    type,
    key,
    schema,
    encodings,
    is: (event: { readonly type: string }): event is FactEvent<T, D> => event.type === type,
    toJSON: (): EventContractJson => ({ type, key, ...saidOf(terms), ...further.said }),
    [inspect.custom]: () => `${name} ${type} (key ${key.join(', ')})`,
    [contractBrand]: true,
  };
  const contract: EventContract<T, D> = Object.freeze(Object.assign(make, members));
  return contract;
};
