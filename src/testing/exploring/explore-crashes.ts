import { FactlineError, systemClock, systemRandomness } from '../../foundation/index.ts';
import { openTestServer, type TestServer } from '../own-database.ts';
import { findingsOf, type Observed } from './findings.ts';
import {
  type Injection,
  injectionsOf,
  isBetween,
  type Plan,
  type Point,
  planText,
  readPlan,
} from './injection.ts';
import { makeTemplate } from './make-template.ts';
import { SagaDatabases } from './saga-databases.ts';
import { runSaga, type SagaRunResult } from './saga-run.ts';
import type { Beginning, CrashScenario, Saga } from './scenario.ts';

/** What was tried, and held. */
export interface CrashReport {
  readonly seed: number;
  /** How often the saga was run, undisturbed runs included. */
  readonly runs: number;
  /** The injections after which everything held. */
  readonly covered: readonly string[];
  /** Injections that their run did not get to, handlers' events that never came, compensations that never ran. */
  readonly notReached: readonly string[];
  /** The share that was covered, from 0 to 1. */
  readonly coverage: number;
  readonly durationMs: number;
}

/** Of a run that never came to rest. */
const nothing: Observed = { calls: [], repeated: [], waiting: [] };
/** So many are looked for before the exploration ends. */
const brokenMax = 3;
const depthMax = 2;

/**
 * Runs a saga on real PostgreSQL, learns every step, effect, transaction and compensation that it passes, and runs it again with
 * a crash and with a failure at each of them, each time on a fresh copy of the database. Timers fall due without waiting. After
 * each recovery it checks the invariant, and by itself: that no effect was done twice (under another idempotency key, or none),
 * that no event was published twice, that nothing is left in quarantine that does not belong there.
 * @example
 * const report = await exploreCrashes((outside) => [chargeCard(provider(outside)), orders], {
 *   begin: ({ publish }) => publish(OrderPlaced({ orderId: 'A1', pence: 4200 })),
 *   invariant: async ({ app }) => expect(await app.read(orders, { orderId: 'A1' })).toMatchObject({ status: 'paid' }),
 * })
 * expect(report.notReached).toEqual([])
 * @throws FactlineError SAGA_BROKEN, which names the step, what was injected, what does not hold, and how to see it again
 */
export const exploreCrashes = async (saga: Saga, scenario: CrashScenario): Promise<CrashReport> => {
  checkParallel(scenario);
  const server = await openTestServer(scenario.server);
  const since = systemClock.monotonic();
  const exploration = new Exploration(saga, scenario, server);
  try {
    const report = await exploration.explore();
    return { ...report, durationMs: Math.round(systemClock.monotonic() - since) };
  } finally {
    await exploration.end();
    await server.close();
  }
};

const checkParallel = ({ parallel = 1 }: CrashScenario): void => {
  if (Number.isInteger(parallel) && parallel >= 1) return;
  const expected = 'a whole number from 1';
  throw new FactlineError('OPTION_INVALID', { option: 'parallel', expected, actual: String(parallel) });
};

interface Task {
  readonly plan: Plan;
  readonly beginning: { readonly name: string; readonly begin: Beginning };
  readonly undisturbed: Observed;
}

class Exploration {
  readonly #saga: Saga;
  readonly #scenario: CrashScenario;
  readonly #server: TestServer;
  readonly #seed: number;
  readonly #known = new Set<string>();
  readonly #covered: string[] = [];
  readonly #missed: string[] = [];
  /** Injections that no run got to yet, with one of those that tried. */
  readonly #unreached = new Map<string, string>();
  readonly #passed = new Set<string>();
  readonly #declared = new Set<string>();
  readonly #broken: FactlineError[] = [];
  readonly #several: boolean;
  #databases: SagaDatabases | undefined;
  #runs = 0;

  constructor(saga: Saga, scenario: CrashScenario, server: TestServer) {
    this.#saga = saga;
    this.#scenario = scenario;
    this.#server = server;
    this.#seed = scenario.seed ?? Math.floor(systemRandomness.float() * 1e9);
    this.#several = typeof scenario.begin !== 'function';
  }

