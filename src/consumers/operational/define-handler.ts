import {
  ContractSet,
  describeValue,
  type EventContract,
  isCommandContract,
  type Many,
  manyContracts,
  type On,
} from '../../contracts/index.ts';
import {
  type Duration,
  defaultRetryPolicies,
  FactlineError,
  type Issue,
  type RetryPolicy,
  toMilliseconds,
} from '../../foundation/index.ts';
import type { Ordering } from '../definition.ts';
import { declaredReads, type Reads, readsIssues } from '../reads.ts';
import type { Handler, HandlerContext, OnReplay, OnUnknown, Rate } from './handler.ts';

/** How often, and how far apart, failures of one class are tried again. What is left out keeps its default. */
export interface RetryDeclaration {
  /** How often in all, the first time included: 1 means never again. */
  readonly attempts?: number;
  /** The wait after the first failure. */
  readonly base?: Duration;
  /** Each wait is this many times the one before. */
  readonly factor?: number;
  /** No wait is longer. */
  readonly cap?: Duration;
}

export interface HandlerDeclaration<O extends Many<EventContract>> {
  /** The identity under which progress is stored: 1 to 100 characters of a-z, 0-9, `-`, `_` and `.`. */
  readonly name: string;
  /** The team that answers for it. Default: the app's owner. */
  readonly owner?: string;
  /** The contracts whose events it handles: one, several, or a module of them. */
  readonly on: O;
  /** The fields of the payloads that it reads; the gate then knows whom a change affects. Without it: all of them. */
  readonly reads?: Reads<NoInfer<O>>;
  /** Handles one event. Events of one key come one after the other, in order. */
  readonly handle: (event: On<O>, context: HandlerContext) => Promise<void>;
  /**
   * What handles events in quarantine that a person hands over (`quarantine redirect ID --to NAME`) in the place of `handle`: in the
   * order of their key, with the same context.
   */
  readonly repairs?: Readonly<Record<string, (event: On<O>, context: HandlerContext) => Promise<void>>>;
  /** Handlers at work at one time, in each process. Default 10; 1 with `ordering: 'global'`. */
  readonly concurrency?: number;
  /** Attempts at most, over all processes: `'50/s'`, `'600/m'`. */
  readonly rate?: `${number}/${'s' | 'm'}`;
  /** How long one attempt may take before its signal aborts and it counts as failed. Default 30s. */
  readonly timeout?: Duration;
  /** Default: transient 12 attempts within about 25 minutes, anything unclassified 4 within seconds. */
  readonly retry?: { readonly transient?: RetryDeclaration; readonly unclassified?: RetryDeclaration };
  /** key: events of one key in order. global: all events, one at a time. none: no order. Default key. */
  readonly ordering?: Ordering;
  /**
   * Where it begins when it is registered for the first time. Default now; a handler of nothing but commands begins with the
   * oldest one when no consumer has ever had them.
   */
  readonly startAt?: 'beginning' | 'now' | number;
  readonly formerly?: readonly string[];
  /** handledWithin: the promise that `status` judges by. errorBudget: the share of events that may miss it. */
  readonly slo?: { readonly handledWithin: Duration; readonly errorBudget?: number };
  /** What a retry does about an effect whose outcome was not recorded; each effect can say otherwise. Default repeat. */
  readonly onUnknown?: OnUnknown;
  /** What a replay does with its effects. Without it no replay can be planned. */
  readonly onReplay?: OnReplay;
  /** handle: it also gets facts of the past that enter by `factline backfill`. Default: it skips them. */
  readonly onBackfill?: 'handle' | 'skip';
  /** Shares of the keys that processes divide among themselves. Default 16; 1 with `ordering: 'global'`. */
  readonly lanes?: number;
}

type Loose = Readonly<Record<string, unknown>>;

const namePattern = /^[a-z0-9][a-z0-9._-]{0,99}$/;
const lanesDefault = 16;
const lanesMax = 1_024;
const concurrencyDefault = 10;
const concurrencyMax = 1_000;
const timeoutDefault: Duration = '30s';
const timeoutMsMax = 3_600_000;
const attemptsMax = 100;

const known = [
  'name',
  'owner',
  'on',
  'reads',
  'handle',
  'repairs',
  'concurrency',
  'rate',
  'timeout',
  'retry',
  'ordering',
  'startAt',
  'formerly',
  'slo',
  'onUnknown',
  'onReplay',
  'onBackfill',
  'lanes',
] as const;
const choices = {
  ordering: ['key', 'global', 'none'],
  onUnknown: ['repeat', 'park'],
  onReplay: ['skip', 'reuse', 'execute'],
  onBackfill: ['handle', 'skip'],
} as const;

/** Collects everything that is wrong, so that one run of the program names all of it. */
class Findings {
  readonly issues: Issue[] = [];

  add(path: string, expected: string, value: unknown): void {
    this.issues.push({ path, expected, actual: describeValue(value), message: `is not ${expected}` });
  }

