import {
  type CommandContract,
  type CommandDraft,
  ContractSet,
  type DataOf,
  type DraftOptions,
  type FactEvent,
  type ReplyOf,
  type Upcaster,
} from '../../contracts/index.ts';
import {
  type Clock,
  type Duration,
  FactlineError,
  type Telemetry,
  toMilliseconds,
} from '../../foundation/index.ts';
import { readPositions, type Tail } from '../../log/index.ts';
import type { DeliveredEvent } from '../../operations/index.ts';
import type { Database } from '../../postgres/index.ts';
import { limitOf } from './limit.ts';
import { Outcomes } from './outcomes.ts';
import { ReplyReader } from './reply-reader.ts';

/** A command that was sent, and somebody waits. The command is in the log; the waiting is this process's and ends with it. */
export interface CommandRequest<Reply = FactEvent> {
  /** The id of the command; what its handler publishes has it as `causationId`. With a `dedupeKey` that was used before: the first command's. */
  readonly id: string;
  /** Where the command stands in the log. */
  readonly position: number;
  /**
   * The event that answers it. May be called often.
   * @throws FactlineError REQUEST_TIMEOUT with `details.state` and what else is known; STOPPED when the app stops first; what
   *   opening an event throws when the reply does not fit its contract
   */
  reply(): Promise<Reply>;
}

export interface RequestOptions extends DraftOptions {
  /** How long to wait for the reply, from the commit on; at most an hour. Default: what the command declares. */
  readonly within?: Duration;
}

/** The options of a request: with a time limit unless the command declares one. */
export type RequestArguments<C extends CommandContract> = C extends { readonly within: Duration }
  ? readonly [options?: RequestOptions]
  : readonly [options: RequestOptions & { readonly within: Duration }];

/** `unknown` where a command has replies to wait for, else the reason, which the compiler then prints. */
export type Answered<C extends CommandContract> = [ReplyOf<C>] extends [never]
  ? 'the command declares no replies: use send'
  : unknown;

export interface RequestsOptions {
  readonly tail: Tail;
  readonly database: Database;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  readonly upcasters: readonly Upcaster[];
  readonly nextId: () => string;
  /** Writes the command under this id and answers its position once it is committed. */
  readonly write: (draft: CommandDraft, id: string) => Promise<number>;
}

interface Sent {
  readonly reader: ReplyReader;
  readonly event: DeliveredEvent;
  readonly reply: Promise<FactEvent>;
}

/** How long a reply that is committed may take to become readable while another transaction holds the log up. */
const settleMs = 1_000;
const lookEveryMs = 5;

/** The requests of one app that are open. */
export class Requests {
  readonly #options: RequestsOptions;
  readonly #shared: ReplyReader;
  readonly #outcomes: Outcomes;
  /** Of requests that repeat an earlier one: each looks back to where that one stands. */
  readonly #looking = new Set<ReplyReader>();
  readonly #replies = new WeakMap<CommandContract, ContractSet>();
  readonly #stopped = new AbortController();

  constructor(options: RequestsOptions) {
    this.#options = options;
    this.#shared = new ReplyReader(options.tail);
    this.#outcomes = new Outcomes(options.database.operations);
  }

  async request<C extends CommandContract>(
    command: C,
    data: DataOf<C>,
    { within, ...draftOptions }: RequestOptions = {},
  ): Promise<CommandRequest<ReplyOf<C>>> {
    const limit = limitOf(command, within);
    const draft = (command as CommandContract)(data, draftOptions);
    const sent = await this.#send(draft);
    this.#count(command.type, sent.reply);
    const timer = this.#options.clock.timer(toMilliseconds(limit), () => void this.#expire(sent, limit));
    const forget = (): void => timer.cancel();
    sent.reply.then(forget, forget);
    const { id, position } = sent.event;
    return Object.freeze({ id, position, reply: () => sent.reply as Promise<ReplyOf<C>> });
  }

  /** Ends the waiting, not the commands. */
  stop(): void {
    const error = new FactlineError('STOPPED', { unit: 'the app', operation: 'waiting for a reply' });
    this.#stopped.abort(error);
    for (const reader of [this.#shared, ...this.#looking]) reader.rejectAll(error);
  }

  async #send(draft: CommandDraft): Promise<Sent> {
    const { nextId, write } = this.#options;
    const id = nextId();
    const replies = this.#repliesTo(draft.contract);
    const reply = this.#shared.wait(id, replies);
    try {
      const position = await write(draft, id);
      const first = draft.dedupeKey === undefined ? null : await this.#firstOf(position);
      if (first !== null && first.id !== id) {
        this.#shared.forget(id);
        return this.#lookBack(first, replies);
      }
      return {
        reader: this.#shared,
        reply,
        event: { id, position, type: draft.type, keyHash: draft.keyHash },
      };
    } catch (error) {
      this.#shared.forget(id);
      throw error;
    }
  }

  /** The command that a `dedupeKey` stands for: its reply may be as old as itself. */
  async #firstOf(position: number): Promise<DeliveredEvent> {
    const [stored] = await readPositions(this.#options.database.operations, [position]);
    if (stored !== undefined) return stored;
    throw new FactlineError('EVENT_NOT_FOUND', { event: String(position) });
  }

  #lookBack(event: DeliveredEvent, replies: ContractSet): Sent {
    const reader = new ReplyReader(this.#options.tail);
    const reply = reader.wait(event.id, replies, event.position);
    this.#looking.add(reader);
    const forget = (): void => void this.#looking.delete(reader);
    reply.then(forget, forget);
    if (this.#stopped.signal.aborted) reader.rejectAll(this.#stopped.signal.reason);
    return { reader, reply, event };
  }

  #repliesTo(command: CommandContract): ContractSet {
    const known = this.#replies.get(command) ?? new ContractSet(command.replies, this.#options.upcasters);
    this.#replies.set(command, known);
    return known;
  }

  async #expire({ reader, event }: Sent, within: Duration): Promise<void> {
    const outcome = await this.#outcomes.of(event);
    const isRead = outcome.state !== 'handled' || (await this.#isRead(reader));
    const known = isRead
      ? outcome.known
      : `${outcome.consumer} has handled it, but its reply, if there is one, cannot be read yet: a transaction that is still open holds the log up`;
    const { id, position, type } = event;
    reader.reject(
      id,
      new FactlineError('REQUEST_TIMEOUT', { type, id, position, within, ...outcome, known }),
    );
  }

  /** Handled means that a reply, if there is one, is committed: it is looked for to the end. False: that takes too long. */
  async #isRead(reader: ReplyReader): Promise<boolean> {
    const { tail, clock } = this.#options;
    const { signal } = this.#stopped;
    try {
      const end = await tail.barrier();
      await tail.whenSettled(end, { withinMs: settleMs, signal });
      for (let ms = 0; ms < settleMs && reader.position < end && !signal.aborted; ms += lookEveryMs)
        await clock.sleep(lookEveryMs, signal);
      return reader.position >= end;
    } catch {
      return false;
    }
  }

  #count(type: string, reply: Promise<FactEvent>): void {
    const count = (outcome: string): void =>
      this.#options.telemetry.metrics.count('factline_requests_total', { type, outcome });
    reply.then(
      () => count('answered'),
      (error: unknown) => count(FactlineError.is(error, 'REQUEST_TIMEOUT') ? 'timed out' : 'given up'),
    );
  }
}
