import {
  type AnyWorkflow,
  checkedKey,
  executorName,
  type FoundInstance,
  type InstanceCause,
  InstanceEnds,
  type InstanceState,
  isWorkflow,
  recordedText,
  resultOf,
  WorkflowStarter,
} from '../consumers/index.ts';
import {
  type Clock,
  currentTrace,
  type Duration,
  FactlineError,
  type Telemetry,
  toMilliseconds,
} from '../foundation/index.ts';
import { currentCause, type Tx } from '../log/index.ts';
import { awaitAnswer, sendRequest } from '../operations/index.ts';
import { type Database, type ForeignTransaction, fromPg } from '../postgres/index.ts';
import type { Settings } from './options.ts';

/** One instance of a workflow, wherever it runs. */
export interface WorkflowHandle<Result> {
  /** As `factline workflow show` takes it. */
  readonly id: number;
  readonly key: string;
  /**
   * What the function returned, once it has ended.
   * @throws FactlineError WORKFLOW_FAILED (its `cause` is what the function threw), WORKFLOW_STUCK, WAIT_TIMED_OUT
   */
  result(options: { readonly within: Duration }): Promise<Result>;
  /** Ends it: what its finished steps did is taken back. Resolves when the process that works on it has begun with that. */
  cancel(reason: string): Promise<void>;
  status(): Promise<InstanceState>;
}

export interface StartWorkflow<Input> {
  /** One instance lives per key. */
  readonly key: string;
  readonly input: Input;
}

export interface StartOptions {
  /** A transaction of the app or of another library: the instance lives when it has committed. */
  readonly tx?: Tx | ForeignTransaction;
}

export interface WorkflowsOptions {
  readonly settings: Settings;
  readonly database: Database;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
}

const cancelWithinMs = 30_000;

const isTx = (tx: Tx | ForeignTransaction): tx is Tx => 'savepoint' in tx;

/** What the app does with workflows. */
export class Workflows {
  /** An app that was stopped and is used again has another one. */
  readonly database: Database;
  readonly #options: WorkflowsOptions;
  readonly #starter: WorkflowStarter;
  readonly #ends: InstanceEnds;

  constructor(options: WorkflowsOptions) {
    this.#options = options;
    this.database = options.database;
    this.#starter = new WorkflowStarter(options);
    this.#ends = new InstanceEnds(options);
  }

  async start(
    workflow: AnyWorkflow,
    start: StartWorkflow<unknown>,
    { tx }: StartOptions,
  ): Promise<WorkflowHandle<unknown>> {
    const declared = this.#declared(workflow);
    if (declared.starts.size > 0)
      throw new FactlineError('WORKFLOW_INPUT_INVALID', {
        workflow: workflow.name,
        issues: 'its instances are started by events: publish one of them',
      });
    const key = checkedKey(workflow.name, start.key);
    const facts = {
      workflow: declared,
      key,
      inputText: await inputText(declared, start.input),
      startedBy: null,
      eventId: null,
      cause: presentCause(),
      codeVersion: this.#options.settings.codeVersion,
    };
    const id =
      tx === undefined
        ? await this.#starter.start(facts)
        : await this.#starter.startIn(isTx(tx) ? fromPg(tx.client as never) : tx, facts);
    return this.#handle(declared, { id, key });
  }

  async find(
    workflow: AnyWorkflow,
    by: { readonly id: number } | { readonly key: string },
  ): Promise<WorkflowHandle<unknown>> {
    const found = await this.#find(workflow, by);
    return this.#handle(workflow, found);
  }

  /** The newest version that this app declares under the name. */
  #declared(workflow: AnyWorkflow): AnyWorkflow {
    const versions = this.#options.settings.executors.filter((each) => each.workflow.name === workflow.name);
    const newest = versions.map((each) => each.workflow).sort((a, b) => b.version - a.version)[0];
    if (newest === undefined || !isWorkflow(workflow))
      throw new FactlineError('WORKFLOW_UNKNOWN', { workflow: workflow.name });
    return newest;
  }

  async #find(
    workflow: AnyWorkflow,
    by: { readonly id: number } | { readonly key: string },
  ): Promise<FoundInstance> {
    const found = await this.#ends.find(workflow.name, by);
    if (found !== null) return found;
    const instance = 'id' in by ? `number ${by.id}` : `key ${by.key}`;
    throw new FactlineError('WORKFLOW_INSTANCE_UNKNOWN', { workflow: workflow.name, instance });
  }

  #handle(
    workflow: AnyWorkflow,
    { id, key }: { readonly id: number; readonly key: string },
  ): WorkflowHandle<unknown> {
    const { name } = workflow;
    return {
      id,
      key,
      result: async ({ within }) => {
        const ms = toMilliseconds(within, 'within');
        const standing = await this.#ends.wait(id, ms);
        if (standing === null)
          throw new FactlineError('WAIT_TIMED_OUT', { stage: `the instance ${id} of ${name}`, ms });
        return resultOf(name, id, standing);
      },
      cancel: (reason) => this.#cancel(workflow, { id, reason }),
      status: async () => {
        const standing = await this.#ends.standing(id);
        if (standing !== null) return standing.state;
        throw new FactlineError('WORKFLOW_INSTANCE_UNKNOWN', { workflow: name, instance: `number ${id}` });
      },
    };
  }

  async #cancel(
    workflow: AnyWorkflow,
    { id, reason }: { readonly id: number; readonly reason: string },
  ): Promise<void> {
    const { database, clock, settings } = this.#options;
    const { consumerId, version } = await this.#find(workflow, { id });
    const request = {
      consumer: { id: consumerId, name: executorName(workflow.name, version) },
      verb: 'cancel',
      arguments: { instance: id },
      actor: settings.name,
      reason,
    };
    const sent = await sendRequest(database.operations, request);
    await awaitAnswer(database.operations, { id: sent, request, withinMs: cancelWithinMs, clock });
  }
}

/** What is published or started meanwhile belongs to the same story. */
const presentCause = (): InstanceCause => {
  const cause = currentCause.getStore();
  return {
    ...(cause === undefined ? {} : { correlationId: cause.correlationId, causationId: cause.causationId }),
    ...currentTrace(),
  };
};

/** @throws FactlineError WORKFLOW_INPUT_INVALID */
const inputText = async (workflow: AnyWorkflow, input: unknown): Promise<string | null> => {
  const { name: consumer, input: schema } = workflow;
  if (schema === null) {
    if (input === undefined || input === null) return null;
    throw new FactlineError('WORKFLOW_INPUT_INVALID', {
      workflow: consumer,
      issues: 'the workflow declares no `input`',
    });
  }
  const checked = await schema['~standard'].validate(input);
  if (checked.issues !== undefined) {
    const issues = checked.issues.map(({ message, path }) => {
      const place = (path ?? []).map((part) => (typeof part === 'object' ? part.key : part)).join('.');
      return place === '' ? message : `${place}: ${message}`;
    });
    throw new FactlineError('WORKFLOW_INPUT_INVALID', { workflow: consumer, issues: issues.join('; ') });
  }
  try {
    return recordedText(consumer, 'the input', checked.value);
  } catch (error) {
    const issues = error instanceof Error ? error.message : String(error);
    throw new FactlineError('WORKFLOW_INPUT_INVALID', { workflow: consumer, issues });
  }
};
