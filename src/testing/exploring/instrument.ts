import {
  type AnyWorkflow,
  type ConsumerDefinition,
  type Handler,
  type HandlerContext,
  isWorkflow,
  type StepOptions,
  type WorkflowContext,
} from '../../consumers/index.ts';
import type { FactEvent } from '../../contracts/index.ts';
import { begins, committed, ends, type InjectionKind } from './injection.ts';
import type { Reached } from './probe.ts';

/** One event in one handler, or one instance of a workflow: how its points are named, and what happens at them. */
export interface Passage {
  readonly site: string;
  /**
   * @param point what stands behind the site's name
   * @param work where the point is the last moment before this piece of work counts as done: its name
   */
  reach(point: string, kinds: readonly InjectionKind[], work?: string): Reached;
  /** What the outside world answered to an effect: a person could look it up there. */
  answered(effect: string, answer: unknown): void;
}

export interface Instruments {
  handling(handler: string, event: FactEvent): Passage;
  running(workflow: string, key: string): Passage;
  /** A compensation that the saga has, whether or not it runs. */
  declared(point: string): void;
  /** Before a handler begins: time to be overtaken by events of other keys. */
  dawdle(handler: string, event: FactEvent): Promise<void>;
}

const crash = ['crash'] as const;
const callKinds = ['crash', 'transient failure', 'permanent failure'] as const;
const answerKinds = ['crash', 'lost answer'] as const;

/** The consumer with a point before and after everything that its code does; projections change nothing outside themselves. */
export const instrument = (consumer: ConsumerDefinition, instruments: Instruments): ConsumerDefinition => {
  if (isWorkflow(consumer)) return Object.freeze({ ...consumer, run: instrumentRun(consumer, instruments) });
  if (consumer.class !== 'operational') return consumer;
  const handler = consumer as Handler;
  return Object.freeze({ ...handler, handle: instrumentHandle(handler, instruments) }) as ConsumerDefinition;
};

const instrumentHandle =
  ({ name, handle }: Handler, instruments: Instruments): Handler['handle'] =>
  async (event, context) => {
    const passage = instruments.handling(name, event);
    await instruments.dawdle(name, event);
    await passage.reach(begins, callKinds);
    await handle(event, handlerContext(context, passage));
    await passage.reach(ends, crash, 'the event');
  };

const handlerContext = (context: HandlerContext, passage: Passage): HandlerContext => {
  const effect: HandlerContext['effect'] = async (name, run, options) => {
    const result = await context.effect(
      name,
      (call) =>
        aroundCall(passage, { what: `effect ${name}` }, async () => {
          const answer = await run(call);
          passage.answered(name, answer);
          return answer;
        }),
      options,
    );
    await passage.reach(`effect ${name} · after its record`, crash);
    return result;
  };
  const transaction: HandlerContext['transaction'] = async (run) => {
    const value = await context.transaction(async (tx) => {
      const written = await run(tx);
      await passage.reach('transaction · before the commit', callKinds, 'the event');
      return written;
    });
    await passage.reach(committed, crash);
    return value;
  };
  // The context has getters that make what they give only when it is asked for.
  return Object.defineProperties({} as HandlerContext, {
    ...Object.getOwnPropertyDescriptors(context),
    effect: { value: (...call: Parameters<typeof effect>) => kept(effect(...call)), enumerable: true },
    transaction: { value: (run: never) => kept(transaction(run)), enumerable: true },
  });
};

interface Called {
  /** `effect charge`, `step reserve`, `undo reserve`. */
  readonly what: string;
  /** Whether its answer is all there is to be recorded. */
  readonly last?: boolean;
}

/** Something outside: it may not happen, or happen and nobody hears of it. */
const aroundCall = async <T>(
  passage: Passage,
  { what, last = false }: Called,
  call: () => Promise<T>,
): Promise<T> => {
  await passage.reach(`${what} · before the call`, callKinds);
  const answer = await call();
  await passage.reach(`${what} · after the call`, answerKinds, last ? what : undefined);
  return answer;
};

type Work = (...given: unknown[]) => Promise<unknown>;
type AnyStep = (name: string, run: Work, options?: unknown) => Promise<unknown>;

/** What the function itself does stays as it is: steps, undos and what is handed to the function pass points. */
const instrumentRun =
  ({ name: workflow, run }: AnyWorkflow, instruments: Instruments): AnyWorkflow['run'] =>
  (input, context) => {
    const passage = instruments.running(workflow, context.key);
    return run(input, workflowContext(context, passage, instruments));
  };

const workflowContext = (
  context: WorkflowContext,
  passage: Passage,
  instruments: Instruments,
): WorkflowContext => {
  const undoing = (name: string, options: StepOptions<unknown> | undefined): typeof options => {
    const undo = options?.undo;
    if (options === undefined || undo === undefined) return options;
    const what = `undo ${name}`;
    instruments.declared(`${passage.site} · ${what} · before the call`);
    return {
      ...options,
      undo: (result, call) => aroundCall(passage, { what, last: true }, () => undo(result, call)),
    };
  };
  const call =
    (make: AnyStep, around: (what: string, work: Work) => Work) =>
    (name: string, work: Work, options?: StepOptions<unknown>): Promise<unknown> =>
      handed(make(name, around(`step ${name}`, work), undoing(name, options)), () =>
        passage.reach(`step ${name} · its result is handed over`, crash),
      );
  const step = call(
    context.step as unknown as AnyStep,
    (what, work) => (given) => aroundCall(passage, { what, last: true }, () => work(given)),
  );
  const transaction = call(
    context.step.transaction as unknown as AnyStep,
    (what, work) =>
      async (...given) => {
        const written = await work(...given);
        await passage.reach(`${what} · before the commit`, callKinds, what);
        return written;
      },
  );
  const after = <T>(what: string, waiting: Promise<T>): Promise<T> =>
    handed(waiting, () => passage.reach(`after ${what}`, crash));
  const waitFor = (contract: { readonly type: string }, options: unknown): Promise<unknown> =>
    after(
      `the wait for ${contract.type}`,
      (context.waitFor as unknown as (contract: unknown, options: unknown) => Promise<unknown>)(
        contract,
        options,
      ),
    );
  return {
    ...context,
    step: Object.assign(step, { transaction }) as unknown as WorkflowContext['step'],
    sleep: (duration) => after('a sleep', context.sleep(duration)),
    sleepUntil: (moment) => after('a sleep', context.sleepUntil(moment)),
    waitFor: waitFor as WorkflowContext['waitFor'],
  };
};

/** Where nothing is to go wrong the function gets its result in the same turn of the event loop. */
const handed = <T>(call: Promise<T>, reached: () => Reached): Promise<T> =>
  kept(
    call.then((value) => {
      const never = reached();
      return never === undefined ? value : never.then(() => value);
    }),
  );

/** A promise that the user's code may forget to await: its rejection must not be the process's end. */
const kept = <T>(promise: Promise<T>): Promise<T> => {
  promise.catch(() => {});
  return promise;
};
