import { inspect } from 'node:util';
import type { StandardSchemaV1 } from '@standard-schema/spec';
import { type Duration, FactlineError, type Issue, toMilliseconds } from '../foundation/index.ts';
import {
  contractBrand,
  type Draft,
  type DraftOptions,
  type EventContract,
  type EventContractJson,
  type EventKind,
  type EventOrdering,
  type Retention,
} from './contract.ts';
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

export interface EventDeclaration<T extends TypeName, S extends PayloadSchema> {
  /** `{domain}.{entity}.{action}.v{n}` in lower case, the action in the past tense: `shop.order.placed.v1`. */
  readonly type: T;
  /** The field (or fields) of the payload that names the entity whose order matters. */
  readonly key: NoInfer<KeyField<Out<S>> | readonly [KeyField<Out<S>>, ...KeyField<Out<S>>[]]>;
  readonly schema: S & Wire<S>;
  readonly kind?: EventKind;
  readonly owner?: string;
  readonly summary?: string;
  readonly sla?: { readonly handledWithin: Duration };
  readonly retention?: Retention;
  readonly ordering?: EventOrdering;
}

const typePattern = /^[a-z][a-z0-9_-]*(?:\.[a-z][a-z0-9_-]*){2,}\.v[1-9]\d*$/;
const typeLengthMax = 200;
const dedupeKeyLengthMax = 512;

const choices = {
  kind: ['domain', 'integration', 'system', 'notification'],
  retention: ['standard', 'forever'],
  ordering: ['key', 'global', 'none'],
} as const;
const known: readonly string[] = [
  'type',
  'key',
  'schema',
  'owner',
  'summary',
  'sla',
  ...Object.keys(choices),
];

type Loose = Readonly<Record<string, unknown>>;

const issue = (path: string, expected: string, value: unknown): Issue => ({
  path,
  expected,
  actual: describeValue(value),
  message: `is not ${expected}`,
});

const isSchema = (value: unknown): boolean =>
  // arktype's schemas are functions.
  ((typeof value === 'object' && value !== null) || typeof value === 'function') &&
  typeof (value as Partial<PayloadSchema>)['~standard']?.validate === 'function';

const keyIssues = (key: unknown): Issue[] => {
  const fields: readonly unknown[] = Array.isArray(key) ? key : [key];
  const usable = fields.every(
    (field) => typeof field === 'string' && field !== '' && !/[=,]/.test(field) && isStorableText(field),
  );
  if (fields.length > 0 && usable && new Set(fields).size === fields.length) return [];
  return [issue('key', 'a field name, or several different ones, without "=" and ","', key)];
};

const slaIssues = (sla: unknown): Issue[] => {
  if (sla === undefined) return [];
  try {
    toMilliseconds((sla as { handledWithin: Duration }).handledWithin);
    return [];
  } catch {
    return [
      issue(
        'sla.handledWithin',
        "a duration like '30s' or '5m'",
        (sla as Partial<Loose> | null)?.['handledWithin'],
      ),
    ];
  }
};

const declarationIssues = (declaration: Loose): Issue[] => {
  const { type, key, schema, sla } = declaration;
  const issues: Issue[] = [];
  if (typeof type !== 'string' || !typePattern.test(type) || type.length > typeLengthMax) {
    issues.push(
      issue(
        'type',
        'a name like shop.order.placed.v1 (lower case, at least three parts and a version)',
        type,
      ),
    );
  }
  issues.push(...keyIssues(key));
  if (!isSchema(schema)) issues.push(issue('schema', 'a Standard Schema (zod, valibot, arktype, …)', schema));
  issues.push(...slaIssues(sla));
  for (const name of ['owner', 'summary'] as const) {
    const value = declaration[name];
    if (value !== undefined && (typeof value !== 'string' || value === ''))
      issues.push(issue(name, 'a text', value));
  }
  for (const [name, allowed] of Object.entries(choices)) {
    const value = declaration[name];
    if (value !== undefined && !(allowed as readonly unknown[]).includes(value))
      issues.push(issue(name, allowed.join(' or '), value));
  }
  for (const name of Object.keys(declaration)) {
    if (!known.includes(name)) issues.push(issue(name, `one of ${known.join(', ')}`, name));
  }
  return issues;
};

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

interface CheckedDeclaration<T extends TypeName, D> {
  readonly type: T;
  readonly key: string | readonly string[];
  readonly schema: StandardSchemaV1<unknown, D>;
  readonly kind?: EventKind;
  readonly owner?: string;
  readonly summary?: string;
  readonly sla?: { readonly handledWithin: Duration };
  readonly retention?: Retention;
  readonly ordering?: EventOrdering;
}

const createContract = <T extends TypeName, D>(
  declaration: CheckedDeclaration<T, D>,
): EventContract<T, D> => {
  const {
    type,
    schema,
    kind = 'domain',
    retention = 'standard',
    ordering = 'key',
    owner,
    summary,
    sla,
  } = declaration;
  const key = Object.freeze([declaration.key].flat() as string[]);
  const make = (data: D, options: DraftOptions = {}): Draft<T, D> => {
    const answered = validatePayload(type, schema, data);
    const keyValue = keyOf(type, key, answered);
    const dataText = payloadText(type, answered);
    refuseTransforms(type, data, answered);
    const time = timeText(type, options.time);
    const dedupeKey = checkedDedupeKey(type, options.dedupeKey);
    return createDraft({ contract, dataText, ...keyValue, time, dedupeKey });
  };
  const facts = { type, key, kind, retention, ordering };
  const optional = {
    ...(owner === undefined ? {} : { owner }),
    ...(summary === undefined ? {} : { summary }),
    ...(sla === undefined ? {} : { sla: Object.freeze({ ...sla }) }),
  };
  const members = {
    ...facts,
    schema,
    owner: undefined,
    summary: undefined,
    sla: undefined,
    ...optional,
    is: (event: { readonly type: string }): event is FactEvent<T, D> => event.type === type,
    toJSON: (): EventContractJson => ({ ...facts, ...optional }),
    [inspect.custom]: () => `EventContract ${type} (key ${key.join(', ')})`,
    [contractBrand]: true,
  };
  const contract: EventContract<T, D> = Object.freeze(Object.assign(make, members));
  return contract;
};
