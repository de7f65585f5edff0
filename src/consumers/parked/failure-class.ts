import { type Duration, FactlineError, type FailureClass, toMilliseconds } from '../../foundation/index.ts';
import { classifyDatabaseError } from '../../postgres/index.ts';
import { chainOf, memberOf } from './reading-errors.ts';

/**
 * What a failure says about trying again:
 * - transient: the outside world may recover (network, deadlock, time limit): many attempts, minutes apart.
 * - unclassified: anything else, most likely a bug: few attempts within seconds.
 * - permanent: the handler said that trying again cannot help.
 * - schema: the stored payload does not fit this code's contract, or this code does not know the type.
 * - poison: handling it killed the process, or nobody knows whether an effect happened.
 * - systemic: not the event's fault at all (lease lost, our database away): never counted as an attempt.
 */
export type ParkedFailureClass = FailureClass | 'schema' | 'systemic';

/** Node's and undici's codes of a peer that is away or slow. */
const networkCodes: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENETDOWN',
  'EHOSTDOWN',
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
  'UND_ERR_SOCKET',
]);

const abortNames: ReadonlySet<string> = new Set(['AbortError', 'TimeoutError']);

const systemicCodes: ReadonlySet<string> = new Set([
  'LEASE_LOST',
  'DATABASE_UNREACHABLE',
  'COMMIT_ABORTED',
  'COMMIT_OUTCOME_UNKNOWN',
]);
/** Trying again answers the same. */
const permanentCodes: ReadonlySet<string> = new Set([
  'PERMANENT_FAILURE',
  'EFFECT_BLOCKED',
  'COMMAND_REPLIED_TWICE',
  'REPAIR_UNKNOWN',
]);
const poisonCodes: ReadonlySet<string> = new Set(['KILLED_PROCESS', 'EFFECT_OUTCOME_UNKNOWN']);

const classOfFactlineError = (error: FactlineError): ParkedFailureClass => {
  if (permanentCodes.has(error.code)) return 'permanent';
  if (error.code === 'EVENT_UNKNOWN_TYPE') return 'schema';
  if (poisonCodes.has(error.code)) return 'poison';
  if (systemicCodes.has(error.code)) return 'systemic';
  return error.retryable ? 'transient' : 'unclassified';
};

const databaseClassOf = (error: unknown): 'transient' | null => {
  try {
    return classifyDatabaseError(error) === 'transient' ? 'transient' : null;
  } catch {
    return null;
  }
};

const isFactlineError = (error: unknown): error is FactlineError => {
  try {
    return FactlineError.is(error);
  } catch {
    return false;
  }
};

const isNetworkFailure = (error: unknown): boolean => {
  const code = memberOf(error, 'code');
  if (typeof code === 'string' && networkCodes.has(code)) return true;
  const name = memberOf(error, 'name');
  return typeof name === 'string' && abortNames.has(name);
};

/**
 * Classifies whatever was thrown. The first member of its cause chain that says something decides, so that
 * `new Error('charging failed', { cause: connectionRefused })` is transient. Never throws.
 */
export const classifyFailure = (error: unknown): ParkedFailureClass => {
  for (const link of chainOf(error)) {
    if (isFactlineError(link)) return classOfFactlineError(link);
    if (databaseClassOf(link) === 'transient' || isNetworkFailure(link)) return 'transient';
  }
  return 'unclassified';
};

/** The longest time that a handler may ask to wait; beyond it nobody remembers the event. */
const retryAfterMsMax = 24 * 3_600_000;

/** What a TransientError asked for, in milliseconds; null when nothing (or nonsense) was asked. */
export const retryAfterMs = (error: unknown): number | null => {
  for (const link of chainOf(error)) {
    const retryAfter = memberOf(link, 'retryAfter');
    if (typeof retryAfter !== 'string') continue;
    try {
      return Math.min(toMilliseconds(retryAfter as Duration, 'retryAfter'), retryAfterMsMax);
    } catch {
      return null;
    }
  }
  return null;
};