  integer(path: string, value: unknown, { min, max }: { min: number; max: number }): void {
    if (
      value === undefined ||
      (Number.isInteger(value) && (value as number) >= min && (value as number) <= max)
    )
      return;
    this.add(path, `a whole number from ${min} to ${max}`, value);
  }

  duration(path: string, value: unknown, msMax: number): void {
    if (value === undefined) return;
    try {
      const ms = toMilliseconds(value as Duration, path);
      if (ms >= 1 && ms <= msMax) return;
    } catch {
      // Said below, with the path.
    }
    this.add(path, "a duration like '500ms', '30s' or '5m' within its bounds", value);
  }
}

const parseRate = (rate: unknown): Rate | null => {
  const match = typeof rate === 'string' ? /^(\d+(?:\.\d+)?)\/(s|m)$/.exec(rate) : null;
  const permits = Number(match?.[1] ?? Number.NaN);
  return permits > 0 ? { permits, perMs: match?.[2] === 's' ? 1_000 : 60_000 } : null;
};

const checkRetry = (findings: Findings, retry: unknown): void => {
  if (retry === undefined) return;
  if (typeof retry !== 'object' || retry === null) {
    findings.add('retry', 'an object', retry);
    return;
  }
  for (const [name, declared] of Object.entries(retry as Loose)) {
    const path = `retry.${name}`;
    if (name !== 'transient' && name !== 'unclassified')
      findings.add(path, 'transient or unclassified', name);
    else if (typeof declared !== 'object' || declared === null) findings.add(path, 'an object', declared);
    else {
      const { attempts, base, factor, cap } = declared as Loose;
      findings.integer(`${path}.attempts`, attempts, { min: 1, max: attemptsMax });
      findings.duration(`${path}.base`, base, 24 * timeoutMsMax);
      findings.duration(`${path}.cap`, cap, 24 * timeoutMsMax);
      if (factor !== undefined && !(typeof factor === 'number' && factor >= 1 && factor <= 100)) {
        findings.add(`${path}.factor`, 'a number from 1 to 100', factor);
      }
    }
  }
};

const checkRepairs = (findings: Findings, repairs: unknown): void => {
  if (repairs === undefined) return;
  if (typeof repairs !== 'object' || repairs === null) {
    findings.add('repairs', 'an object of functions', repairs);
    return;
  }
  for (const [name, repair] of Object.entries(repairs)) {
    if (!namePattern.test(name))
      findings.add(`repairs.${name}`, 'a name of a-z, 0-9, "-", "_" and "."', name);
    if (typeof repair !== 'function') findings.add(`repairs.${name}`, 'a function', repair);
  }
};

const checkStart = (findings: Findings, startAt: unknown): void => {
  if (startAt === undefined || startAt === 'beginning' || startAt === 'now') return;
  if (!(Number.isSafeInteger(startAt) && (startAt as number) >= 0)) {
    findings.add('startAt', "'beginning', 'now' or a position", startAt);
  }
};

const checkSlo = (findings: Findings, slo: unknown): void => {
  if (slo === undefined) return;
  const { handledWithin, errorBudget } = (slo ?? {}) as Loose;
  findings.duration('slo.handledWithin', handledWithin ?? 'nothing', 30 * 24 * timeoutMsMax);
  if (errorBudget !== undefined && !(typeof errorBudget === 'number' && errorBudget > 0 && errorBudget < 1)) {
    findings.add('slo.errorBudget', 'a share between 0 and 1', errorBudget);
  }
};

const checkOrdering = (findings: Findings, declaration: Loose): void => {
  if (declaration['ordering'] !== 'global') return;
  for (const name of ['concurrency', 'lanes']) {
    const value = declaration[name];
    if (value !== undefined && value !== 1) findings.add(name, "1 with ordering: 'global'", value);
  }
};

const checkNames = (findings: Findings, declaration: Loose): void => {
  const { name, formerly } = declaration;
  const expected = 'a name of a-z, 0-9, "-", "_" and "." (at most 100 characters)';
  if (typeof name !== 'string' || !namePattern.test(name)) findings.add('name', expected, name);
  if (formerly === undefined) return;
  if (!Array.isArray(formerly)) {
    findings.add('formerly', 'a list of names', formerly);
    return;
  }
  for (const former of formerly) {
    if (typeof former !== 'string' || !namePattern.test(former)) findings.add('formerly', expected, former);
    if (former === name) findings.add('formerly', 'another name than the present one', former);
  }
};