  async explore(): Promise<Omit<CrashReport, 'durationMs'>> {
    const given = { saga: this.#saga, scenario: this.#scenario, server: this.#server };
    const { template, declared } = await makeTemplate(given);
    this.#databases = new SagaDatabases({ ...given, template });
    await this.#databases.prepare();
    const { begin } = this.#scenario;
    const beginnings = typeof begin === 'function' ? { begin } : begin;
    for (const [name, each] of Object.entries(beginnings))
      await this.#exploreBeginning({ name, begin: each });
    if (this.#broken.length > 0) throw this.#verdict();
    if (this.#runs === 0)
      throw new FactlineError('OPTION_INVALID', {
        option: 'only',
        expected: `an injection that begins with ${Object.keys(beginnings)
          .map((name) => this.#prefix(name))
          .join('or ')}`,
        actual: String(this.#scenario.only),
      });
    this.#missed.push(...this.#unreached.values());
    for (const point of this.#declared) if (!this.#passed.has(point)) this.#missed.push(point);
    if (this.#scenario.only === undefined)
      for (const site of declared)
        if (!this.#sitePassed(site)) this.#missed.push(`${site} · never delivered`);
    const all = this.#covered.length + this.#missed.length;
    return {
      seed: this.#seed,
      runs: this.#runs,
      covered: this.#covered,
      notReached: this.#missed,
      coverage: all === 0 ? 1 : this.#covered.length / all,
    };
  }

  async end(): Promise<void> {
    await this.#databases?.end();
  }

  async #exploreBeginning(beginning: Task['beginning']): Promise<void> {
    const { only } = this.#scenario;
    const prefix = this.#prefix(beginning.name);
    if (only !== undefined && !only.startsWith(prefix)) return;
    const first = await this.#run(beginning, []);
    const undisturbed = first.observed;
    const broken = this.#brokenBy({ plan: [], beginning, undisturbed: undisturbed ?? nothing }, first);
    if (broken !== null || undisturbed === null) throw broken;
    const plans: readonly Plan[] =
      only === undefined
        ? this.#plansFor([], first.passed, beginning.name)
        : [readPlan(only.slice(prefix.length))];
    const tasks: Task[] = plans.map((plan) => ({ plan, beginning, undisturbed }));
    const work = async (): Promise<void> => {
      for (let task = tasks.shift(); task !== undefined; task = tasks.shift()) {
        if (this.#broken.length >= brokenMax) return;
        const passed = await this.#try(task);
        if (only !== undefined) continue;
        const further = this.#plansFor(task.plan, passed, beginning.name);
        tasks.push(...further.map((plan) => ({ plan, beginning, undisturbed })));
      }
    };
    // What one finds at its end, when the others have run out of work, it does alone.
    await Promise.all(Array.from({ length: this.#scenario.parallel ?? 1 }, work));
    if (this.#broken.length >= brokenMax) throw this.#verdict();
  }

  /** What else can go wrong now that these points are known, after what went wrong before. */
  #plansFor(before: Plan, passed: readonly Point[], beginning: string): readonly Plan[] {
    for (const { name } of passed) this.#passed.add(name);
    if (before.length >= depthMax) return [];
    return injectionsOf(passed).flatMap((injection: Injection) => {
      const text = this.#scopedText(injection, beginning);
      if (this.#known.has(text)) return [];
      this.#known.add(text);
      return [[...before, injection]];
    });
  }

  /** The points that the run passed. */
  async #try({ plan, beginning, undisturbed }: Task): Promise<readonly Point[]> {
    const result = await this.#run(beginning, plan);
    const text = `${this.#prefix(beginning.name)}${planText(plan)}`;
    const last = this.#scopedText(plan.at(-1) as Injection, beginning.name);
    const broken = this.#brokenBy({ plan, beginning, undisturbed }, result);
    if (broken !== null) this.#broken.push(broken);
    else if (result.complete) {
      this.#covered.push(text);
      this.#unreached.delete(last);
    } else if (!plan.some(isBetween)) {
      // Another run, or another beginning, may still get there. (Between the saga's own points the way differs each time.)
      this.#unreached.set(last, text);
      this.#known.delete(last);
    }
    return result.passed;
  }

  async #run(beginning: Task['beginning'], plan: Plan): Promise<SagaRunResult> {
    const databases = this.#databases as SagaDatabases;
    const database = await databases.take();
    this.#runs += 1;
    const result = await runSaga({
      saga: this.#saga,
      scenario: this.#scenario,
      beginning,
      plan,
      seed: this.#seed,
      database,
    });
    await databases.giveBack(database);
    for (const point of result.declared) this.#declared.add(point);
    return result;
  }

  /** What tells one injection from another, wherever it was found. */
  #scopedText(injection: Injection, beginning: string): string {
    return `${this.#scenario.everywhere ? beginning : ''} ${planText([injection])}`;
  }

  #sitePassed(site: string): boolean {
    for (const point of this.#passed) if (point.startsWith(site)) return true;
    return false;
  }

  #prefix(beginning: string): string {
    return this.#several ? `[${beginning}] ` : '';
  }

  #brokenBy(
    { plan, beginning, undisturbed }: Task,
    { observed, error }: SagaRunResult,
  ): FactlineError | null {
    const findings = observed === null ? [] : [...findingsOf(undisturbed, observed)];
    if (error !== undefined) findings.push(error instanceof Error ? error.message : String(error));
    if (findings.length === 0) return null;
    const prefix = this.#prefix(beginning.name);
    const only = plan.length === 0 ? '' : `${prefix}${planText(plan)}`;
    const injection = plan.length === 0 ? `${prefix}nothing, the undisturbed run` : only;
    const reproduction = `{ ${only === '' ? '' : `only: ${JSON.stringify(only)}, `}seed: ${this.#seed} }`;
    const details = { injection, broken: findings.join('\n'), seed: this.#seed, reproduction };
    return new FactlineError('SAGA_BROKEN', details, { cause: error });
  }

  /** The first one, and what else was found. */
  #verdict(): FactlineError {
    const [first, ...others] = this.#broken as [FactlineError, ...FactlineError[]];
    if (others.length === 0) return first;
    const also = others.map(
      ({ details }) => `${String(details['injection'])}: ${String(details['broken']).split('\n')[0]}`,
    );
    const broken = `${String(first.details['broken'])}\nAlso:\n${also.map((line) => `  - ${line}`).join('\n')}`;
    return new FactlineError(
      'SAGA_BROKEN',
      { ...first.details, broken, others: also },
      { cause: first.cause },
    );
  }
}
