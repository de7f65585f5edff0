import {
  createFactlineWith,
  type Factline,
  type FactlineOptions,
  internals,
  systemSeams,
} from '../../src/app/index.ts';
import { CrashPoint } from '../../src/testing/crash-point.ts';
import { rows } from './fixtures.ts';

/** One process of an app, as far as the database and the other processes can tell. */
export interface Life {
  readonly app: Factline;
  /** Resolves when it has died, at its step or by `kill`. */
  readonly died: Promise<void>;
  /** As kill -9: nothing of it goes on, its connections end. */
  kill(): Promise<void>;
}

let lives = 0;

/** Starts a process; `dieAt` is a step that it does not get past. */
export const live = async (
  { databaseUrl }: { readonly databaseUrl: string },
  options: Pick<FactlineOptions, 'consumers' | 'contracts'>,
  dieAt: string | null = null,
): Promise<Life> => {
  const crash = new CrashPoint();
  lives += 1;
  const applicationName = `life-${lives}`;
  const app = createFactlineWith(
    {
      ...options,
      name: 'shop',
      database: `${databaseUrl}?application_name=${applicationName}`,
      handleSignals: false,
    },
    { ...systemSeams, clock: crash.clock, testStep: crash.onStep },
  );
  const killed = Promise.withResolvers<void>();
  const reached = dieAt === null ? killed.promise : Promise.race([killed.promise, crash.arm(dieAt)]);
  let isDying = false;
  const died = reached.then(async () => {
    isDying = true;
    const { database } = await internals(app).open();
    void database.stop().catch(() => undefined);
    await rows(
      { databaseUrl },
      'select pg_terminate_backend(pid) from pg_stat_activity where application_name = $1 and datname = current_database()',
      [applicationName],
    );
  });
  // An app that dies while it starts never answers, or says that its database is gone.
  const started = app.start().catch((error: unknown) => {
    if (!isDying) throw error;
  });
  await Promise.race([started, died]);
  return {
    app,
    died,
    kill: () => {
      void crash.kill();
      killed.resolve();
      return died;
    },
  };
};
