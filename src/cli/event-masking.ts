import { keyLevelOf, maskOf, type Redact, redaction } from '../contracts/index.ts';
import { type LoggedEvent, masked, readTermsOfTypes, type StoredTerms } from '../operations/index.ts';
import type { Queryable } from '../postgres/index.ts';
import type { LoadedApp } from './configuration.ts';
import { declaredContract } from './quarantine-contracts.ts';

/** Events as they may be shown: without what any app that declares their contract calls personal or secret. */
export const maskedEvents = async (
  on: Queryable,
  app: LoadedApp | null,
  events: readonly LoggedEvent[],
): Promise<readonly LoggedEvent[]> => {
  if (events.length === 0) return [];
  const rules = await rulesOfTypes(
    on,
    app,
    events.map(({ type }) => type),
  );
  return events.map((event) => maskedEvent(event, rules.get(event.type) ?? unknown));
};

/** What may be shown of events of a type. A null for `sensitivity`: nothing. */
export type Rules = Pick<StoredTerms, 'key' | 'sensitivity'>;

/** Of each type what any app that declares its contract says. */
export const rulesOfTypes = async (
  on: Queryable,
  app: LoadedApp | null,
  given: readonly string[],
): Promise<ReadonlyMap<string, Rules>> => {
  const types = [...new Set(given)];
  const stored = await readTermsOfTypes(on, types);
  return new Map(types.map((type) => [type, strictest(termsFor(app, type, stored.get(type) ?? []))]));
};

const unknown: Rules = { key: [], sensitivity: null };

/** What the app at hand says stands for what it said when it last connected. */
const termsFor = (
  app: LoadedApp | null,
  type: string,
  stored: readonly { readonly app: string; readonly terms: StoredTerms }[],
): readonly Rules[] => {
  const own = declaredContract(app, type);
  const name = own === null ? undefined : app?.internals.settings.name;
  const others = stored.filter((each) => each.app !== name).map(({ terms }) => terms);
  return own === null ? others : [own.terms, ...others];
};

const strictest = (terms: readonly Rules[]): Rules => {
  if (terms.length === 0) return unknown;
  const key = [...new Set(terms.flatMap((each) => each.key))];
  return { key, sensitivity: Object.assign({}, ...terms.map(({ sensitivity }) => sensitivity)) };
};

const maskedEvent = (event: LoggedEvent, { key, sensitivity }: Rules): LoggedEvent => {
  const data = masked(event.data, { sensitivity });
  const level = sensitivity === null ? undefined : keyLevelOf({ key, sensitivity });
  return level === undefined
    ? { ...event, data }
    : { ...event, data, key: maskOf(level), meta: withoutSubject(event.meta) };
};

/** The CloudEvents subject is made of the key. */
export const withoutSubject = (meta: unknown): unknown => {
  const { subject: _hidden, ...shown } = (meta ?? {}) as { readonly subject?: unknown };
  return shown;
};

/** A value beside a payload, such as the result of an effect, without the payload's hidden values. */
export const withoutHidden = <T>(value: T, { key, sensitivity }: StoredTerms, payload: unknown): T =>
  sensitivity === null
    ? (masked(value, { sensitivity }) as T)
    : redactedValue(value, redaction({ key, sensitivity }, [payload]));

/** Every text and number in a value without what `redact` takes out. */
export const redactedValue = <T>(value: T, redact: Redact): T => {
  const walk = (part: unknown): unknown => {
    if (typeof part === 'string') return redact(part);
    if (typeof part === 'number') return redact(String(part)) === String(part) ? part : redact(String(part));
    if (Array.isArray(part)) return part.map(walk);
    if (typeof part !== 'object' || part === null) return part;
    return Object.fromEntries(Object.entries(part).map(([name, member]) => [name, walk(member)]));
  };
  return walk(value) as T;
};
