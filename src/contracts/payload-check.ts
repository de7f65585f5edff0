import type { StandardSchemaV1 } from '@standard-schema/spec';
import { FactlineError, type Issue } from '../foundation/index.ts';
import type { PayloadSchema } from './payload-types.ts';
import { maskedValue } from './redaction.ts';

/** Deeper payloads (and circular ones) are refused: PostgreSQL's parser has a stack limit of its own. */
const depthMax = 100;
const issuesMax = 20;
const actualTextMax = 80;

/** How a value is shown in an error: short, and never throwing. */
export const describeValue = (value: unknown): string => {
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'function') return 'a function';
  if (typeof value === 'number' || value === undefined || typeof value === 'symbol') return String(value);
  let text: string | undefined;
  try {
    text = value instanceof Date ? `Date ${value.toISOString()}` : JSON.stringify(value);
  } catch {
    text = Object.prototype.toString.call(value);
  }
  if (text === undefined) return String(value);
  return text.length > actualTextMax ? `${text.slice(0, actualTextMax)}…` : text;
};

const memberPath = (path: string, member: PropertyKey): string => {
  if (typeof member === 'number') return `${path}[${member}]`;
  const name = String(member);
  if (!/^[\p{L}_$][\p{L}\p{N}_$-]*$/u.test(name)) return `${path}[${JSON.stringify(name)}]`;
  return path === '' ? name : `${path}.${name}`;
};

type SchemaIssue = StandardSchemaV1.Issue & { readonly expected?: unknown };

const schemaIssue = (
  issue: SchemaIssue,
  payload: unknown,
  sensitivity: Readonly<Record<string, string>>,
): Issue => {
  let path = '';
  /** As contracts name it: without the places in lists. */
  const names: string[] = [];
  let value: unknown = payload;
  for (const segment of issue.path ?? []) {
    const member = typeof segment === 'object' ? segment.key : segment;
    if (!Array.isArray(value)) names.push(String(member));
    path = memberPath(path, Array.isArray(value) && /^\d+$/.test(String(member)) ? Number(member) : member);
    value = (value as Record<PropertyKey, unknown> | null | undefined)?.[member];
  }
  const expected = typeof issue.expected === 'string' ? issue.expected : issue.message;
  const shown = maskedValue(value, sensitivity, names.join('.'));
  return { path, expected, actual: describeValue(shown), message: issue.message };
};

/** The type, or the contract: then errors show no value that it calls personal or secret. */
type Checked = string | { readonly type: string; readonly sensitivity: Readonly<Record<string, string>> };

/**
 * Runs the schema and returns what it answers.
 * @throws FactlineError PAYLOAD_INVALID with all issues, SCHEMA_ASYNC, SCHEMA_THREW
 */
export const validatePayload = (of: Checked, schema: PayloadSchema, payload: unknown): unknown => {
  const { type, sensitivity } = typeof of === 'string' ? { type: of, sensitivity: {} } : of;
  let result: ReturnType<PayloadSchema['~standard']['validate']>;
  try {
    result = schema['~standard'].validate(payload);
  } catch (error) {
    throw new FactlineError(
      'SCHEMA_THREW',
      { type, reason: error instanceof Error ? error.message : String(error) },
      { cause: error },
    );
  }
  if (typeof (result as PromiseLike<unknown>).then === 'function') {
    // Nobody awaits that promise: its rejection must not end the process.
    void (result as Promise<unknown>).then(undefined, () => undefined);
    throw new FactlineError('SCHEMA_ASYNC', { type });
  }
  const settled = result as StandardSchemaV1.Result<unknown>;
  if (!settled.issues) return settled.value;
  const issues = settled.issues.slice(0, issuesMax).map((issue) => schemaIssue(issue, payload, sensitivity));
  throw new FactlineError('PAYLOAD_INVALID', { type, issues });
};

const jsonExpected = 'JSON';
const reason = {
  array: 'undefined in an array would be written as null',
  depth: `nested deeper than ${depthMax} levels, or circular`,
  instance: 'only plain objects and arrays can be written',
  number: 'JSON has no such number',
  text: 'PostgreSQL stores neither U+0000 nor lone surrogates',
  value: 'JSON has no such value',
} as const;

const isPlain = (value: object): boolean => {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype || Object.getPrototypeOf(prototype) === null;
};

export const isStorableText = (text: string): boolean => text.isWellFormed() && !text.includes('\u0000');

/** Collects what is not JSON. `texts`: look into every string as well (only when the JSON text has escapes). */
class JsonScan {
  readonly issues: Issue[] = [];
  readonly #texts: boolean;
  /** Where the scan stands; turned into text only when something is wrong there. */
  readonly #stack: PropertyKey[] = [];

  constructor(texts: boolean) {
    this.#texts = texts;
  }

