import {
  ContractSet,
  describeValue,
  type EventContract,
  type FactEvent,
  type Many,
  manyContracts,
  type PayloadSchema,
} from '../../contracts/index.ts';
import { type Duration, FactlineError, type RetryPolicy, toMilliseconds } from '../../foundation/index.ts';
import { checkWorkflow } from './check-declaration.ts';
import type { StepRetry } from './context.ts';
import type { StartInput, Workflow, WorkflowDeclaration } from './definition.ts';

const lanesDefault = 16;
const concurrencyDefault = 100;

const stepDefaults: RetryPolicy = {
  attempts: 5,
  baseMs: 1_000,
  factor: 2,
  capMs: 60_000,
  jitter: 'none',
};

/** The policy that a declaration means; what it leaves out is taken from `base`. */
export const stepPolicy = (declared: StepRetry | undefined, base: RetryPolicy): RetryPolicy => {
  if (declared === undefined) return base;
  const ms = (value: Duration | undefined, fallback: number, path: string): number =>
    value === undefined ? fallback : toMilliseconds(value, path);
  return {
    ...base,
    attempts: declared.attempts ?? base.attempts,
    factor: declared.factor ?? base.factor,
    baseMs: ms(declared.firstDelay, base.baseMs, 'retry.firstDelay'),
    capMs: ms(declared.maxDelay, base.capMs, 'retry.maxDelay'),
  };
};

const contractsOf = (many: unknown): readonly EventContract[] =>
  many === undefined ? [] : manyContracts(many as Many<EventContract>);

/**
 * Declares a workflow: a durable function. It is listed in `consumers` like every other class.
 * @example
 * export const fulfilOrder = defineWorkflow({
 *   name: 'fulfil-order', on: OrderPlaced, waits: [ParcelScanned],
 *   run: async (order, { step, waitFor, publish }) => {
 *     const { orderId } = order.data
 *     await step('reserve', () => stock.reserve(orderId), { undo: () => stock.release(orderId) })
 *     const parcel = await step('ship', ({ idempotencyKey }) => carrier.ship(orderId, { idempotencyKey }))
 *     const scanned = await waitFor(ParcelScanned, { key: parcel.id, within: '2d' })
 *     if (scanned === null) throw new PermanentError('the carrier never scanned it')
 *     publish(OrderFulfilled({ orderId }))
 *   },
 * })
 * @throws FactlineError CONSUMER_INVALID with everything that is wrong; CONTRACT_DUPLICATE
 */
export const defineWorkflow = <
  R,
  const O extends Many<EventContract> | undefined = undefined,
  const W extends Many<EventContract> | undefined = undefined,
  S extends PayloadSchema | undefined = undefined,
>(
  declaration: WorkflowDeclaration<O, W, S, R>,
): Workflow<StartInput<O, S>, R> => {
  const issues = checkWorkflow(declaration as unknown as Readonly<Record<string, unknown>>);
  if (issues.length > 0)
    throw new FactlineError('CONSUMER_INVALID', { consumer: describeValue(declaration.name), issues });
  const { name, owner, slo, version = 1 } = declaration;
  const starts = contractsOf(declaration.on);
  const awaited = contractsOf(declaration.waits);
  // Two different contracts of one type are refused here.
  const contracts = [...new ContractSet([...starts, ...awaited])];
  const types = (of: readonly EventContract[]): ReadonlySet<string> => new Set(of.map(({ type }) => type));
  return Object.freeze({
    class: 'workflow',
    name,
    version,
    ...(owner === undefined ? {} : { owner }),
    contracts: Object.freeze(contracts),
    types: types(contracts),
    upcasters: [],
    reads: null,
    ordering: 'key',
    lanes: declaration.lanes ?? lanesDefault,
    startAt: 'now',
    formerly: Object.freeze([...(declaration.formerly ?? [])]),
    ...(slo === undefined ? {} : { slo: Object.freeze({ ...slo }) }),
    starts: types(starts),
    awaited: types(awaited),
    key: (declaration.key ?? null) as ((event: FactEvent) => string) | null,
    onDuplicate: declaration.onDuplicate ?? 'reject',
    input: declaration.input ?? null,
    concurrency: declaration.concurrency ?? concurrencyDefault,
    retryPolicy: Object.freeze(stepPolicy(declaration.retry, stepDefaults)),
    // The engine passes only inputs that were checked.
    run: declaration.run as unknown as Workflow['run'],
  });
};
