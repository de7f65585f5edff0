import { classifyFailure, type ParkedFailureClass } from './failure-class.ts';
import { fingerprintOf } from './fingerprint.ts';
import { chainOf, memberOf, storableText, textOf } from './reading-errors.ts';

export interface FailureCause {
  readonly name: string;
  readonly code: string | null;
  readonly message: string;
  readonly stack: string | null;
}

/** Everything about a failure that is stored with the parked event: each member fits PostgreSQL's text and jsonb. */
export interface FailureDescription {
  readonly failureClass: ParkedFailureClass;
  readonly code: string;
  readonly message: string;
  readonly stack: string;
  readonly causes: readonly FailureCause[];
  readonly fingerprint: string;
}

const messageLengthMax = 4_000;
const stackLengthMax = 12_000;
const causeStackLengthMax = 4_000;
const nameLengthMax = 200;

const isThrownObject = (thrown: unknown): boolean =>
  (typeof thrown === 'object' || typeof thrown === 'function') && thrown !== null;

const nameOf = (thrown: unknown): string => {
  const name = memberOf(thrown, 'name');
  if (typeof name === 'string' && name !== '') return storableText(name, nameLengthMax);
  if (thrown === null) return 'null';
  return typeof thrown;
};

const codeOf = (thrown: unknown): string | null => {
  const code = memberOf(thrown, 'code');
  return typeof code === 'string' || typeof code === 'number'
    ? storableText(String(code), nameLengthMax)
    : null;
};

const messageOf = (thrown: unknown): string => {
  const message = memberOf(thrown, 'message');
  if (typeof message === 'string' && message !== '') return storableText(message, messageLengthMax);
  if (isThrownObject(thrown) && message === '') return nameOf(thrown);
  const text = typeof thrown === 'object' && thrown !== null ? jsonOf(thrown) : textOf(thrown);
  return storableText(`threw ${text}`, messageLengthMax);
};

const jsonOf = (thrown: object): string => {
  try {
    return JSON.stringify(thrown) ?? textOf(thrown);
  } catch {
    return textOf(thrown);
  }
};

const stackOf = (thrown: unknown, max: number): string | null => {
  const stack = memberOf(thrown, 'stack');
  return typeof stack === 'string' && stack !== '' ? storableText(stack, max) : null;
};

const causeOf = (thrown: unknown): FailureCause => ({
  name: nameOf(thrown),
  code: codeOf(thrown),
  message: messageOf(thrown),
  stack: stackOf(thrown, causeStackLengthMax),
});

/**
 * Describes whatever was thrown, also `undefined`, junk, and errors whose getters throw. Never throws itself.
 * `failureClass` overrides the classification where the caller knows better (a payload that broke its schema on reading).
 */
export const describeFailure = (error: unknown, failureClass?: ParkedFailureClass): FailureDescription => {
  const name = nameOf(error);
  const message = messageOf(error);
  const code = codeOf(error) ?? (isThrownObject(error) ? name : 'HANDLER_THREW_NOTHING');
  const stack = stackOf(error, stackLengthMax) ?? '';
  return {
    failureClass: failureClass ?? classifyFailure(error),
    code,
    message,
    stack,
    causes: chainOf(error).slice(1).map(causeOf),
    fingerprint: fingerprintOf({ name, code, message, stack }),
  };
};
