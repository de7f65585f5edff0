import { type ErrorEntry, errorCatalogue, exitCodes, FactlineError } from '../foundation/index.ts';
import { explainConnectionError, isConnectionLost, sqlState } from '../postgres/index.ts';
import { printable, type Style, wrap } from './style.ts';

/** What went wrong, why, and what to do: what a person reads, and what `--json` gives on standard error. */
export interface Failure {
  readonly code: string;
  readonly message: string;
  readonly cause: string;
  readonly remedy: string;
  readonly exitCode: number;
  /** Of an error that is not one of the catalogue. */
  readonly stack: string | null;
}

export const failureOf = (error: unknown): Failure => {
  const known = asKnown(error);
  if (known !== null) {
    const { cause }: ErrorEntry = errorCatalogue[known.code];
    const { code, message, remedy, exitCode } = known;
    return { code, message, cause, remedy, exitCode, stack: null };
  }
  return {
    code: 'UNEXPECTED',
    message: error instanceof Error ? error.message : String(error),
    cause: 'This may be a defect in Factline, or in the configuration.',
    remedy: 'Set FACTLINE_DEBUG=1 to see the stack, and report it if it is not yours.',
    exitCode: exitCodes.failure,
    stack: error instanceof Error ? (error.stack ?? null) : null,
  };
};

/** After Ctrl-C what was waited for ends with an error of its own: the person who pressed it knows better. */
export const interruptionOf = (error: unknown): unknown => {
  const isAbort = error instanceof Error && error.name === 'AbortError';
  return isAbort || FactlineError.is(error, 'STOPPED')
    ? new FactlineError('COMMAND_INTERRUPTED', {}, { cause: error })
    : error;
};

const asKnown = (error: unknown): FactlineError | null => {
  if (FactlineError.is(error)) return error;
  if (isConnectionLost(error)) {
    const explained = explainConnectionError(error, '');
    return FactlineError.is(explained) ? explained : null;
  }
  if (sqlState(error) === undefined) return null;
  const reason = error instanceof Error ? error.message : String(error);
  return new FactlineError('COMMAND_STATEMENT_REFUSED', { reason }, { cause: error });
};

export interface FailureOptions {
  readonly width: number;
  readonly style: Style;
  /** With the stack of unexpected errors. */
  readonly debug: boolean;
}

export const failureLines = (
  failure: Failure,
  { width: available, style, debug }: FailureOptions,
): string[] => {
  const width = Math.max(40, Math.min(available, 100));
  const block = (label: string, text: string): string[] =>
    wrap(text, width - 8).map((line, index) => `${index === 0 ? label.padEnd(8) : ' '.repeat(8)}${line}`);
  // Lists of issues come with line breaks of their own.
  const message = failure.message.split('\n').flatMap((line) => block('', printable(line)));
  const [first = '', ...rest] = message.map((line) => line.slice(8));
  return [
    `${style.red('✗')} ${style.bold(first)}`,
    ...rest.map((line) => `  ${line}`),
    ...block('  why', failure.cause).map(style.dim),
    ...block('  next', failure.remedy),
    ...(debug && failure.stack !== null ? [style.dim(failure.stack)] : []),
  ];
};
