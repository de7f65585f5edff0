import { FactlineError } from '../foundation/index.ts';

/** The SQLSTATE of an error of PostgreSQL, or undefined for any other error. */
export const sqlState = (error: unknown): string | undefined => {
  const code = (error as { code?: unknown } | null | undefined)?.code;
  return typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) ? code : undefined;
};

const networkCodes = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOENT',
]);

/** Whether the error says that the connection is gone or could not be made. */
export const isConnectionLost = (error: unknown): boolean => {
  const state = sqlState(error);
  if (
    state !== undefined &&
    (state.startsWith('08') || /^57P0[1-5]$/.test(state) || state === '25P03' || state === '25P04')
  )
    return true;
  const code = (error as { code?: unknown } | null | undefined)?.code;
  if (typeof code === 'string' && networkCodes.has(code)) return true;
  const message = error instanceof Error ? error.message : '';
  return /^Connection terminated|^Client has encountered a connection error|timeout exceeded when trying to connect|^timeout expired/.test(
    message,
  );
};

/** SQLSTATE of a statement that would have had to wait for a lock. */
export const lockNotAvailable = '55P03';

const transientStates = /^(08|53|57P0|40001|40P01|55P03|25P03|25P04|58)/;

/** How an error of the database is to be treated: tried again, not tried again, or (null) it is none of the database's. */
export const classifyDatabaseError = (error: unknown): 'transient' | 'permanent' | null => {
  if (isConnectionLost(error)) return 'transient';
  const state = sqlState(error);
  if (state === undefined) return null;
  return transientStates.test(state) ? 'transient' : 'permanent';
};

const reasonOf = (error: unknown): string => {
  if (error instanceof AggregateError && error.errors.length > 0) return reasonOf(error.errors[0]);
  return error instanceof Error ? error.message : String(error);
};

/** Host and port of a connection string without its secrets. */
export const hostOf = (url: string): string => {
  try {
    const parsed = new URL(url);
    return `${parsed.hostname || parsed.searchParams.get('host') || 'localhost'}:${parsed.port || '5432'}${parsed.pathname}`;
  } catch {
    return 'the configured address';
  }
};

const userOf = (url: string): string => {
  try {
    return decodeURIComponent(new URL(url).username) || 'postgres';
  } catch {
    return 'unknown';
  }
};

/** An error of connecting as one of the catalogue; other errors pass unchanged. */
export const explainConnectionError = (error: unknown, url: string): unknown => {
  if (FactlineError.is(error)) return error;
  const state = sqlState(error);
  const details = { host: hostOf(url), user: userOf(url), reason: reasonOf(error) };
  if (state === '28P01' || state === '28000' || state === '3D000') {
    return new FactlineError('DATABASE_AUTHENTICATION_FAILED', details, { cause: error });
  }
  if (state === '25006') return new FactlineError('DATABASE_READ_ONLY', details, { cause: error });
  if (isConnectionLost(error) || isConnectionLost((error as AggregateError | null)?.errors?.[0])) {
    return new FactlineError('DATABASE_UNREACHABLE', details, { cause: error });
  }
  if (error instanceof Error && /client password must be a string|SASL/.test(error.message)) {
    return new FactlineError('DATABASE_AUTHENTICATION_FAILED', details, { cause: error });
  }
  return error;
};
