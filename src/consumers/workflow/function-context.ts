import {
  type Draft,
  describeValue,
  type EventContract,
  type FactEvent,
  isDraft,
} from '../../contracts/index.ts';
import {
  canonicalJson,
  type Duration,
  FactlineError,
  type Issue,
  toMilliseconds,
  uuidv8,
} from '../../foundation/index.ts';
import { admitDrafts, assertVerb, type Tx, type Verb } from '../../log/index.ts';
import type { StepRequest, WaitRequest } from './calls.ts';
import { retryIssues } from './check-declaration.ts';
import type { Step, StepCall, StepOptions, WaitKey, WaitOptions, WorkflowContext } from './context.ts';
import { stepPolicy } from './define-workflow.ts';
import type { AnyWorkflow } from './definition.ts';
import type { ExecutionServices } from './execution-services.ts';
import { refusalInsideStep, runOutsideSteps } from './inside-step.ts';
import type { LoadedInstance } from './instance.ts';
import { type FunctionRun, repeatedStep } from './replaying.ts';

/** What of an instance its function may know. */
export interface ContextFacts {
  readonly workflow: AnyWorkflow;
  readonly id: number;
  readonly key: string;
  readonly signal: AbortSignal;
  /** The process's clock and chance; what they answer is recorded. */
  readonly now: () => Date;
  readonly random: () => number;
  /** Whether the app may publish these. @throws FactlineError PRODUCER_NOT_LISTED */
  readonly admit: (drafts: readonly Draft[]) => void;
}

const stepTimeoutDefault: Duration = '30s';
const stepNameLengthMax = 200;
const delayMsMax = 100 * 366 * 86_400_000;

/** The text that the log has as the `subject` of events with this key. */
export const waitKeyText = (key: WaitKey): string =>
  Array.isArray(key) ? canonicalJson(key) : String(key as string | number);

const invalid = (option: string, expected: string, actual: unknown): FactlineError =>
  new FactlineError('OPTION_INVALID', { option, expected, actual: describeValue(actual) });

type StepRun = (call: StepCall, tx: Tx | null) => Promise<unknown>;

/** PostgreSQL can store it. */
const isStepName = (name: unknown): boolean =>
  typeof name === 'string' &&
  name !== '' &&
  name.length <= stepNameLengthMax &&
  name.isWellFormed() &&
  !name.includes('\0');

const stepRequest = (
  { workflow }: ContextFacts,
  step: {
    readonly kind: StepRequest['kind'];
    readonly name: string;
    readonly run: StepRun;
    readonly options: StepOptions<never>;
  },
): StepRequest => {
  const { kind, name, run, options } = step;
  const issues: readonly Issue[] = retryIssues(options.retry);
  const [issue] = issues;
  if (issue !== undefined) throw invalid(`${issue.path} of step ${name}`, issue.expected, issue.actual);
  const { undo } = options;
  return {
    kind,
    run,
    undo: undo === undefined ? null : (undo as StepRequest['undo']),
    policy: stepPolicy(options.retry, workflow.retryPolicy),
    timeoutMs: toMilliseconds(options.timeout ?? stepTimeoutDefault, `timeout of step ${name}`),
  };
};

/** `step` and `step.transaction`. What is wrong with a call is thrown where it is awaited, like a failure of the step. */
const makeStep = (run: FunctionRun, facts: ContextFacts): Step => {
  const call = async (
    kind: StepRequest['kind'],
    name: string,
    { work, options }: { readonly work: StepRun; readonly options: StepOptions<never> | undefined },
  ): Promise<unknown> => {
    if (!isStepName(name))
      throw invalid('the name of a step', `a text of 1 to ${stepNameLengthMax} characters`, name);
    if (typeof work !== 'function') throw invalid(`step ${name}`, 'a function', work);
    const request = stepRequest(facts, { kind, name, run: work, options: options ?? {} });
    if (!run.names.claim(name)) throw repeatedStep(facts.workflow.name, name);
    return run.call(kind, name, () => request);
  };
  const step = (name: string, work: StepRun, options?: StepOptions<never>): Promise<unknown> =>
    asked(`step ${name}`, () => call('step', name, { work, options }));
  const transaction = (
    name: string,
    work: (tx: Tx, call: StepCall) => Promise<unknown>,
    options?: StepOptions<never>,
  ): Promise<unknown> =>
    asked(`step ${name}`, () =>
      call('transaction', name, { work: (stepCall, tx) => work(tx as Tx, stepCall), options }),
    );
  return Object.assign(step, { transaction }) as unknown as Step;
};

const sleepFor = async (run: FunctionRun, duration: Duration): Promise<void> => {
  const delayMs = toMilliseconds(duration, 'sleep');
  if (delayMs > delayMsMax) throw invalid('sleep', 'at most 100 years', duration);
  return run.call('sleep', run.names.next('sleep'), () => ({
    kind: 'sleep',
    delayMs,
    until: null,
  })) as Promise<void>;
};

