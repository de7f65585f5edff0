import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { EventContract, FactEvent, Many, On, OneOf, PayloadSchema } from '../../contracts/index.ts';
import type { Duration, RetryPolicy } from '../../foundation/index.ts';
import type { ConsumerDefinition } from '../definition.ts';
import type { JsonResult } from '../operational/index.ts';
import type { StepRetry, WorkflowContext } from './context.ts';

/** What a second start does while an instance of the same key lives. */
export type OnDuplicate = 'reject' | 'join' | 'queue';

/** What the function receives: the event that started it, or the checked input of `app.startWorkflow`. */
export type WorkflowInput<O, S> = [O] extends [Many<EventContract>]
  ? On<O>
  : [S] extends [PayloadSchema]
    ? StandardSchemaV1.InferOutput<S>
    : undefined;

/** What `app.startWorkflow` takes as input; never for a workflow that events start. */
export type StartInput<O, S> = [O] extends [Many<EventContract>]
  ? never
  : [S] extends [PayloadSchema]
    ? StandardSchemaV1.InferOutput<S>
    : undefined;

/** The contracts of `waits` as a union; never without. */
export type AwaitedOf<W> = [W] extends [Many<EventContract>] ? OneOf<W> : never;

export interface WorkflowDeclaration<O, W, S, R> {
  /** The identity under which instances are stored: 1 to 100 characters of a-z, 0-9, `-`, `_` and `.`. */
  readonly name: string;
  /**
   * Raised by one when the function changes so that journals of living instances no longer fit. List the earlier definition
   * beside this one: instances finish on the version they began on, new ones begin on the highest. Default 1.
   */
  readonly version?: number;
  /** The team that answers for it. Default: the app's owner. */
  readonly owner?: string;
  /** The contracts whose events start an instance. Without it only `app.startWorkflow` does. */
  readonly on?: O;
  /** The correlation key: one instance lives per name and key. Default: the value of the event's key. */
  readonly key?: [O] extends [Many<EventContract>] ? (event: On<O>) => string : never;
  /** reject: it is not started, on record. join: the living one is meant. queue: it starts when that one has ended. Default reject. */
  readonly onDuplicate?: OnDuplicate;
  /** The contracts whose events it may wait for. */
  readonly waits?: W;
  /** The schema of what `app.startWorkflow` gives; only without `on`, whose event is the input. */
  readonly input?: S;
  /**
   * Instances at work at one time, in each process; sleeping and waiting ones are not at work. Of their transactions as many run as
   * the pool has connections, the others wait their turn. Default 100.
   */
  readonly concurrency?: number;
  /** What steps and undos do about failures, unless they say otherwise. Default: 5 attempts, 1s, 2s, 4s, 8s apart. */
  readonly retry?: StepRetry;
  /** handledWithin: the promise for starting an instance that `status` judges by. errorBudget: the share that may miss it. */
  readonly slo?: { readonly handledWithin: Duration; readonly errorBudget?: number };
  /** Earlier names of this workflow; its instances become its own. */
  readonly formerly?: readonly string[];
  /** Shares of the keys that processes divide among themselves. Default 16. */
  readonly lanes?: number;
  /**
   * The workflow: deterministic code. Whatever depends on the clock, on chance or on the outside world goes through the context.
   * Its result is recorded.
   */
  readonly run: (
    input: WorkflowInput<NoInfer<O>, NoInfer<S>>,
    context: WorkflowContext<AwaitedOf<NoInfer<W>>>,
  ) => Promise<JsonResult<R>>;
}

/** Only for the compiler: what starts it, and what it ends with. */
declare const signature: unique symbol;

/**
 * A durable function, one version of it. Made by `defineWorkflow`; frozen. As a consumer definition it stands for what reads the
 * log (the router); what runs its instances is a consumer of its own, made from it (`executorOf`).
 */
export interface Workflow<Input = never, Result = unknown> extends ConsumerDefinition {
  readonly class: 'workflow';
  readonly starts: ReadonlySet<string>;
  readonly awaited: ReadonlySet<string>;
  readonly key: ((event: FactEvent) => string) | null;
  readonly onDuplicate: OnDuplicate;
  readonly input: PayloadSchema | null;
  readonly concurrency: number;
  readonly retryPolicy: RetryPolicy;
  readonly run: (input: unknown, context: WorkflowContext) => Promise<unknown>;
  readonly [signature]?: (input: Input) => Result;
}

/** A workflow of any input and result. */
export type AnyWorkflow = Workflow<never, unknown>;

/** Whether a value came from `defineWorkflow`. */
export const isWorkflow = (value: unknown): value is AnyWorkflow =>
  typeof value === 'object' &&
  value !== null &&
  (value as { class?: unknown }).class === 'workflow' &&
  typeof (value as { run?: unknown }).run === 'function';
