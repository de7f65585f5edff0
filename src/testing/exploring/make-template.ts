import { createFactlineWith, type Factline, internals, systemSeams } from '../../app/index.ts';
import type { OwnDatabase, TestServer } from '../own-database.ts';
import { appOptionsOf, consumersOf, placeOf } from './given-saga.ts';
import { pointName } from './injection.ts';
import { OutsideWorld } from './outside.ts';
import type { CrashScenario, Saga } from './scenario.ts';

/** A database with Factline's schema, the saga's consumers and the user's tables: every run works on a copy of it. */
export const makeTemplate = async ({
  saga,
  scenario,
  server,
}: {
  readonly saga: Saga;
  readonly scenario: CrashScenario;
  readonly server: TestServer;
}): Promise<{ readonly template: OwnDatabase; readonly declared: readonly string[] }> => {
  const template = await server.createDatabase();
  const databaseUrl = template.url;
  const consumers = consumersOf(
    typeof saga === 'function'
      ? saga(
          new OutsideWorld().door(),
          placeOf(databaseUrl, () => app),
        )
      : saga,
  );
  const app: Factline = createFactlineWith(
    { ...appOptionsOf(scenario), consumers, database: databaseUrl, handleSignals: false },
    systemSeams,
  );
  try {
    // Started once, so that the tables of projections are there and all lanes have been given back.
    await app.start();
    const { database } = await internals(app).open();
    await scenario.setUp?.({
      app,
      databaseUrl,
      query: async <Found>(text: string, values: readonly unknown[] = []) =>
        (await database.transactions.query(text, [...values])).rows as Found[],
    });
    await app.stop();
    await template.endBackends('');
  } catch (error) {
    await app.stop().catch(() => {});
    await template.drop();
    throw error;
  }
  const declared = consumers
    .filter((consumer) => consumer.class === 'operational')
    .flatMap(({ name, types }) => [...types].map((type) => pointName(name, type)));
  return { template, declared };
};
