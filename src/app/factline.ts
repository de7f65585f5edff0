import {
  type AnyWorkflow,
  type Projection,
  type ReadOptions,
  readProjection,
  type Workflow,
  withUpcasters,
} from '../consumers/index.ts';
import {
  type CommandContract,
  type CommandDraft,
  type DataOf,
  type Draft,
  isCommandDraft,
  type ReplyOf,
} from '../contracts/index.ts';
import {
  createTelemetry,
  type Duration,
  FactlineError,
  Lifecycle,
  type Telemetry,
  toMilliseconds,
  uuidv7,
  withDeadline,
} from '../foundation/index.ts';
import {
  assertVerb,
  encodeToken,
  publishInForeignTransaction,
  publishingTransaction,
  type StoringOptions,
  type Tx,
  type Verb,
} from '../log/index.ts';
import { ObjectiveSampler, type Verdict } from '../operations/index.ts';
import type { ForeignTransaction } from '../postgres/index.ts';
import { Alerting } from './alerting.ts';
import { Maintenance } from './maintenance.ts';
import { type FactlineOptions, readOptions, type Settings } from './options.ts';
import { openParts, type Parts, type Seams, systemSeams } from './parts.ts';
import { Probing } from './probing.ts';
import { Replays } from './replays.ts';
import { type Answered, type CommandRequest, type RequestArguments, Requests } from './requests/requests.ts';
import { drainOnSignal } from './signals.ts';
import { SystemEventsChore } from './system-events.ts';
import { Triage } from './triage.ts';
import { type StartOptions, type StartWorkflow, type WorkflowHandle, Workflows } from './workflows.ts';

/** What `publish` and `transaction` give back: hand it to `read` to see what was just written, also through a header. */
export interface Published {
  /** Opaque; safe in headers and URLs. */
  readonly token: string;
}

export interface CaughtUp {
  /** Events handled during the call. */
  readonly handled: number;
  /** Events that were there and are not handled yet (retrying or waiting ones included, quarantined ones not). */
  readonly remaining: number;
}

/**
 * An app: publishes events and runs its consumers. Lazy: nothing connects before the first use.
 * `start` resolves when the consumers work, `stop` when nothing is left running; both may be called twice.
 */
export interface Factline extends AsyncDisposable {
  start(): Promise<void>;
  stop(): Promise<void>;
  /**
   * Runs `work` in one transaction; what it publishes is in the log if and only if the transaction commits. `work` runs once:
   * deadlocks and serialisation failures are thrown.
   * @example
   * const { token } = await app.transaction(async (tx) => {
   *   await tx.query('insert into orders …', [id])
   *   tx.publish(OrderPlaced({ orderId: id }))
   * })
   */
  transaction<T>(work: (tx: Tx) => Promise<T>): Promise<Published & { readonly value: T }>;
  /**
   * Publishes in a transaction of its own, or at the call inside the user's (`{ tx: fromDrizzle(tx) }`: publish last; the token
   * means something after that transaction's commit).
   */
  publish(
    drafts: Draft | readonly Draft[],
    options?: { readonly tx?: ForeignTransaction },
  ): Promise<Published>;
  /** Sends commands, each to its one handler; as `publish`. Nobody waits for a reply. */
  send(
    drafts: CommandDraft | readonly CommandDraft[],
    options?: { readonly tx?: ForeignTransaction },
  ): Promise<Published>;
  /**
   * Sends a command in a transaction of its own and answers, once it is committed, a handle to wait for its reply. The app must be
   * started; nothing is asked of the database while it waits.
   * @throws FactlineError REQUEST_INVALID, NOT_STARTED; what calling the command throws
   * @example
   * const request = await app.request(ChargeCard, { orderId, pence }, { within: '10s' })
   * const reply = await request.reply() // REQUEST_TIMEOUT says what became of the command
   */
  request<C extends CommandContract>(
    command: C & Answered<C>,
    data: DataOf<C>,
    ...options: RequestArguments<C>
  ): Promise<CommandRequest<ReplyOf<C>>>;
  /**
   * Starts an instance of a workflow without `on`: it runs in whatever process works its lane. With `tx` it lives when that transaction
   * has committed.
   * @throws FactlineError WORKFLOW_INPUT_INVALID, WORKFLOW_KEY_INVALID, WORKFLOW_RUNNING, WORKFLOW_UNKNOWN
   * @example
   * const instance = await app.startWorkflow(closeMonth, { key: '2026-11', input: { month: '2026-11' } })
   * const report = await instance.result({ within: '1h' })
   */
  startWorkflow<Input, Result>(
    workflow: Workflow<Input, Result>,
    start: StartWorkflow<Input>,
    options?: StartOptions,
  ): Promise<WorkflowHandle<Result>>;
  /**
   * An instance by its number, or by its key (the living one, else the last). @throws FactlineError WORKFLOW_INSTANCE_UNKNOWN
   */
  workflow<Input, Result>(
    workflow: Workflow<Input, Result>,
    by: { readonly id: number } | { readonly key: string },
  ): Promise<WorkflowHandle<Result>>;
  /**
   * One row of a projection, or null. With a token it waits (5 s, or `within`) until the projection has seen those events.
   * @throws FactlineError READ_TIMEOUT, READ_PARKED, TOKEN_INVALID, LOG_EPOCH_MISMATCH
   */
  read<Row, Key>(projection: Projection<Row, Key>, key: Key, options?: ReadOptions): Promise<Row | null>;
  /** Handles what is there and returns: for functions, cron jobs and tests. */
  catchUp(options: { readonly within: Duration }): Promise<CaughtUp>;
  /** One verdict per consumer, measured now in the log. */
  status(): Promise<readonly Verdict[]>;
  /** This process's metrics in the Prometheus text format: what GET /metrics serves. */
  metrics(): string;
}