const sleepTo = async (run: FunctionRun, moment: Date | string): Promise<void> => {
  const time = typeof moment === 'string' ? Date.parse(moment) : moment.getTime();
  if (!Number.isFinite(time)) throw invalid('sleepUntil', 'a Date or an ISO 8601 time', moment);
  const until = new Date(time).toISOString();
  return run.call('sleep', run.names.next('sleep'), () => ({
    kind: 'sleep',
    delayMs: null,
    until,
  })) as Promise<void>;
};

const waitRequest = (
  run: FunctionRun,
  { workflow }: ContextFacts,
  wait: {
    readonly contract: EventContract;
    readonly options: WaitOptions<EventContract> & { readonly within?: Duration | undefined };
  },
): WaitRequest => {
  const { contract, options } = wait;
  const { key, within, where } = options;
  if (!workflow.awaited.has(contract.type))
    throw new FactlineError('WORKFLOW_WAIT_UNDECLARED', { workflow: workflow.name, type: contract.type });
  if (key === undefined || key === null || key === '')
    throw invalid(`the key of waitFor(${contract.type})`, "the value of the event's key", key);
  const text = waitKeyText(key);
  return {
    kind: 'wait',
    contract,
    key: text,
    withinMs: within === undefined ? null : toMilliseconds(within, 'within'),
    where: (where as ((event: FactEvent) => boolean) | undefined) ?? null,
    afterPosition: run.seenPosition(contract.type, text),
  };
};

const publishAll = (
  run: FunctionRun,
  { admit }: ContextFacts,
  { verb, drafts }: { readonly verb: Verb; readonly drafts: readonly Draft[] },
): void => {
  for (const draft of drafts) {
    if (!isDraft(draft)) throw invalid(verb, 'drafts: what calling a contract returns', draft);
    if (draft.dedupeKey !== undefined)
      throw invalid(`${verb}(${draft.type})`, 'a draft without dedupeKey', draft.dedupeKey);
  }
  assertVerb(verb, drafts);
  admit(drafts);
  for (const draft of drafts) run.publish(verb, draft);
};

/** A promise that the function may forget to await: its rejection must not be the process's end. */
const kept = <T>(promise: Promise<T>): Promise<T> => {
  promise.catch(() => {});
  return promise;
};

/** A call that is answered later. Inside of a step it never is: the step has failed by it, and may not await it. */
const asked = <T>(call: string, make: () => Promise<T>): Promise<T> =>
  refusalInsideStep(call) === null ? kept(make()) : new Promise(() => {});

const allOf = async (calls: readonly unknown[]): Promise<unknown[]> => {
  const settled = await Promise.allSettled(calls);
  const failed = settled.find((each) => each.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
  return settled.map((each) => (each.status === 'fulfilled' ? each.value : undefined));
};

/** The context of one run of the function: every call gets its ordinal here. */
export const functionContext = (run: FunctionRun, facts: ContextFacts): WorkflowContext => {
  const { id, key, signal } = facts;
  const wait = async (
    contract: EventContract,
    options: WaitOptions<EventContract> & { readonly within?: Duration | undefined },
  ): Promise<unknown> => {
    const request = waitRequest(run, facts, { contract, options });
    return run.call('wait', run.names.next('wait', contract.type), () => request);
  };
  const waitFor: typeof wait = (contract, options) =>
    asked(`wait ${contract?.type}`, () => wait(contract, options));
  const context: Omit<WorkflowContext, 'all' | 'waitFor'> = {
    key,
    id,
    signal,
    step: makeStep(run, facts),
    sleep: (duration) => asked('sleep', () => sleepFor(run, duration)),
    sleepUntil: (moment) => asked('sleep', () => sleepTo(run, moment)),
    publish: (...drafts) => publishAll(run, facts, { verb: 'publish', drafts }),
    send: (...drafts) => publishAll(run, facts, { verb: 'send', drafts }),
    now: () => new Date(run.answer('now', run.names.next('now'), () => facts.now().toISOString())),
    random: () => run.answer('random', run.names.next('random'), () => facts.random()),
    uuid: () =>
      run.answer('uuid', run.names.next('uuid'), (ordinal) =>
        uuidv8([`workflow:${facts.workflow.name}`, String(id), ordinal]),
      ),
  };
  return {
    ...context,
    waitFor,
    all: (calls: readonly unknown[]) => kept(allOf(calls)),
  } as unknown as WorkflowContext;
};

/** Begins one run of the function of an instance. */
export const startFunction = (
  run: FunctionRun,
  {
    services: { workflow, runner },
    instance: { id, key, input },
    signal,
  }: {
    readonly services: ExecutionServices;
    readonly instance: LoadedInstance;
    readonly signal: AbortSignal;
  },
): Promise<unknown> => {
  const facts: ContextFacts = {
    workflow,
    id,
    key,
    signal,
    now: () => runner.clock.wall(),
    random: () => runner.randomness.float(),
    admit: (drafts) => admitDrafts(drafts, { ...runner, source: runner.app.source, nextId: () => '' }),
  };
  return runOutsideSteps(() =>
    Promise.resolve().then(() => workflow.run(input, functionContext(run, facts))),
  );
};
