import type { ContractSet, FactEvent } from '../../contracts/index.ts';
import { contextOfTrace, currentTrace, FactlineError, linksToTrace, uuidv8 } from '../../foundation/index.ts';
import {
  type Cause,
  currentCause,
  type PublishingOptions,
  type publishingTransaction,
  type Tail,
  type Tx,
} from '../../log/index.ts';
import { loadQueries, type NamedQuery } from '../../postgres/index.ts';
import type { ParkedFailureClass } from '../parked/index.ts';
import type { RunnerServices } from '../runner.ts';
import type { EffectLedger } from './effect-ledger.ts';
import type { Entry } from './entry.ts';
import type {
  EffectCall,
  EffectOptions,
  EventPlace,
  Handler,
  HandlerContext,
  JsonResult,
} from './handler.ts';
import { oneReply } from './one-reply.ts';
import { cancellableWork } from './query-cancellation.ts';
import { finishReplayed } from './redelivery.ts';
import { suppressing } from './suppressing.ts';

const sql = loadQueries<'finish' | 'finish_all' | 'finish_many'>(new URL('./commits.sql', import.meta.url));

/**
 * What became of an attempt.
 * committed: the handler's transaction committed, and with it that the event is handled; `lateError` was thrown after it.
 * finished: the handler used no transaction; that the event is handled still has to be written.
 * duplicate: it was handled before. lost: the lane is another process's. abandoned: given up by us, it does not count.
 */
export type Outcome =
  | { readonly kind: 'committed'; readonly lateError: unknown }
  | { readonly kind: 'finished' | 'duplicate' | 'lost' | 'abandoned' }
  | { readonly kind: 'failed'; readonly error: unknown; readonly failureClass?: ParkedFailureClass };

export interface AttemptServices
  extends Pick<RunnerServices, 'database' | 'clock' | 'telemetry' | 'testStep'> {
  readonly app: { readonly source: string };
  readonly consumer: { readonly id: number };
  readonly tail: Pick<Tail, 'wake'>;
}

export interface AttemptTools {
  readonly handler: Handler;
  readonly contracts: ContractSet;
  readonly services: AttemptServices;
  readonly effects: EffectLedger;
  /** What runs the handler's transaction: the one that commits, or a dry run's, which never does. */
  readonly transact: typeof publishingTransaction;
}

/**
 * One attempt to handle one event.
 *
 *   open ──statement that commits──► committing ──► committed
 *     │                                        └──► failed (rolled back)
 *     └──time limit, stop, lane lost──► closed
 *
 * The time limit closes an open attempt: its signal aborts, its transaction rolls back, and whatever the handler still does
 * finds a closed context (a zombie can never commit). It does not touch a COMMIT that is on its way: that one decides.
 */
export class Attempt {
  readonly #tools: AttemptTools;
  readonly #entry: Entry;
  readonly #token: number;
  readonly #usedEffects = new Set<string>();
  /** Events that a replay has dropped. */
  readonly #suppressed = { count: 0 };
  /** Promises of the context that the handler may not have awaited. */
  readonly #pending = new Set<Promise<unknown>>();
  #phase: 'open' | 'committing' | 'committed' | 'failed' | 'closed' = 'open';
  #transaction: 'none' | 'open' | 'ended' = 'none';
  /** An error that the handler can't catch away. `final`: nor replace by one of its own. */
  #decided: { readonly error: unknown; readonly final: boolean } | null = null;
  #giveUp: (outcome: Outcome) => void = () => {};
  /** Made when the handler asks for its signal: most never do, and an event target for each event would be felt. */
  #abort: AbortController | null = null;
  #closedBy: FactlineError | null = null;
  /** Of a command: looks at what is about to be published. */
  #check: PublishingOptions['check'];
  /** Ends the transaction that is open. */
  #cancel: ((reason: FactlineError) => void) | null = null;

  constructor(tools: AttemptTools, entry: Entry, token: number) {
    this.#tools = tools;
    this.#entry = entry;
    this.#token = token;
  }