const check = (declaration: Loose): readonly Issue[] => {
  const findings = new Findings();
  checkNames(findings, declaration);
  if (typeof declaration['handle'] !== 'function')
    findings.add('handle', 'a function', declaration['handle']);
  checkRepairs(findings, declaration['repairs']);
  findings.integer('concurrency', declaration['concurrency'], { min: 1, max: concurrencyMax });
  findings.integer('lanes', declaration['lanes'], { min: 1, max: lanesMax });
  findings.duration('timeout', declaration['timeout'], timeoutMsMax);
  const { rate } = declaration;
  if (rate !== undefined && parseRate(rate) === null)
    findings.add('rate', "a rate like '50/s' or '600/m'", rate);
  checkRetry(findings, declaration['retry']);
  checkStart(findings, declaration['startAt']);
  checkSlo(findings, declaration['slo']);
  const { owner } = declaration;
  if (owner !== undefined && (typeof owner !== 'string' || owner === ''))
    findings.add('owner', 'the name of a team', owner);
  checkOrdering(findings, declaration);
  for (const [name, allowed] of Object.entries(choices)) {
    const value = declaration[name];
    if (value !== undefined && !(allowed as readonly unknown[]).includes(value))
      findings.add(name, allowed.join(' or '), value);
  }
  for (const name of Object.keys(declaration)) {
    if (!(known as readonly string[]).includes(name)) findings.add(name, `one of ${known.join(', ')}`, name);
  }
  return findings.issues;
};

const policyOf = (base: RetryPolicy, declared: RetryDeclaration = {}): RetryPolicy => ({
  ...base,
  ...(declared.attempts === undefined ? {} : { attempts: declared.attempts }),
  ...(declared.base === undefined ? {} : { baseMs: toMilliseconds(declared.base) }),
  ...(declared.factor === undefined ? {} : { factor: declared.factor }),
  ...(declared.cap === undefined ? {} : { capMs: toMilliseconds(declared.cap) }),
});

const contractsOf = (name: unknown, on: Many<EventContract>): readonly EventContract[] => {
  const contracts = manyContracts(on ?? []);
  // Two different contracts of one type are refused here.
  const set = new ContractSet(contracts);
  if (contracts.length > 0) return [...set];
  throw new FactlineError('CONSUMER_INVALID', {
    consumer: describeValue(name),
    issues: [{ path: 'on', expected: 'at least one contract', actual: 'none', message: 'is empty' }],
  });
};

/**
 * Declares an operational consumer: it changes business state and the outside world.
 * @example
 * const payment = defineHandler({ name: 'payment', on: [OrderPlaced], handle: async (event, { effect, transaction }) => {
 *   const { chargeId } = await effect('charge', ({ idempotencyKey }) => provider.charge(event.data.pence, { idempotencyKey }))
 *   await transaction(async (tx) => tx.publish(OrderPaid({ orderId: event.data.orderId, chargeId })))
 * } })
 * @throws FactlineError CONSUMER_INVALID with everything that is wrong; CONTRACT_DUPLICATE
 */
export const defineHandler = <const O extends Many<EventContract>>(
  declaration: HandlerDeclaration<O>,
): Handler => {
  const issues = check(declaration as unknown as Loose);
  if (issues.length > 0) {
    throw new FactlineError('CONSUMER_INVALID', { consumer: describeValue(declaration.name), issues });
  }
  const { name, owner, on, ordering = 'key', slo, rate, retry, onReplay } = declaration;
  const contracts = contractsOf(name, on);
  const types = contracts.map(({ type }) => type);
  const readIssues = readsIssues(declaration.reads, types);
  if (readIssues.length > 0)
    throw new FactlineError('CONSUMER_INVALID', { consumer: name, issues: readIssues });
  const alone = ordering === 'global';
  return Object.freeze({
    class: 'operational',
    name,
    contracts: Object.freeze(contracts),
    types: new Set(types),
    upcasters: [],
    reads: declaredReads(declaration.reads, types),
    ordering,
    lanes: alone ? 1 : (declaration.lanes ?? lanesDefault),
    // A command that nobody has had waits for its first handler, whichever of the two is deployed first.
    startAt: declaration.startAt ?? (contracts.every(isCommandContract) ? 'unclaimed' : 'now'),
    formerly: Object.freeze([...(declaration.formerly ?? [])]),
    ...(owner === undefined ? {} : { owner }),
    ...(slo === undefined ? {} : { slo: Object.freeze({ ...slo }) }),
    version: 1,
    // The engine passes only events of these contracts, checked against them.
    handle: declaration.handle as unknown as Handler['handle'],
    repairs: Object.freeze({ ...declaration.repairs }) as unknown as Handler['repairs'],
    concurrency: alone ? 1 : (declaration.concurrency ?? concurrencyDefault),
    rate: rate === undefined ? null : parseRate(rate),
    retryPolicies: Object.freeze({
      transient: policyOf(defaultRetryPolicies.transient, retry?.transient),
      unclassified: policyOf(defaultRetryPolicies.unclassified, retry?.unclassified),
    }),
    timeoutMs: toMilliseconds(declaration.timeout ?? timeoutDefault),
    onUnknown: declaration.onUnknown ?? 'repeat',
    onReplay,
    ...(declaration.onBackfill === 'handle' ? { onBackfill: 'handle' } : {}),
  });
};
