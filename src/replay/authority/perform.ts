import type pg from 'pg';
import { type ErrorCode, FactlineError } from '../../foundation/index.ts';
import { engineTransaction } from '../../postgres/index.ts';
import { type AuditEntry, appendAudit } from '../audit/audit.ts';
import { type Actor, assertMay } from './actor.ts';
import type { ActName } from './acts.ts';

/** An act, as it is put on record. What only the work finds out (the number of something new) may be a function of its value. */
export interface Act<T> {
  readonly actor: Actor;
  readonly act: ActName;
  /** What it is done to: `consumer payment`, `replay 7`, `quarantine 12`. */
  readonly target: string | ((value: T) => string);
  readonly reason?: string | undefined;
  /** JSON: further facts, without payloads. */
  readonly details?: Readonly<Record<string, unknown>> | ((value: T) => Readonly<Record<string, unknown>>);
}

/** Refusals that say something about the person, not about the state of things: they go on record. */
const denials: ReadonlySet<ErrorCode> = new Set(['FORBIDDEN', 'DUTIES_NOT_SEPARATE']);

/**
 * Checks the role, does the work and puts it on record, all in one transaction: nothing is done without a record, and
 * nothing is on record that was not done. A denial is put on record by itself, then thrown.
 * @throws FactlineError FORBIDDEN, and what the work throws
 * @example await perform(database.operations, { actor, act: 'consumer.pause', target: 'consumer payment', reason }, (client) => …)
 */
export const perform = <T>(
  pool: pg.Pool,
  act: Act<T>,
  work: (client: pg.PoolClient) => Promise<T>,
): Promise<T> =>
  denialsOnRecord(pool, act, async () => {
    assertMay(act.actor, act.act);
    const { value } = await engineTransaction(pool, async (client) => {
      const value = await work(client);
      // Last: the chain is locked from here to the commit, and everybody else's acts wait for it.
      await appendAudit(client, entryOf(act, value));
      return value;
    });
    return value;
  });

/** For acts that only look: nothing is put on record but a denial. @throws FactlineError FORBIDDEN */
export const permit = (pool: pg.Pool, act: Act<void>): Promise<void> =>
  denialsOnRecord(pool, act, async () => assertMay(act.actor, act.act));

const denialsOnRecord = async <T>(pool: pg.Pool, act: Act<T>, work: () => Promise<T>): Promise<T> => {
  try {
    return await work();
  } catch (error) {
    if (!FactlineError.is(error) || !denials.has(error.code)) throw error;
    await engineTransaction(pool, (client) => appendAudit(client, denialOf(act, error)));
    throw error;
  }
};

const base = <T>({ actor, act, reason }: Act<T>): Omit<AuditEntry, 'decision' | 'target' | 'details'> => ({
  actor: actor.name,
  account: actor.account ?? null,
  via: actor.via,
  act,
  reason: reason ?? null,
});

const entryOf = <T>(act: Act<T>, value: T): AuditEntry => ({
  ...base(act),
  decision: 'done',
  target: typeof act.target === 'function' ? act.target(value) : act.target,
  details: typeof act.details === 'function' ? act.details(value) : (act.details ?? {}),
});

const denialOf = <T>(act: Act<T>, error: FactlineError): AuditEntry => ({
  ...base(act),
  decision: 'denied',
  target: typeof act.target === 'function' ? '' : act.target,
  details: {
    ...(typeof act.details === 'function' ? {} : act.details),
    denied: error.code,
    because: error.message,
  },
});
