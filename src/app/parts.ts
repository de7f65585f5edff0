import {
  type ConsumerEngine,
  createConsumerEngine,
  operationalClass,
  projectionClass,
  type TestStep,
  workflowClass,
} from '../consumers/index.ts';
import {
  type Clock,
  FactlineError,
  type Randomness,
  systemClock,
  systemRandomness,
  type Telemetry,
} from '../foundation/index.ts';
import { createTail, type LogReport, startChecks, type Tail } from '../log/index.ts';
import {
  createMeter,
  type Meter,
  storeContractTerms,
  switchProbes,
  switchSystemEvents,
} from '../operations/index.ts';
import {
  checkServer,
  createDatabase,
  type Database,
  type DatabaseOptions,
  hostOf,
  migrate,
  pendingMigrations,
} from '../postgres/index.ts';
import { storeRoles } from '../replay/index.ts';
import type { Settings } from './options.ts';
import { resolveServer, type ServerAddress } from './server-address.ts';

/** What tests replace; in production the system's. */
export interface Seams {
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly testStep?: TestStep;
  /** Nobody watches: no alerts are evaluated, no objectives sampled. */
  readonly unattended?: true;
  /** An app with these settings has prepared the database and found this: nothing of that is done again. */
  readonly prepared?: LogReport;
  /** Connections go through these instead of sockets. */
  readonly stream?: DatabaseOptions['stream'];
  /** Told what a developer may wonder about, such as where the embedded server keeps its data. */
  readonly onNotice?: (line: string) => void;
}

export const systemSeams: Seams = { clock: systemClock, randomness: systemRandomness };

/** Everything an app holds while it is open, put together in one place. */
export interface Parts {
  readonly address: ServerAddress;
  readonly database: Database;
  readonly log: LogReport;
  readonly tail: Tail;
  readonly engine: ConsumerEngine;
  readonly meter: Meter;
  close(): Promise<void>;
}

/** Connects, brings the schema up to date, checks the log, registers the consumers. Nothing is left open when it fails. */
export const openParts = async (settings: Settings, seams: Seams, telemetry: Telemetry): Promise<Parts> => {
  const address = await resolveServer(settings.database, seams.onNotice);
  const database = createDatabase({
    url: address.url,
    applicationName: settings.name,
    sizes: settings.pools,
    stream: seams.stream,
  });
  const forgetPools = measurePools(database, telemetry);
  const close = async (): Promise<void> => {
    forgetPools();
    await database.stop();
    await address.embedded?.stop();
  };
  try {
    const log =
      seams.prepared ?? (await prepare({ address, database, settings, clock: seams.clock, telemetry }));
    const tail = createTail({ database, clock: seams.clock, telemetry, rule: log.rule, checked: log });
    const engine = createConsumerEngine({
      database,
      tail,
      telemetry,
      clock: seams.clock,
      randomness: seams.randomness,
      definitions: [...settings.consumers, ...settings.executors],
      contracts: settings.contracts,
      classes: { projection: projectionClass, operational: operationalClass, workflow: workflowClass },
      app: {
        name: settings.name,
        source: settings.source,
        codeVersion: settings.codeVersion,
        projectionSchema: settings.projectionSchema,
      },
      ...(seams.testStep === undefined ? {} : { testStep: seams.testStep }),
    });
    await engine.register();
    if (seams.prepared === undefined) await storeSettings(database, settings);
    const meter = createMeter({
      database,
      tail,
      clock: seams.clock,
      app: settings.name,
      declared: settings.consumers,
      runners: () => new Map(engine.running().map(({ consumer, progress }) => [consumer.id, progress])),
    });
    return { address, database, log, tail, engine, meter, close };
  } catch (error) {
    await close();
    throw error;
  }
};

interface Preparing {
  readonly address: ServerAddress;
  readonly database: Database;
  readonly settings: Settings;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
}

/** Nothing reads or writes before the server, the schema and the log are as they have to be. */
const prepare = async ({ address, database, settings, clock, telemetry }: Preparing): Promise<LogReport> => {
  await checkServer(database.operations, hostOf(address.url));
  await bringUpToDate(database, settings.migrations, telemetry);
  await storeRoles(database.operations, settings.name, settings.roles);
  return startChecks({ database, clock, telemetry });
};

/** What others have to know of this app, whether it runs or not. */
const storeSettings = async ({ operations }: Database, settings: Settings): Promise<void> => {
  await storeContractTerms(operations, settings);
  await switchSystemEvents(operations, settings.name, settings.systemEvents);
  await switchProbes(operations, settings.name, settings.probes);
};

/** A pool that is exhausted shows as waiting connections. */
const measurePools = (database: Database, telemetry: Telemetry): (() => void) =>
  telemetry.metrics.onRender(() => {
    for (const pool of ['transactions', 'handlers', 'readers', 'operations'] as const) {
      const { totalCount, idleCount, waitingCount } = database[pool];
      const states = { busy: totalCount - idleCount, idle: idleCount, waiting: waitingCount };
      for (const [state, count] of Object.entries(states)) {
        telemetry.metrics.set('factline_pool_connections', { pool, state }, count);
      }
    }
  });

export const bringUpToDate = async (
  database: Database,
  mode: Settings['migrations'],
  telemetry?: Telemetry,
): Promise<void> => {
  if (mode === 'auto') {
    await migrate(database, { onStep: (migration) => telemetry?.emit('migration.applied', { migration }) });
    return;
  }
  const pending = await pendingMigrations(database.operations);
  if (pending.length > 0) throw new FactlineError('MIGRATION_PENDING', { migrations: pending });
};
