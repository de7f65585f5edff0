import type { Redact } from '../../contracts/index.ts';
import { type Disposition, dispositionOf } from './disposition.ts';
import { classifyFailure, type ParkedFailureClass } from './failure-class.ts';
import { fingerprintOf } from './fingerprint.ts';
import { chainOf, memberOf, storableText, textOf } from './reading-errors.ts';
import { type Frame, framesOf } from './stack-frames.ts';

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
  /** The innermost call in the app's code: `reserve (stock.ts)`; null when none is known. */
  readonly place: string | null;
  readonly disposition: Disposition;
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

const messageOf = (thrown: unknown, redact: Redact): string => {
  const message = memberOf(thrown, 'message');
  if (typeof message === 'string' && message !== '') return storableText(redact(message), messageLengthMax);
  if (isThrownObject(thrown) && message === '') return nameOf(thrown);
  const text = typeof thrown === 'object' && thrown !== null ? jsonOf(thrown) : textOf(thrown);
  return storableText(`threw ${redact(text)}`, messageLengthMax);
};

const jsonOf = (thrown: object): string => {
  try {
    return JSON.stringify(thrown) ?? textOf(thrown);
  } catch {
    return textOf(thrown);
  }
};

const stackOf = (thrown: unknown, max: number, redact: Redact): string | null => {
  const stack = memberOf(thrown, 'stack');
  return typeof stack === 'string' && stack !== '' ? storableText(redact(stack), max) : null;
};

const causeOf = (thrown: unknown, redact: Redact): FailureCause => ({
  name: nameOf(thrown),
  code: codeOf(thrown),
  message: messageOf(thrown, redact),
  stack: stackOf(thrown, causeStackLengthMax, redact),
});

/** Of the stack as it was thrown: what is stored of it may end before the first frame. */
const framesOfError = (error: unknown): readonly Frame[] => {
  const [stack, message] = [memberOf(error, 'stack'), memberOf(error, 'message')];
  return typeof stack === 'string' ? framesOf(stack, typeof message === 'string' ? message : '') : [];
};

const placeOf = (frame: Frame | undefined): string | null => {
  if (frame === undefined) return null;
  const place = frame.called === '' ? frame.file : `${frame.called} (${frame.file})`;
  return storableText(place, nameLengthMax);
};

/**
 * Describes whatever was thrown, also `undefined`, junk, and errors whose getters throw. Never throws itself.
 * `given` overrides the classification where the caller knows better (a payload that broke its schema on reading); `redact` takes
 * what may not be shown out of its texts before they are cut to length.
 */
export const describeFailure = (
  error: unknown,
  given?: ParkedFailureClass,
  redact: Redact = (text) => text,
): FailureDescription => {
  const name = nameOf(error);
  const message = messageOf(error, redact);
  const code = codeOf(error) ?? (isThrownObject(error) ? name : 'HANDLER_THREW_NOTHING');
  const frames = framesOfError(error);
  const causes = chainOf(error)
    .slice(1)
    .map((cause) => causeOf(cause, redact));
  const failureClass = given ?? classifyFailure(error);
  return {
    failureClass,
    code,
    message,
    stack: stackOf(error, stackLengthMax, redact) ?? '',
    causes,
    fingerprint: fingerprintOf({ name, code, message, frames, causes }),
    place: placeOf(frames[0]),
    disposition: dispositionOf(error, failureClass),
  };
};