  scan(value: unknown): void {
    if (typeof value === 'string') {
      if (this.#texts && !isStorableText(value)) this.#add(value, reason.text);
    } else if (typeof value === 'number') {
      if (!Number.isFinite(value)) this.#add(value, reason.number);
    } else if (typeof value === 'object') {
      if (value !== null) this.#scanObject(value);
    } else if (typeof value !== 'boolean') this.#add(value, reason.value);
  }

  #scanObject(value: object): void {
    if (this.#stack.length >= depthMax) this.#add('…', reason.depth);
    else if (Array.isArray(value)) this.#scanArray(value);
    else if (isPlain(value)) this.#scanMembers(value as Record<string, unknown>);
    else this.#add(value, reason.instance);
  }

  #scanArray(values: readonly unknown[]): void {
    const at = this.#stack.length;
    for (let i = 0; i < values.length && this.issues.length < issuesMax; i++) {
      const value = values[i];
      this.#stack[at] = i;
      if (value === undefined) this.#add(value, reason.array);
      else this.scan(value);
    }
    this.#stack.length = at;
  }

  #scanMembers(object: Record<string, unknown>): void {
    const at = this.#stack.length;
    for (const name in object) {
      if (this.issues.length >= issuesMax) break;
      const value = object[name];
      this.#stack[at] = name;
      if (this.#texts && !isStorableText(name)) this.#add(name, reason.text);
      // An undefined member is an absent one, in JSON as in the types (`a?: T`).
      if (value !== undefined) this.scan(value);
    }
    this.#stack.length = at;
  }

  #add(value: unknown, message: string): void {
    const path = this.#stack.reduce<string>(memberPath, '');
    this.issues.push({ path, expected: jsonExpected, actual: describeValue(value), message });
  }
}

const refuseUnlessJson = (type: string, payload: unknown, texts: boolean): void => {
  const scan = new JsonScan(texts);
  scan.scan(payload);
  if (scan.issues.length > 0) throw new FactlineError('PAYLOAD_NOT_JSON', { type, issues: scan.issues });
};

/** A payload beyond this slows down every reader; jsonb itself would take 256 MB. */
export const payloadBytesMax: number = 16 * 1024 * 1024;

/**
 * The JSON text of a payload that comes back exactly as it is.
 * @throws FactlineError PAYLOAD_NOT_JSON with all places, PAYLOAD_TOO_LARGE
 */
export const payloadText = (type: string, payload: unknown): string => {
  refuseUnlessJson(type, payload, false);
  const text = JSON.stringify(payload);
  // JSON.stringify escapes exactly U+0000 and lone surrogates (and other controls) with \u: without it all texts are fine.
  if (text.includes('\\u')) refuseUnlessJson(type, payload, true);
  // A UTF-16 unit takes at most three bytes of UTF-8: only large texts need to be measured.
  const bytes = text.length * 3 > payloadBytesMax ? Buffer.byteLength(text) : 0;
  if (bytes > payloadBytesMax)
    throw new FactlineError('PAYLOAD_TOO_LARGE', { type, bytes, limit: payloadBytesMax });
  return text;
};

const changedIssue = (path: string, given: unknown, answered: unknown): Issue => ({
  path,
  expected: describeValue(given),
  actual: describeValue(answered),
  message: 'the schema changes this value, transforms are not allowed',
});

const isComposite = (value: unknown): value is object => typeof value === 'object' && value !== null;

const unchanged: readonly Issue[] = [];

const changesOf = (given: unknown, answered: unknown, path: string): readonly Issue[] => {
  if (Object.is(given, answered)) return unchanged;
  if (!isComposite(given) || !isComposite(answered) || Array.isArray(given) !== Array.isArray(answered)) {
    return [changedIssue(path, given, answered)];
  }
  if (Array.isArray(given) && given.length !== (answered as unknown[]).length) {
    return [changedIssue(path, given, answered)];
  }
  const before = given as Record<string, unknown>;
  let issues = unchanged;
  for (const [name, value] of Object.entries(answered)) {
    if (before[name] === value) continue;
    // A member that was absent is a default, one that the answer lacks was not declared: neither changes a value.
    if (before[name] === undefined) continue;
    const found = changesOf(
      before[name],
      value,
      memberPath(path, Array.isArray(given) ? Number(name) : name),
    );
    if (found.length > 0) issues = [...issues, ...found].slice(0, issuesMax);
  }
  return issues;
};

/**
 * Refuses a schema that answers with other values than it was given: what is written is validated again when it is read,
 * and a second transform would change it again or fail.
 * @throws FactlineError PAYLOAD_INVALID
 */
export const refuseTransforms = (type: string, given: unknown, answered: unknown): void => {
  if (given === answered) return;
  const issues = changesOf(given, answered, '');
  if (issues.length > 0) throw new FactlineError('PAYLOAD_INVALID', { type, issues });
};
