import {
  createFactlineWith,
  type Factline,
  type FactlineOptions,
  internals,
  type Parts,
  systemSeams,
} from '../../app/index.ts';
import type { RunningConsumer, TestStep } from '../../consumers/index.ts';
import { FactlineError, withDeadline } from '../../foundation/index.ts';
import { CrashPoint, disconnectForGood } from '../crash-point.ts';
import type { Loan } from './kept-sessions.ts';
import type { SagaDatabase } from './saga-databases.ts';

export interface LifeOptions {
  readonly database: SagaDatabase;
  readonly app: Omit<FactlineOptions, 'database' | 'handleSignals'>;
  readonly onStep: TestStep;
}

const lookEveryMs = 10;

/** What keeps a saga from its rest, as far as the engine knows. */
const busyOf = (engine: Parts['engine']): string => {
  const lines = engine.running().map(({ consumer, progress }) => {
    const sum = (of: 'inFlight' | 'waiting'): number =>
      progress.lanes.reduce((all, lane) => all + lane[of], 0);
    const held = `${progress.lanes.length} of ${consumer.lanes} lanes`;
    return `${consumer.name} (${sum('inFlight')} at work, ${sum('waiting')} to come, ${held}${progress.reasons.map((reason) => `, ${reason}`).join('')})`;
  });
  return lines.join('; ');
};

/** What a URL says about the way to the server (TLS, times) is the business of the sessions that are lent. */
const withoutOptions = (url: string): string => {
  const plain = new URL(url);
  plain.search = '';
  return plain.href;
};

/** The app of a saga from its start to its death. There is no other end: it is dropped as by kill -9. */
export class Life {
  readonly #point = new CrashPoint();
  readonly #died: PromiseWithResolvers<'died'> = Promise.withResolvers<'died'>();
  readonly #loan: Loan;
  readonly #app: Factline;
  #parts: Parts | undefined;

  constructor({ database, app, onStep }: LifeOptions) {
    const testStep: TestStep = (step) => this.#point.onStep(step) ?? onStep(step);
    const { prepared, sessions, url } = database;
    this.#loan = sessions.loan();
    this.#app = createFactlineWith(
      { ...app, database: withoutOptions(url), handleSignals: false },
      {
        ...systemSeams,
        clock: this.#point.clock,
        testStep,
        unattended: true,
        prepared,
        stream: this.#loan.stream,
      },
    );
  }

  get app(): Factline {
    return this.#app;
  }

  get dead(): boolean {
    return this.#point.dead;
  }

  start(): Promise<'ready' | 'died'> {
    return this.unlessDead(async () => {
      this.#parts = await internals(this.#app).open();
      await this.#app.start();
      return 'ready' as const;
    });
  }

  /** Resolves when all that is in the log is handled or parked, what it causes included, and nothing is at work. */
  settle(withinMs: number): Promise<'settled' | 'died'> {
    return this.unlessDead(async () => {
      const { engine, tail } = await internals(this.#app).open();
      const settling = async (): Promise<'settled'> => {
        tail.wake();
        await this.#holdsAllLanes(engine);
        for (;;) {
          const barrier = await tail.barrier();
          await tail.whenSettled(barrier, { withinMs });
          await engine.idle();
          if ((await tail.barrier()) === barrier) return 'settled';
        }
      };
      const deadline = { ms: withinMs, clock: systemSeams.clock, stage: 'what comes before' };
      return withDeadline(settling(), deadline).catch((error: unknown) => {
        if (!FactlineError.is(error, 'WAIT_TIMED_OUT')) throw error;
        throw new FactlineError('SAGA_RESTLESS', { ms: withinMs, busy: busyOf(engine) });
      });
    });
  }

  /** After the database's clock was moved. */
  async lookForDueWork(): Promise<void> {
    await this.unlessDead(async () => {
      const { engine } = await internals(this.#app).open();
      await engine.lookForDueWork();
      return 'looked' as const;
    });
  }

  /** Its code goes no further, no timer of it fires, it connects no more. The promise never ends. */
  die(): Promise<void> {
    const never = this.#point.kill();
    if (this.#parts !== undefined) disconnectForGood(this.#parts.database);
    this.#died.resolve('died');
    return never;
  }

  /** Cuts its sessions, as the end of its process does. */
  bury(): Promise<void> {
    return this.#loan.end();
  }

  /** What a dead predecessor held, too: without it nothing would be at work, and all would seem to be at rest. */
  async #holdsAllLanes(engine: Parts['engine']): Promise<void> {
    const lacks = ({ consumer, progress }: RunningConsumer): boolean =>
      consumer.state === 'live' && progress.lanes.length < consumer.lanes;
    while (engine.running().some(lacks)) {
      await systemSeams.clock.sleep(lookEveryMs);
      await engine.lookForDueWork();
    }
  }

  /** What is waited for ends with the app; what a dead one still throws is nobody's concern. */
  unlessDead<T>(work: () => Promise<T>): Promise<T | 'died'> {
    const working = work().catch((error: unknown) => {
      if (this.dead) return 'died' as const;
      throw error;
    });
    return Promise.race([working, this.#died.promise]);
  }
}