  /** Ends an open attempt without counting it: the process stops, or the lane was lost. */
  abandon(): void {
    this.#close(
      { kind: 'abandoned' },
      new FactlineError('STOPPED', { unit: 'Factline', operation: 'the handler' }),
    );
  }

  async run(): Promise<Outcome> {
    let event: FactEvent;
    try {
      event = this.#tools.contracts.open(this.#entry.event);
    } catch (error) {
      return { kind: 'failed', error, failureClass: 'schema' };
    }
    const { clock } = this.#tools.services;
    const { timeoutMs } = this.#tools.handler;
    const givenUp = new Promise<Outcome>((resolve) => {
      this.#giveUp = resolve;
    });
    const limit = clock.timer(timeoutMs, () => this.#expire());
    try {
      return await Promise.race([this.#handle(event), givenUp]);
    } finally {
      limit.cancel();
      if (this.#phase === 'open') this.#phase = 'closed';
    }
  }

  async #handle(event: FactEvent): Promise<Outcome> {
    const { handler, contracts, services } = this.#tools;
    const { replay: replayed } = this.#entry;
    this.#check = oneReply(handler, event);
    const { traceparent, tracestate } = event;
    const carried = { ...(traceparent ? { traceparent } : {}), ...(tracestate ? { tracestate } : {}) };
    const attributes = {
      'messaging.system': 'factline',
      'messaging.operation.type': 'process',
      'messaging.message.id': event.id,
      'factline.consumer': handler.name,
      'factline.type': event.type,
      'factline.key': contracts.shownKey(event.key),
      'factline.position': event.position,
      'factline.attempt': this.#entry.attempts + 1,
      ...(replayed === null
        ? {}
        : { 'factline.replay.id': String(replayed.id), 'factline.replay.mode': redeliverMode }),
    };
    // A replay is no part of what happened then: a trace of its own that leads back to it.
    const place =
      replayed === null
        ? { parent: contextOfTrace(carried) }
        : { parent: contextOfTrace({}), links: linksToTrace(carried) };
    const redact = (text: string): string => contracts.redactionOf(this.#entry.event)(text);
    try {
      await services.telemetry.withSpan(
        { name: 'factline.handle', attributes, ...place, redact },
        async () => {
          const trace = currentTrace(carried);
          const replay = this.#replayMark;
          const cause: Cause = {
            correlationId: event.correlationId,
            causationId: event.id,
            ...trace,
            ...replay,
          };
          await currentCause.run(cause, async () => this.#work(event, this.#context(cause)));
          await this.#untilNothingIsPending();
          if (this.#decided !== null) throw this.#decided.error;
        },
      );
    } catch (error) {
      return this.#failed(this.#decided?.final ? this.#decided.error : error);
    }
    if (this.#phase === 'closed') return { kind: 'abandoned' };
    return this.#phase === 'committed' ? { kind: 'committed', lateError: undefined } : { kind: 'finished' };
  }

  /** The handler, or the repair that a person has redirected the event to. */
  #work(event: FactEvent, context: HandlerContext): Promise<void> {
    const { handler } = this.#tools;
    const { repair } = this.#entry;
    if (repair === null)
      return (
        handler.handleWithOwnCommit?.(event, context, (write) => this.#commitAlone(write)) ??
        handler.handle(event, context)
      );
    const found = Object.hasOwn(handler.repairs, repair) ? handler.repairs[repair] : undefined;
    if (found !== undefined) return found(event, context);
    throw new FactlineError('REPAIR_UNKNOWN', { consumer: handler.name, repair });
  }

  /** What is published under a replay says so. */
  get #replayMark(): Pick<Cause, 'replayId' | 'replayMode'> {
    const { replay } = this.#entry;
    return replay === null ? {} : { replayId: String(replay.id), replayMode: redeliverMode };
  }

  #failed(error: unknown): Outcome {
    if (this.#phase === 'committed') return { kind: 'committed', lateError: error };
    if (FactlineError.is(error, 'LEASE_LOST')) return { kind: 'lost' };
    if (FactlineError.is(error, 'ALREADY_HANDLED')) return { kind: 'duplicate' };
    return { kind: 'failed', error };
  }

  /** A handler may have forgotten an `await`: its effects and its transaction still belong to the attempt. */
  async #untilNothingIsPending(): Promise<void> {
    while (this.#pending.size > 0) await Promise.allSettled([...this.#pending]);
  }

  #expire(): void {
    const { handler, services } = this.#tools;
    const limit = `${handler.timeoutMs} ms`;
    const error = new FactlineError('HANDLER_TIMEOUT', {
      consumer: handler.name,
      eventId: this.#entry.event.id,
      limit,
    });
    switch (this.#phase) {
      case 'open':
        this.#close({ kind: 'failed', error }, error);
        break;
      case 'committed':
        this.#close({ kind: 'committed', lateError: error }, error);
        break;
      case 'committing':
        // COMMIT is on its way: look again when it has answered.
        services.clock.timer(commitGraceMs, () => this.#expire());
        break;
      case 'failed':
        this.#close({ kind: 'failed', error: this.#decided?.error ?? error }, error);
        break;
      case 'closed':
        break;
    }
  }

  #close(outcome: Outcome, reason: FactlineError): void {
    if (this.#phase === 'committing') return;
    this.#phase = 'closed';
    this.#closedBy = reason;
    this.#abort?.abort(reason);
    this.#cancel?.(reason);
    this.#giveUp(outcome);
  }

  get #signal(): AbortSignal {
    this.#abort ??= new AbortController();
    if (this.#closedBy !== null) this.#abort.abort(this.#closedBy);
    return this.#abort.signal;
  }

  #assertOpen(operation: string): void {
    if (this.#phase === 'closed') {
      throw new FactlineError('TRANSACTION_CLOSED', {
        operation: `${operation} of an attempt that was given up`,
      });
    }
    if (this.#decided?.final) throw this.#decided.error;
  }

  #context(cause: Cause): HandlerContext {
    const { services, handler } = this.#tools;
    const { event, replay } = this.#entry;
    const signal = (): AbortSignal => this.#signal;
    const mark = replay?.effects === 'execute' ? `:replay:${replay.id}` : '';
    const query: Tx['query'] = async (text, values) => {
      this.#assertOpen('db.query()');
      return services.database.readers.query(text, values === undefined ? [] : [...values]);
    };
    return {
      attempt: this.#entry.attempts + 1,
      get signal() {
        return signal();
      },
      replay: replay === null ? null : String(replay.id),
      // Made only when it is asked for: a hash for every event would be felt.
      get idempotencyKey() {
        return uuidv8([`handler:${services.consumer.id}${mark}`, event.id, 0]);
      },
      db: { query },
      effect: (name, run, options) =>
        this.#track(this.#effect(name, run, options ?? { onUnknown: handler.onUnknown })),
      transaction: (run) => this.#track(this.#runTransaction(cause, run)),
    };
  }

  /** Forgotten promises are waited for, and their rejection is never the process's end. */
  #track<T>(promise: Promise<T>): Promise<T> {
    this.#pending.add(promise);
    const forget = (): void => void this.#pending.delete(promise);
    promise.then(forget, forget);
    return promise;
  }

  async #effect<T>(
    name: string,
    run: (call: EffectCall) => Promise<JsonResult<T>>,
    options: EffectOptions,
  ): Promise<T> {
    const { handler, effects, services } = this.#tools;
    this.#assertOpen(`effect(${name})`);
    if (this.#transaction !== 'none')
      throw new FactlineError('EFFECT_AFTER_TRANSACTION', { effect: name, consumer: handler.name });
    if (this.#usedEffects.has(name))
      throw new FactlineError('EFFECT_NAME_REUSED', { effect: name, consumer: handler.name });
    this.#usedEffects.add(name);
    const count = (outcome: string): void =>
      services.telemetry.metrics.count('factline_effects_total', { consumer: handler.name, outcome });
    await services.testStep?.('operational.before-effect-start');
    const start = await this.#deciding(effects.start(this.#entry, name, this.#token));
    await services.testStep?.('operational.after-effect-start');
    if (start.state === 'done') {
      count('reused');
      return start.result as T;
    }
    const policy = options.onUnknown ?? handler.onUnknown;
    if (start.state === 'repeated' && policy === 'park') {
      count('unknown');
      const details = { effect: name, consumer: handler.name, id: `(event ${this.#entry.event.id})` };
      return this.#deciding(Promise.reject(new FactlineError('EFFECT_OUTCOME_UNKNOWN', details)));
    }
    this.#assertOpen(`effect(${name})`);
    const signal = (): AbortSignal => this.#signal;
    const call: EffectCall = {
      idempotencyKey: start.idempotencyKey,
      get signal() {
        return signal();
      },
      repeated: start.state === 'repeated',
    };
    let text: string | null;
    try {
      text = effects.textOf(name, await this.#callOutside(name, () => run(call)));
    } catch (error) {
      count('failed');
      // Thrown on purpose: its author knows that nothing happened outside.
      if (policy === 'park' && isDeliberate(error)) await effects.forget(this.#entry, name, this.#token);
      throw error;
    }
    await services.testStep?.('operational.before-effect-done');
    await effects.finish(this.#entry, name, { text, token: this.#token });
    await services.testStep?.('operational.after-effect-done');
    count('done');
    // What a retry would get from the ledger, so that no handler depends on more than that.
    return (text === null ? undefined : JSON.parse(text)) as T;
  }

  /** In a span of its own: what the call does (an HTTP request) becomes its child, and the time is told apart from the handler's. */
  #callOutside<T>(name: string, work: () => Promise<T>): Promise<T> {
    const { handler, services, contracts } = this.#tools;
    const attributes = { 'factline.consumer': handler.name, 'factline.effect': name };
    const redact = (text: string): string => contracts.redactionOf(this.#entry.event)(text);
    return services.telemetry.withSpan({ name: 'factline.effect', attributes, redact }, work);
  }

  /** Errors that decide the attempt, whatever the handler makes of them. */
  async #deciding<T>(promise: Promise<T>): Promise<T> {
    try {
      return await promise;
    } catch (error) {
      this.#decided = { error, final: true };
      throw error;
    }
  }

  /** What a parked or replayed event leaves behind belongs to the statements that end those. */
  async #commitAlone<T>(write: (place: EventPlace) => Promise<T | null>): Promise<T | null> {
    this.#assertOpen('the statement that ends it');
    const { lane, keyHash, position, parked, replay } = this.#entry;
    if (parked || replay !== null) return null;
    this.#entry.deletesRow = false;
    this.#phase = 'committing';
    try {
      const written = await write({ lane, token: this.#token, keyHash, position });
      this.#phase = written === null ? 'open' : 'committed';
      return written;
    } catch (error) {
      this.#phase = 'failed';
      this.#decided ??= { error, final: false };
      throw error;
    }
  }

  async #runTransaction<T>(cause: Cause, run: (tx: Tx) => Promise<T>): Promise<T> {
    const { handler } = this.#tools;
    this.#assertOpen('transaction()');
    if (this.#transaction !== 'none')
      throw new FactlineError('TRANSACTION_TWICE', { consumer: handler.name });
    this.#transaction = 'open';
    try {
      return await this.#commit(cause, run);
    } catch (error) {
      // Rolled back: the event is tried again, also when the handler catches this.
      if (this.#phase !== 'closed') this.#phase = 'failed';
      const final = FactlineError.is(error, 'LEASE_LOST') || FactlineError.is(error, 'ALREADY_HANDLED');
      this.#decided ??= { error, final };
      throw error;
    } finally {
      this.#transaction = 'ended';
    }
  }

  async #commit<T>(cause: Cause, run: (tx: Tx) => Promise<T>): Promise<T> {
    const { services, transact } = this.#tools;
    const { database, consumer, clock, app, testStep } = services;
    const { replay } = this.#entry;
    // What a replay publishes is not what was published then.
    const publisher = replay === null ? consumer.id : `${consumer.id}:replay:${replay.id}`;
    const { value, positions } = await transact(
      {
        database,
        pool: database.handlers,
        clock,
        source: app.source,
        telemetry: services.telemetry,
        cause,
        check: this.#check,
        nextId: (ordinal) => uuidv8([publisher, this.#entry.event.id, ordinal]),
        last: (events) => {
          this.#assertOpen('COMMIT');
          this.#phase = 'committing';
          return this.#finishStatement(events);
        },
      },
      async (tx) => {
        // Given up while it waited for a connection.
        this.#assertOpen('transaction()');
        await testStep?.('operational.transaction-begun');
        const cancellable = cancellableWork(database, tx.client);
        this.#cancel = cancellable.cancel;
        const given = replay?.publish === 'suppress' ? suppressing(tx, this.#suppressed) : tx;
        const value = await cancellable.until(run(given)).finally(() => {
          // From here on the connection may be somebody else's.
          this.#cancel = null;
        });
        await testStep?.('operational.before-commit');
        return value;
      },
    );
    this.#phase = 'committed';
    await testStep?.('operational.after-commit');
    if (positions.length > 0) services.tail.wake();
    return value;
  }

  #finishStatement(events: string): { query: NamedQuery; values: (string | number | null)[] } {
    const { lane, keyHash, position, key, parked, replay } = this.#entry;
    if (replay !== null) {
      const { services } = this.#tools;
      const counts = { published: countOf(events), suppressed: this.#suppressed.count };
      return finishReplayed(this.#entry, {
        consumerId: services.consumer.id,
        token: this.#token,
        events,
        counts,
      });
    }
    const values = [this.#tools.services.consumer.id, lane, this.#token, keyHash, position];
    this.#entry.deletesRow = parked;
    if (events === '[]' && !parked) return { query: sql.finish, values };
    return { query: sql.finish_all, values: [...values, events, parked ? key : null] };
  }
}

const countOf = (events: string): number => (JSON.parse(events) as unknown[]).length;

const isDeliberate = (error: unknown): boolean =>
  FactlineError.is(error, 'TRANSIENT_FAILURE') || FactlineError.is(error, 'PERMANENT_FAILURE');

/** The mode of a replay whose events are handled again in the lanes. */
const redeliverMode = 'redeliver';

/** How often an attempt past its limit looks whether its COMMIT has answered. */
const commitGraceMs = 50;
