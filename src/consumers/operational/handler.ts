import type { FactEvent, JsonOnly } from '../../contracts/index.ts';
import type { RetryPolicy } from '../../foundation/index.ts';
import type { Tx } from '../../log/index.ts';
import type { ConsumerDefinition } from '../definition.ts';

/** `T` where it is JSON or nothing; else the reason as a string type, which the compiler prints. */
// biome-ignore lint/suspicious/noConfusingVoidType: `async () => {}` has the type Promise<void>
export type JsonResult<T> = T extends JsonOnly<T> | void ? T : 'the result must be JSON';

/** What the function of an effect receives. */
export interface EffectCall {
  /** The same on every attempt: hand it to the outside world (`Idempotency-Key`, a message id). */
  readonly idempotencyKey: string;
  /** Aborts when the attempt is given up: its time limit has passed, or the process stops. */
  readonly signal: AbortSignal;
  /** Whether an earlier attempt began this call and its outcome was not recorded. */
  readonly repeated: boolean;
}

/**
 * What to do on a retry when an earlier call began and its outcome was not recorded. repeat: call again with the same key
 * (the other side must honour it). park: quarantine the key until a person says what happened. A `TransientError` or
 * `PermanentError` that the call throws says that nothing happened outside; after any other error that is unknown.
 */
export type OnUnknown = 'repeat' | 'park';

export interface EffectOptions {
  readonly onUnknown?: OnUnknown;
}

/** What an operational handler works with; all of it ends with the attempt. */
export interface HandlerContext {
  /** 1 for the first attempt. Stored: a restart does not begin again at 1. */
  readonly attempt: number;
  /** Aborts when the attempt is given up; what the handler does after that has no effect. */
  readonly signal: AbortSignal;
  /** The replay that delivers the event; null in live operation. */
  readonly replay: string | null;
  /** The same on every attempt of this consumer at this event. */
  readonly idempotencyKey: string;
  /** Reads what is committed, each query in a snapshot of its own; writing is refused by the server. */
  readonly db: Pick<Tx, 'query'>;
  /**
   * Does something outside of the database, at least once under one idempotency key, and records its result: a retry
   * gets the recorded result and does not call again.
   * @throws FactlineError EFFECT_NAME_REUSED, EFFECT_AFTER_TRANSACTION, EFFECT_RESULT_INVALID, EFFECT_OUTCOME_UNKNOWN
   * @example const charge = await effect('charge', ({ idempotencyKey }) => provider.charge(pence, { idempotencyKey }))
   */
  effect<T>(
    name: string,
    run: (call: EffectCall) => Promise<JsonResult<T>>,
    options?: EffectOptions,
  ): Promise<T>;
  /**
   * The one transaction of this attempt: what it writes, the events it publishes and the record that this event is handled
   * commit together when `run` resolves, before `transaction` returns.
   * @throws FactlineError TRANSACTION_TWICE
   * @example await transaction(async (tx) => { await tx.query('update …'); tx.publish(OrderPaid({ orderId })) })
   */
  transaction<T>(run: (tx: Tx) => Promise<T>): Promise<T>;
}

/** An event, as the statement that ends it needs to know it. */
export interface EventPlace {
  readonly lane: number;
  readonly token: number;
  readonly keyHash: number;
  readonly position: number;
}

/**
 * For handlers of the engine's own, instead of a transaction: `write` does the work and records the event as handled, in one
 * statement that commits by itself. Null: nothing was written, also because only a transaction can end this event.
 */
export type OwnCommit = <T>(write: (place: EventPlace) => Promise<T | null>) => Promise<T | null>;

export type OnReplay = 'skip' | 'reuse' | 'execute';

/** `permits` attempts per `perMs` milliseconds, over all processes. */
export interface Rate {
  readonly permits: number;
  readonly perMs: number;
}

/** Handles an event that its handler could not, once a person has redirected it. */
export type Repair = (event: FactEvent, context: HandlerContext) => Promise<void>;

/** An operational consumer: changes business state and the outside world. Made by `defineHandler`; frozen. */
export interface Handler extends ConsumerDefinition {
  readonly class: 'operational';
  readonly handle: (event: FactEvent, context: HandlerContext) => Promise<void>;
  /** Instead of `handle`, of the engine's own handlers alone. */
  readonly handleWithOwnCommit?: (
    event: FactEvent,
    context: HandlerContext,
    commit: OwnCommit,
  ) => Promise<void>;
  /** By the name under which `quarantine redirect` finds them. */
  readonly repairs: Readonly<Record<string, Repair>>;
  /** Handlers at work at one time, in each process. */
  readonly concurrency: number;
  readonly rate: Rate | null;
  readonly retryPolicies: { readonly transient: RetryPolicy; readonly unclassified: RetryPolicy };
  /** How long one attempt may take, in milliseconds. */
  readonly timeoutMs: number;
  readonly onUnknown: OnUnknown;
  /** Undefined: facts of the past that enter by a backfill are passed over. */
  readonly onBackfill?: 'handle' | undefined;
  /** Undefined: no replay of this consumer can be planned. */
  readonly onReplay: OnReplay | undefined;
}
