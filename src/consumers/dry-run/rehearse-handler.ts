import { createTelemetry } from '../../foundation/index.ts';
import {
  type publishingTransaction,
  type RehearsedTransaction,
  rehearsedTransaction,
  type StoredEvent,
} from '../../log/index.ts';
import { contractSetOf, orderingKey, orderingKeyHash } from '../definition.ts';
import { Attempt, type AttemptServices } from '../operational/attempt.ts';
import type { Entry } from '../operational/entry.ts';
import type { Handler } from '../operational/handler.ts';
import { ClosedLedger } from './closed-ledger.ts';
import type { Rehearsal, Rehearse, Stage } from './rehearsal.ts';

/**
 * An attempt as in life (time limit, rules of the context, upcasters), but its effects are closed and its transaction is one that
 * never commits. It belongs to no lane.
 */
export const rehearseHandler = (handler: Handler, stage: Stage): Rehearse => {
  const { database, clock, source, stored, replay } = stage;
  const contracts = contractSetOf(handler);
  // An id that no consumer has: nothing is recorded under it.
  const consumer = { id: stored?.id ?? 0, name: handler.name };
  const services: AttemptServices = {
    database,
    clock,
    // Nobody listens: a rehearsal counts in no metric.
    telemetry: createTelemetry(),
    app: { source },
    consumer,
    tail: { wake: () => {} },
  };
  return async (event) => {
    const transaction = new OneTransaction();
    const effects = new ClosedLedger({ database, clock, consumer, onRefused: () => attempt.abandon() });
    const tools = { handler, contracts, services, effects, transact: transaction.run };
    const attempt = new Attempt(tools, { ...entryOf(handler, event), replay }, 0);
    const outcome = await attempt.run();
    const rehearsed = await transaction.ended();
    const failed = outcome.kind === 'failed' ? outcome : null;
    return {
      failure: failed && { thrown: failed.error, failureClass: failed.failureClass },
      refusedEffects: effects.refused,
      reusedEffects: effects.reused,
      published: rehearsed?.drafts.map(({ type, key, data }) => ({ type, key, data })) ?? [],
      changes: rehearsed?.changes ?? [],
      rows: null,
    } satisfies Rehearsal;
  };
};

/** The transaction of one attempt. */
class OneTransaction {
  #running: Promise<RehearsedTransaction<unknown>> | null = null;

  readonly run: typeof publishingTransaction = async (options, work) => {
    const running = rehearsedTransaction(options, work);
    this.#running = running;
    const { value, drafts } = await running;
    return { value, positions: [], drafts, last: null };
  };

  /** One that was given up rolls back a moment after its attempt: until then it holds its locks. */
  async ended(): Promise<RehearsedTransaction<unknown> | null> {
    const [settled] = await Promise.allSettled([this.#running]);
    return settled.status === 'fulfilled' ? settled.value : null;
  }
}

const entryOf = (handler: Handler, event: StoredEvent): Omit<Entry, 'replay'> => ({
  event,
  position: event.position,
  key: orderingKey(handler, event),
  keyHash: orderingKeyHash(handler, event),
  lane: 0,
  attempts: 0,
  open: false,
  parked: false,
  deletesRow: false,
  releasedId: null,
  suspect: false,
  repair: null,
});
