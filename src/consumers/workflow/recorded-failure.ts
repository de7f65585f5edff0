import {
  type ErrorCode,
  errorCatalogue,
  FactlineError,
  PermanentError,
  TransientError,
} from '../../foundation/index.ts';
import { describeFailure } from '../parked/index.ts';
import type { RecordedFailure } from './journal.ts';

/** An error of the user's own, made again from the record: told apart by `name`, `message` and `code`. */
class RecordedError extends Error {
  readonly code: string | null;

  constructor({ name, message, code }: RecordedFailure) {
    super(message);
    this.name = name;
    this.code = code;
  }
}

const jsonDetails = (details: unknown): RecordedFailure['details'] => {
  try {
    return JSON.parse(JSON.stringify(details)) as Record<string, unknown>;
  } catch {
    return {};
  }
};

const nameOf = (error: unknown): string => {
  try {
    const name = (error as { name?: unknown } | null | undefined)?.name;
    return typeof name === 'string' && name !== '' ? name : 'Error';
  } catch {
    return 'Error';
  }
};

/** Whatever was thrown, as JSON that PostgreSQL can hold. Never throws. */
export const recordFailure = (error: unknown): RecordedFailure => {
  const { code, message, stack } = describeFailure(error);
  const known = FactlineError.is(error);
  return {
    name: nameOf(error),
    code,
    message,
    stack,
    details: known ? jsonDetails(error.details) : null,
  };
};

const isErrorCode = (code: string | null): code is ErrorCode =>
  code !== null && Object.hasOwn(errorCatalogue, code);

/** The error that the function gets; the same whether it was thrown just now or is read from the journal. */
export const recordedError = (failure: RecordedFailure): Error => {
  const error = madeAgain(failure);
  // Where it was thrown, not where it was made again.
  if (failure.stack !== '') error.stack = failure.stack;
  return error;
};

const madeAgain = (failure: RecordedFailure): Error => {
  const { code, message, details } = failure;
  if (details === null || !isErrorCode(code)) return new RecordedError(failure);
  if (code === 'PERMANENT_FAILURE') return new PermanentError(message);
  if (code === 'TRANSIENT_FAILURE') return new TransientError(message);
  return new FactlineError(code, details);
};