/** What the command line, the server and the test kit reach inside an app; not exported from the package. */
export interface Internals {
  readonly settings: Settings;
  readonly telemetry: Telemetry;
  open(): Promise<Parts>;
  /** Whether it runs its consumers. */
  started(): boolean;
  /** Publishes what another app would have published. */
  publishAs(source: string, drafts: readonly Draft[]): Promise<Published>;
}

const internalsOf = new WeakMap<object, Internals>();

/** @throws FactlineError CONFIG_INVALID when the value is no app of this copy of the package. */
export const internals = (app: unknown): Internals => {
  const found = typeof app === 'object' && app !== null ? internalsOf.get(app) : undefined;
  if (found === undefined)
    throw new FactlineError('CONFIG_INVALID', {
      file: 'the app',
      reason: 'it was not made by createFactline',
    });
  return found;
};

/**
 * Makes an app; no I/O.
 * @example
 * await using app = createFactline({ consumers: [orders] })
 * await app.start()
 * @throws FactlineError OPTION_INVALID, CONSUMER_DUPLICATE, CONTRACT_DUPLICATE, UPCASTER_INVALID
 */
export const createFactline = (options: FactlineOptions): Factline =>
  createFactlineWith(options, systemSeams);

export const createFactlineWith = (options: FactlineOptions, seams: Seams): Factline =>
  new App(readOptions(options), seams);

class App extends Lifecycle implements Factline {
  readonly #settings: Settings;
  readonly #seams: Seams;
  readonly #telemetry: Telemetry = createTelemetry();
  #parts: Promise<Parts> | undefined;
  #maintenance: Maintenance | undefined;
  #triage: Triage | undefined;
  #alerting: Alerting | undefined;
  #systemEvents: SystemEventsChore | undefined;
  #probing: Probing | undefined;
  #replays: Replays | undefined;
  #workflows: Workflows | undefined;
  #objectives: ObjectiveSampler | undefined;
  #requests: Requests | undefined;
  #forgetSignal: () => void = () => {};
  /** The highest position this process has published or seen settled: where a lost publish is looked for from. */
  #knownPosition = 0;

  constructor(settings: Settings, seams: Seams) {
    super(`the app ${settings.name}`);
    this.#settings = settings;
    this.#seams = seams;
    internalsOf.set(this, {
      settings,
      telemetry: this.#telemetry,
      open: () => this.#open(),
      started: () => this.state === 'running',
      publishAs: (source, drafts) => this.#publishAs(source, drafts),
    });
  }

