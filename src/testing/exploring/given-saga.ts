import type { Factline } from '../../app/index.ts';
import { type ConsumerDefinition, isConsumerDefinition } from '../../consumers/index.ts';
import { FactlineError } from '../../foundation/index.ts';
import type { CrashScenario, Saga, SagaPlace } from './scenario.ts';

/** The consumers that a saga means, whichever way it was given. */
export const consumersOf = (
  saga: Exclude<Saga, (...given: never[]) => unknown>,
): readonly ConsumerDefinition[] => {
  if (isConsumerDefinition(saga)) return [saga];
  return Array.isArray(saga)
    ? (saga as readonly ConsumerDefinition[])
    : [...new Set(Object.values(saga).filter(isConsumerDefinition))];
};

/** The consumers are made before the app that they will be a part of. */
export const placeOf = (databaseUrl: string, appOf: () => Factline | undefined): SagaPlace => ({
  databaseUrl,
  get app() {
    const app = appOf();
    if (app === undefined)
      throw new FactlineError('NOT_STARTED', { unit: 'the app of the saga', operation: 'app' });
    return app;
  },
});

/** The options of the app that a scenario contains. */
export const appOptionsOf = (scenario: CrashScenario): Omit<CrashScenario, keyof typeof ownOptions> => {
  const entries = Object.entries(scenario).filter(([name]) => !(name in ownOptions));
  return { name: 'saga', pools: fewConnections, ...Object.fromEntries(entries) };
};

/** Each is a process of the server's that begins with empty caches; one saga needs few. */
const fewConnections = { transactions: 2, handlers: 2, readers: 1, operations: 1 };

const ownOptions = {
  begin: true,
  invariant: true,
  setUp: true,
  reactions: true,
  duplicates: true,
  reordering: true,
  everywhere: true,
  seed: true,
  only: true,
  parallel: true,
  server: true,
} as const;
