import { internals } from '../../app/index.ts';
import { type Duration, FactlineError, systemClock, toMilliseconds } from '../../foundation/index.ts';
import { awaitAnswer, sendRequest } from '../../operations/index.ts';
import { type Database, loadQueries, type Row, run } from '../../postgres/index.ts';
import { guardReads } from '../guard-reads.ts';
import type { Observed } from './findings.ts';
import { appOptionsOf, consumersOf, placeOf } from './given-saga.ts';
import { betweenSteps, injectedMark, type Plan, type Point, planText } from './injection.ts';
import { instrument } from './instrument.ts';
import { answerPlace, RunInstruments } from './instruments.ts';
import { Life } from './life.ts';
import { OutsideWorld } from './outside.ts';
import { Probe } from './probe.ts';
import type { SagaDatabase } from './saga-databases.ts';
import type { Beginning, CrashScenario, Saga, SagaAtRest, SagaWorld } from './scenario.ts';

const sql = loadQueries<
  | 'next_retry'
  | 'next_timer'
  | 'quarantined'
  | 'stuck'
  | 'open_effect'
  | 'repeated_events'
  | 'rewind_everything'
>(new URL('./exploring.sql', import.meta.url));

export interface SagaRunOptions {
  readonly saga: Saga;
  readonly scenario: CrashScenario;
  readonly beginning: { readonly name: string; readonly begin: Beginning };
  readonly plan: Plan;
  readonly seed: number;
  readonly database: SagaDatabase;
}

export interface SagaRunResult {
  readonly passed: readonly Point[];
  /** Compensations that the saga has. */
  readonly declared: ReadonlySet<string>;
  /** Everything of the plan has happened. */
  readonly complete: boolean;
  /** Null: it never came to rest. */
  readonly observed: Observed | null;
  /** What the saga, its invariant or the engine threw. */
  readonly error: unknown;
}

interface PersonsAct {
  readonly verb: string;
  readonly parkedId?: number;
  readonly arguments?: Readonly<Record<string, unknown>>;
}

/** How long a saga may be at work before it comes to rest, or to its next timer. */
const settleMs = 30_000;
/** Timers farther away than this are not waited for. */
const horizonMs = 366 * 86_400_000;
const jumpsMax = 5_000;
const overdueMs = 5;

/** Runs a saga once, from its beginning until it is at rest. */
export const runSaga = async (options: SagaRunOptions): Promise<SagaRunResult> => {
  const sagaRun = new SagaRun(options);
  try {
    return await sagaRun.run();
  } finally {
    await sagaRun.end();
  }
};

class SagaRun {
  readonly #options: SagaRunOptions;
  readonly #probe: Probe;
  readonly #instruments: RunInstruments;
  readonly #outside: OutsideWorld;
  readonly #undeclaredReads: FactlineError[] = [];
  #life: Life | undefined;
  #advancedMs = 0;