  protected async onStart(signal: AbortSignal): Promise<void> {
    const parts = await this.#open();
    signal.throwIfAborted();
    await parts.tail.start();
    signal.throwIfAborted();
    await parts.engine.start();
    this.#requests = this.#requestsOf(parts);
    this.#maintenance = new Maintenance({ parts, settings: this.#settings, clock: this.#seams.clock });
    this.#maintenance.start();
    this.#triage = new Triage({ parts, clock: this.#seams.clock, telemetry: this.#telemetry });
    this.#triage.start();
    if (!this.#seams.unattended) await this.#watch(parts);
    this.#publishSystemEvents(parts);
    if (this.#settings.probes) {
      this.#probing = new Probing({
        parts,
        app: this.#settings.name,
        publish: (drafts) => this.publish(drafts),
        clock: this.#seams.clock,
        telemetry: this.#telemetry,
      });
      this.#probing.start();
    }
    this.#replays = new Replays({
      parts,
      settings: this.#settings,
      clock: this.#seams.clock,
      telemetry: this.#telemetry,
      testStep: this.#seams.testStep,
    });
    this.#replays.start();
    if (this.#settings.handleSignals) this.#forgetSignal = drainOnSignal(() => this.stop());
  }

  async #watch(parts: Parts): Promise<void> {
    this.#alerting = new Alerting({
      parts,
      app: this.#settings.name,
      receivers: this.#settings.alertReceivers,
      clock: this.#seams.clock,
      telemetry: this.#telemetry,
    });
    this.#alerting.start();
    this.#objectives = new ObjectiveSampler({
      database: parts.database,
      clock: this.#seams.clock,
      app: this.#settings.name,
      telemetry: this.#telemetry,
    });
    await this.#objectives.start();
  }

  #publishSystemEvents(parts: Parts): void {
    if (!this.#settings.systemEvents) return;
    this.#systemEvents = new SystemEventsChore({
      parts,
      settings: this.#settings,
      clock: this.#seams.clock,
      telemetry: this.#telemetry,
      transact: (work) => this.transaction(work),
    });
    this.#systemEvents.start();
  }

  protected async onStop(): Promise<void> {
    this.#forgetSignal();
    const parts = await this.#parts?.catch(() => undefined);
    this.#requests?.stop();
    await this.#objectives?.stop();
    await this.#maintenance?.stop();
    await this.#triage?.stop();
    await this.#alerting?.stop();
    await this.#systemEvents?.stop();
    await this.#probing?.stop();
    await this.#replays?.stop();
    await parts?.engine.stop();
    await parts?.tail.stop();
  }

  /** Also gives back what was opened without `start`, for publishing only. */
  override async stop(): Promise<void> {
    try {
      await super.stop();
    } finally {
      const opened = this.#parts;
      this.#parts = undefined;
      const parts = await opened?.catch(() => undefined);
      await parts?.close();
    }
  }

  async transaction<T>(work: (tx: Tx) => Promise<T>): Promise<Published & { readonly value: T }> {
    const { value, token } = await this.#transact(this.#storing(this.#settings.source), work);
    return { value, token };
  }

  async #transact<T>(
    storing: StoringOptions,
    work: (tx: Tx) => Promise<T>,
  ): Promise<Published & { readonly value: T; readonly positions: readonly number[] }> {
    const parts = await this.#open();
    const { value, positions, drafts } = await publishingTransaction(
      {
        ...storing,
        database: parts.database,
        knownPosition: this.#known(parts),
      },
      work,
    );
    this.#committed(parts, positions, drafts);
    return { value, positions, token: encodeToken({ epoch: parts.log.epoch, positions }) };
  }

  publish(
    drafts: Draft | readonly Draft[],
    options: { readonly tx?: ForeignTransaction } = {},
  ): Promise<Published> {
    return this.#write('publish', drafts, options);
  }

  send(
    drafts: CommandDraft | readonly CommandDraft[],
    options: { readonly tx?: ForeignTransaction } = {},
  ): Promise<Published> {
    return this.#write('send', drafts, options);
  }

  async #write(
    verb: Verb,
    drafts: Draft | readonly Draft[],
    options: { readonly tx?: ForeignTransaction },
  ): Promise<Published> {
    const all = Array.isArray(drafts) ? (drafts as readonly Draft[]) : [drafts as Draft];
    assertVerb(verb, all);
    const { source } = this.#settings;
    if (options.tx === undefined || all.length === 0) return this.#publishAs(source, all);
    const parts = await this.#open();
    const positions = await publishInForeignTransaction(all, options.tx, this.#storing(source));
    this.#committed(parts, positions, all);
    return { token: encodeToken({ epoch: parts.log.epoch, positions }) };
  }

  async #publishAs(source: string, drafts: readonly Draft[]): Promise<Published> {
    const { log } = await this.#open();
    if (drafts.length === 0) return { token: encodeToken({ epoch: log.epoch, positions: [] }) };
    const { token } = await this.#transact(this.#storing(source), async (tx) => {
      for (const draft of drafts) isCommandDraft(draft) ? tx.send(draft) : tx.publish(draft);
    });
    return { token };
  }

  async request<C extends CommandContract>(
    command: C & Answered<C>,
    data: DataOf<C>,
    ...[options]: RequestArguments<C>
  ): Promise<CommandRequest<ReplyOf<C>>> {
    if (this.state !== 'running' || this.#requests === undefined)
      throw new FactlineError('NOT_STARTED', { unit: this.unit, operation: 'request' });
    return this.#requests.request<C>(command, data, options);
  }

  async startWorkflow<Input, Result>(
    workflow: Workflow<Input, Result>,
    start: StartWorkflow<Input>,
    options: StartOptions = {},
  ): Promise<WorkflowHandle<Result>> {
    const workflows = await this.#workflowsOf();
    // The types of input and result are the workflow's own.
    return (await workflows.start(workflow as AnyWorkflow, start, options)) as WorkflowHandle<Result>;
  }

  async workflow<Input, Result>(
    workflow: Workflow<Input, Result>,
    by: { readonly id: number } | { readonly key: string },
  ): Promise<WorkflowHandle<Result>> {
    const workflows = await this.#workflowsOf();
    return (await workflows.find(workflow as AnyWorkflow, by)) as WorkflowHandle<Result>;
  }

  async #workflowsOf(): Promise<Workflows> {
    const { database } = await this.#open();
    if (this.#workflows?.database !== database) {
      const { clock } = this.#seams;
      this.#workflows = new Workflows({
        settings: this.#settings,
        database,
        clock,
        telemetry: this.#telemetry,
      });
    }
    return this.#workflows;
  }

  #requestsOf({ tail, database }: Parts): Requests {
    const { source, upcasters } = this.#settings;
    const { clock } = this.#seams;
    const { nextId } = this.#storing(source);
    return new Requests({
      ...{ tail, database, clock, upcasters, nextId, telemetry: this.#telemetry },
      write: async (draft, id) => {
        const storing = { ...this.#storing(source), nextId: () => id };
        const { positions } = await this.#transact(storing, async (tx) => tx.send(draft));
        return positions[0] as number;
      },
    });
  }

  async read<Row, Key>(
    projection: Projection<Row, Key>,
    key: Key,
    options: ReadOptions = {},
  ): Promise<Row | null> {
    const parts = await this.#open();
    return readProjection(
      {
        database: parts.database,
        clock: this.#seams.clock,
        epoch: parts.log.epoch,
      },
      // As this app's consumers read it: older events count as well where an upcaster leads to it.
      { projection: withUpcasters(projection, this.#settings.upcasters), key, options },
    );
  }

  async catchUp({ within }: { readonly within: Duration }): Promise<CaughtUp> {
    const ms = toMilliseconds(within, 'within');
    const wasRunning = this.state === 'running';
    await this.start();
    const { engine } = await this.#open();
    const before = engine.handled();
    try {
      await withDeadline(engine.idle(), { ms, clock: this.#seams.clock, stage: 'catchUp' }).catch(
        (error: unknown) => {
          if (!FactlineError.is(error, 'WAIT_TIMED_OUT')) throw error;
        },
      );
      const verdicts = await this.status();
      return {
        handled: engine.handled() - before,
        remaining: verdicts.reduce((sum, verdict) => sum + (verdict.unhandled ?? 0), 0),
      };
    } finally {
      if (!wasRunning) await this.stop();
    }
  }

  async status(): Promise<readonly Verdict[]> {
    const { meter } = await this.#open();
    return meter.verdicts();
  }

  metrics(): string {
    return this.#telemetry.metrics.renderPrometheus();
  }

  #open(): Promise<Parts> {
    this.#parts ??= openParts(this.#settings, this.#seams, this.#telemetry).catch((error: unknown) => {
      this.#parts = undefined;
      throw error;
    });
    return this.#parts;
  }

  #storing(source: string): StoringOptions & { readonly nextId: () => string } {
    const { clock, randomness } = this.#seams;
    return {
      source,
      nextId: () => uuidv7(clock.wall().getTime(), randomness),
      telemetry: this.#telemetry,
      clock,
    };
  }

  #known(parts: Parts): number {
    this.#knownPosition = Math.max(this.#knownPosition, parts.tail.settled, parts.log.head);
    return this.#knownPosition;
  }

  /** After COMMIT: wakes this process's consumers without SQL, and tells other processes. */
  #committed(parts: Parts, positions: readonly number[], drafts: readonly Draft[]): void {
    if (positions.length === 0) return;
    this.#knownPosition = Math.max(this.#knownPosition, positions.at(-1) ?? 0);
    for (const { type } of drafts) this.#telemetry.metrics.count('factline_events_published_total', { type });
    parts.tail.wake();
  }
}
