import type { Duration } from './duration.ts';
import { type ErrorCode, type ErrorEntry, errorCatalogue } from './error-catalogue.ts';

/** Registered process-wide, so that errors of a second copy of the package are recognised too. */
const brand = Symbol.for('factline.error');

/** One thing that is wrong in a payload, contract or declaration. */
export interface Issue {
  /** Where, from the root: `lines[2].quantity`; empty for the whole. */
  readonly path: string;
  readonly expected: string;
  readonly actual: string;
  readonly message: string;
}

const isIssue = (value: unknown): value is Issue =>
  typeof value === 'object' && value !== null && 'path' in value && 'message' in value;

const issueLine = (issue: Issue): string => {
  const expected = issue.message.includes(issue.expected) ? '' : `expected ${issue.expected}, `;
  return `${issue.path === '' ? '' : `${issue.path}: `}${issue.message} (${expected}got ${issue.actual})`;
};

const issuesText = (issues: readonly Issue[]): string =>
  issues.length === 1
    ? issues.map(issueLine).join()
    : `\n${issues.map((issue) => `  - ${issueLine(issue)}`).join('\n')}`;

const detailTextMax = 400;

const detailText = (value: unknown): string => {
  if (typeof value === 'string') return value;
  if (value === undefined) return 'undefined';
  if (Array.isArray(value)) {
    if (value.length > 0 && value.every(isIssue)) return issuesText(value);
    return value.map(detailText).join(', ');
  }
  if (value instanceof Error) return value.message;
  if (typeof value === 'object' && value !== null) {
    try {
      return JSON.stringify(value).slice(0, detailTextMax);
    } catch {
      return Object.prototype.toString.call(value);
    }
  }
  return String(value);
};

const fill = (template: string, details: Readonly<Record<string, unknown>>): string =>
  template.replace(/\{(\w+)\}/g, (placeholder, name: string) =>
    name in details ? detailText(details[name]) : placeholder,
  );

export interface FactlineErrorOptions {
  readonly cause?: unknown;
}

/**
 * The one error class of Factline. Tell errors apart by `code`, never by message or class.
 * @example
 * try { … } catch (error) { if (FactlineError.is(error, 'READ_TIMEOUT')) … }
 */
export class FactlineError<Code extends ErrorCode = ErrorCode> extends Error {
  readonly code: Code;
  /** What to do next, as a sentence or a command. */
  readonly remedy: string;
  /** The facts in the message, and more, for programs. */
  readonly details: Readonly<Record<string, unknown>>;

  constructor(
    code: Code,
    details: Readonly<Record<string, unknown>> = {},
    options: FactlineErrorOptions = {},
  ) {
    const entry: ErrorEntry = errorCatalogue[code];
    super(fill(entry.message, details), options);
    this.code = code;
    this.remedy = fill(entry.remedy, details);
    this.details = details;
    Object.defineProperty(this, brand, { value: true });
  }

  /** Whether trying the same again later may succeed. */
  get retryable(): boolean {
    return entryOf(this.code).retryable ?? false;
  }

  /** What the command line ends with after this error. */
  get exitCode(): number {
    return entryOf(this.code).exitCode ?? 1;
  }

  override get name(): string {
    return 'FactlineError';
  }

  toJSON(): { code: Code; message: string; remedy: string; details: Readonly<Record<string, unknown>> } {
    return { code: this.code, message: this.message, remedy: this.remedy, details: this.details };
  }

  /** Recognises errors of Factline, also those of another copy of the package; with `code`, only that one. */
  static is<Wanted extends ErrorCode>(error: unknown, code?: Wanted): error is FactlineError<Wanted> {
    if (typeof error !== 'object' || error === null || !(brand in error)) return false;
    return code === undefined || (error as { code?: unknown }).code === code;
  }
}

const entryOf = (code: ErrorCode): ErrorEntry => errorCatalogue[code];

/**
 * Thrown by a handler: trying again cannot help, the event goes to quarantine at once.
 * @example throw new PermanentError('the amount is zero')
 */
export class PermanentError extends FactlineError<'PERMANENT_FAILURE'> {
  constructor(message: string, options: FactlineErrorOptions = {}) {
    super('PERMANENT_FAILURE', { message }, options);
  }

  override get name(): string {
    return 'PermanentError';
  }
}

export interface TransientErrorOptions extends FactlineErrorOptions {
  /** Try again not before this long, for instance what a Retry-After header says. */
  readonly retryAfter?: Duration;
}

/**
 * Thrown by a handler: the outside world is not ready, try again later.
 * @example throw new TransientError('the provider is busy', { retryAfter: '30s' })
 */
export class TransientError extends FactlineError<'TRANSIENT_FAILURE'> {
  readonly retryAfter: Duration | undefined;

  constructor(message: string, options: TransientErrorOptions = {}) {
    super(
      'TRANSIENT_FAILURE',
      { message, retryAfter: options.retryAfter },
      'cause' in options ? { cause: options.cause } : {},
    );
    this.retryAfter = options.retryAfter;
  }

  override get name(): string {
    return 'TransientError';
  }
}