  constructor(options: SagaRunOptions) {
    const { scenario, plan, seed } = options;
    this.#options = options;
    this.#probe = new Probe(plan, { duplicates: scenario.duplicates ?? false });
    this.#instruments = new RunInstruments({
      probe: this.#probe,
      everywhere: scenario.everywhere ?? false,
      reorderingSeed: scenario.reordering ? `${seed} ${planText(plan)}` : null,
      clock: systemClock,
    });
    const reactions = Object.entries(scenario.reactions ?? {}).map(
      ([name, react]) =>
        [name, async (effect: Parameters<typeof react>[0]) => react(effect, this.#world())] as const,
    );
    this.#outside = new OutsideWorld(Object.fromEntries(reactions));
  }

  async run(): Promise<SagaRunResult> {
    const { scenario, beginning, plan } = this.#options;
    const world = this.#world();
    let observed: Observed | null = null;
    let error: unknown;
    try {
      await this.#living();
      await beginning.begin(world);
      await this.#rest(sql.next_timer);
      await this.#letGo();
      if (scenario.duplicates) await this.#deliverAgain();
      observed = await this.#observe();
      const injected = plan.length === 0 ? null : planText(plan);
      const atRest: SagaAtRest = { ...world, injected, beginning: beginning.name };
      await scenario.invariant(atRest);
      const [undeclared] = this.#undeclaredReads;
      if (undeclared !== undefined) throw undeclared;
    } catch (thrown) {
      error =
        thrown ??
        new FactlineError('OPTION_INVALID', {
          option: 'invariant',
          expected: 'an error',
          actual: String(thrown),
        });
    }
    const { passed, complete } = this.#probe;
    return { passed, complete, declared: this.#instruments.declared, observed, error };
  }

  /** The app is not drained: nobody needs what it leaves. */
  async end(): Promise<void> {
    void this.#life?.die();
    await this.#life?.bury();
  }

  #world(): SagaWorld {
    const { surroundings: app, url } = this.#options.database;
    return {
      app,
      databaseUrl: url,
      outside: this.#outside.door(),
      publish: (...drafts) => {
        const producer = drafts.flatMap(({ contract }) => contract.producers).at(0);
        const { settings, publishAs } = internals(app);
        return publishAs(producer ?? settings.source, drafts);
      },
      settled: () => this.#rest(sql.next_retry),
      advance: (duration: Duration) => this.#advance(toMilliseconds(duration, 'advance')),
      query: async <Found>(text: string, values: readonly unknown[] = []) => {
        const { transactions } = await this.#database();
        return (await transactions.query(text, [...values])).rows as Found[];
      },
    };
  }

  async #database(): Promise<Database> {
    return (await internals(this.#options.database.surroundings).open()).database;
  }

  async #ask(query: (typeof sql)[keyof typeof sql], values: readonly unknown[] = []): Promise<Row[]> {
    return run((await this.#database()).operations, query, values);
  }

  /** The app; where it has died, the next one. */
  async #living(): Promise<Life> {
    for (;;) {
      if (this.#life !== undefined && !this.#life.dead) return this.#life;
      await this.#life?.bury();
      const life = this.#beget();
      this.#life = life;
      if ((await life.start()) === 'ready') return life;
    }
  }

  #beget(): Life {
    const { saga, scenario, database } = this.#options;
    // Made before the life that they can end.
    const end: { life?: Life } = {};
    const die = (): Promise<void> => (end.life as Life).die();
    const outside = this.#outside.door(() => end.life?.dead === true);
    const place = placeOf(database.url, () => end.life?.app);
    const given = typeof saga === 'function' ? saga(outside, place) : saga;
    const instruments = this.#instruments.of(die);
    const consumers = consumersOf(given).map((consumer) =>
      instrument(
        guardReads(consumer, (error) => this.#undeclaredReads.push(error)),
        instruments,
      ),
    );
    end.life = new Life({
      database,
      app: { ...appOptionsOf(scenario), consumers },
      onStep: (step) => this.#engineStep(step, die),
    });
    return end.life;
  }

  #engineStep(step: string, die: () => Promise<void>): Promise<void> | undefined {
    if (!isEngineStep(step)) return undefined;
    return this.#probe.reach({ point: betweenSteps(step), work: undefined, die });
  }

  /** Until nothing is at work and, as far as the clock can bring it about, nothing is due any more. */
  async #rest(due: (typeof sql)['next_timer']): Promise<void> {
    const deadline = systemClock.monotonic() + settleMs * 2;
    for (let jumps = 0; ; jumps += 1) {
      const life = await this.#living();
      if ((await life.settle(settleMs)) === 'died' || (await this.#outside.reacted())) continue;
      const [row] = await this.#ask(due);
      const ms = row?.['ms'] ?? null;
      if (ms === null || Number(ms) > horizonMs) return;
      if (jumps > jumpsMax || systemClock.monotonic() > deadline)
        throw new FactlineError('WAIT_TIMED_OUT', {
          stage: 'until the saga comes to rest, it',
          ms: settleMs * 2,
        });
      if (Number(ms) > 0 && due === sql.next_timer && this.#diesAtRest(life)) continue;
      await this.#advance(Math.max(Number(ms), 0));
    }
  }

  #diesAtRest(life: Life): boolean {
    const point: Point = {
      site: 'Factline',
      name: 'Factline · at rest, before the next timer',
      kinds: ['crash'],
    };
    return this.#probe.reach({ point, work: undefined, die: () => life.die() }) !== undefined;
  }

  async #advance(ms: number): Promise<void> {
    if (ms > 0) {
      this.#advancedMs += Math.ceil(ms) + 1;
      await this.#options.database.moveClock(this.#advancedMs);
    } else await systemClock.sleep(overdueMs);
    await this.#life?.lookForDueWork();
  }

  /** Plays the person who looks at what injections have left waiting, and lets it go, until nothing of that is left. */
  async #letGo(): Promise<void> {
    const acts = this.#options.plan.length + 1;
    for (let round = 0; round < acts && (await this.#letGoOnce()); round += 1)
      await this.#rest(sql.next_timer);
  }

  /** Whether there was anything. */
  async #letGoOnce(): Promise<boolean> {
    let acted = false;
    for (const row of await this.#ask(sql.quarantined)) {
      const act = await this.#verbFor(row);
      if (act === null) continue;
      acted = true;
      await this.#act(row, { ...act, parkedId: Number(row['id']) });
    }
    for (const row of await this.#ask(sql.stuck, [injectedMark])) {
      if (row['injected'] !== true) continue;
      acted = true;
      await this.#act(row, { verb: 'retry', arguments: { instance: Number(row['instance']) } });
    }
    return acted;
  }

  async #act(row: Row, act: PersonsAct): Promise<void> {
    const consumer = { id: Number(row['consumer_id']), name: String(row['consumer']) };
    const request = { ...act, consumer, actor: 'exploreCrashes' };
    const { operations } = await this.#database();
    const life = await this.#living();
    const id = await sendRequest(operations, request);
    await life.lookForDueWork();
    const wait = { id, request, withinMs: settleMs, clock: systemClock };
    await life.unlessDead(() => awaitAnswer(operations, wait));
  }

  async #verbFor(row: Row): Promise<PersonsAct | null> {
    if (String(row['message']).includes(injectedMark)) return { verb: 'retry' };
    if (row['code'] !== 'EFFECT_OUTCOME_UNKNOWN' || this.#options.plan.length === 0) return null;
    const eventId = String(row['event_id']);
    const [open] = await this.#ask(sql.open_effect, [row['consumer_id'], eventId]);
    const effect = String(open?.['name']);
    const place = answerPlace(String(row['consumer']), eventId, effect);
    const { answers } = this.#instruments;
    return answers.has(place)
      ? { verb: 'effect-happened', arguments: { effect, result: answers.get(place) } }
      : { verb: 'effect-did-not-happen', arguments: { effect } };
  }

  async #deliverAgain(): Promise<void> {
    void this.#life?.die();
    await this.#life?.bury();
    await this.#ask(sql.rewind_everything);
    await this.#rest(sql.next_timer);
  }

  async #observe(): Promise<Observed> {
    const repeated = (await this.#ask(sql.repeated_events)) as unknown as Observed['repeated'];
    const waiting = (await this.#ask(sql.quarantined)).map((row) => ({
      consumer: String(row['consumer']),
      what: String(row['type']),
      message: String(row['message']),
    }));
    const stuck = (await this.#ask(sql.stuck, [injectedMark])).map((row) => ({
      consumer: String(row['consumer']),
      what: 'an instance',
      message: String(row['message']),
    }));
    return { calls: this.#outside.door().calls(), repeated, waiting: [...waiting, ...stuck] };
  }
}

/** What lies between the points of the user's own code, where it is passed in every run: a record that is written by itself. */
const isEngineStep = (step: string): boolean =>
  step === 'operational.before-inbox' || step === 'operational.after-inbox' || step.startsWith('workflow.');
