import {
  type ConsumerDefinition,
  type ExecutorDefinition,
  isConsumerDefinition,
  refuseTwoHandlers,
  type SortedDefinitions,
  sortDefinitions,
  withUpcasters,
} from '../consumers/index.ts';
import {
  ContractSet,
  type EventContract,
  isCommandContract,
  isEventContract,
  isUpcaster,
  type Upcaster,
} from '../contracts/index.ts';
import { type Duration, FactlineError, toMilliseconds } from '../foundation/index.ts';
import {
  type AlertOptions,
  type CheckedReceiver,
  checkAlerts,
  probeHandler,
  systemEvents,
} from '../operations/index.ts';
import type { PoolSizes } from '../postgres/index.ts';
import { checkRoles, type DeclaredRoles } from '../replay/index.ts';
import { readAppIdentity } from './app-identity.ts';

export interface FactlineOptions {
  /** Names the app in events (`source`), in stored consumers and in pg_stat_activity. Default: package.json's name. */
  readonly name?: string;
  /** The team that owns the app's contracts, unless a contract names its own. */
  readonly owner?: string;
  /** Told apart by the breaker and in the quarantine. Default: FACTLINE_CODE_VERSION, else package.json's version. */
  readonly codeVersion?: string;
  /** `postgres://…`. Default: DATABASE_URL, else the embedded server (not in production). */
  readonly database?: string;
  /** The largest number of connections of each pool: transactions 20, readers 5, operations 4. */
  readonly pools?: PoolSizes;
  /** Where the views of projections are made. Default: public. */
  readonly projectionSchema?: string;
  /** An array, or a module: `import * as consumers from './consumers.ts'`. */
  readonly consumers: readonly ConsumerDefinition[] | Readonly<Record<string, unknown>>;
  /** Contracts that no consumer handles but this app publishes. */
  readonly contracts?: readonly EventContract[] | Readonly<Record<string, unknown>>;
  /** How events of older contracts are read by consumers of newer ones; made by `defineUpcaster`. */
  readonly upcasters?: readonly Upcaster[] | Readonly<Record<string, unknown>>;
  /** 'auto': the first use brings the schema up to date. 'check': a missing migration is an error. Default: auto. */
  readonly migrations?: 'auto' | 'check';
  /** How long a dedupeKey is remembered. Default: 30d. */
  readonly dedupeWindow?: Duration;
  /** Drain on SIGTERM while started. Default: true. */
  readonly handleSignals?: boolean;
  /**
   * Who may do what: `{ ada: ['operator', 'approver'], '*': ['responder'] }`. Names that are not in it may only look. Stored with
   * `migrate` or `start`, for all commands on this database; without it everybody who reaches the database may do everything.
   */
  readonly roles?: DeclaredRoles;
  /** Who is told when a promise is at risk: webhooks, Slack, mail. Without it alerts are still evaluated: `factline alerts list`. */
  readonly alerts?: AlertOptions;
  /** Whether Factline's own facts (a consumer paused, a key quarantined …) are published as events: see `systemEvents`. Default: false. */
  readonly systemEvents?: boolean;
  /**
   * Whether an event is sent the whole way every ten seconds, so that a system in which nothing happens is known to work: verdicts are
   * UNKNOWN, never OK, when none comes through for 30 s. It has a consumer of its own, `probe.NAME`. Default: false.
   */
  readonly probes?: boolean;
}

/** The options with every default filled in and checked. */
export interface Settings {
  readonly name: string;
  readonly source: string;
  readonly owner: string;
  readonly codeVersion: string;
  readonly database: string | undefined;
  readonly pools: PoolSizes;
  readonly projectionSchema: string;
  /** One per name: all versions of a workflow are one. */
  readonly consumers: readonly ConsumerDefinition[];
  /** What runs the instances of each version of each workflow. */
  readonly executors: readonly ExecutorDefinition[];
  readonly contracts: readonly EventContract[];
  readonly upcasters: readonly Upcaster[];
  readonly migrations: 'auto' | 'check';
  readonly dedupeWindowDays: number;
  readonly handleSignals: boolean;
  readonly roles: DeclaredRoles | undefined;
  readonly alertReceivers: readonly CheckedReceiver[];
  readonly systemEvents: boolean;
  readonly probes: boolean;
}

const known = new Set([
  'name',
  'owner',
  'codeVersion',
  'database',
  'pools',
  'projectionSchema',
  'consumers',
  'contracts',
  'upcasters',
  'migrations',
  'dedupeWindow',
  'handleSignals',
  'roles',
  'alerts',
  'systemEvents',
  'probes',
]);

/** @throws FactlineError OPTION_INVALID, CONSUMER_DUPLICATE, COMMAND_HANDLED_TWICE, CONTRACT_DUPLICATE, UPCASTER_INVALID */
export const readOptions = (options: FactlineOptions): Settings => {
  for (const name of Object.keys(options)) {
    if (!known.has(name)) throw invalid(name, `one of ${[...known].join(', ')}`, 'an unknown option');
  }
  const identity = readAppIdentity();
  const name = text('name', options.name, identity.name);
  const own = options.probes === true ? [probeHandler(name)] : [];
  const upcasters = collect('upcasters', options.upcasters ?? [], isUpcaster);
  const { consumers, executors } = readConsumers(
    [collect('consumers', options.consumers, isConsumerDefinition), own].flat(),
    (consumer) => withUpcasters(consumer, upcasters),
  );
  refuseTwoHandlers(consumers);
  const named = [
    ...consumers.flatMap((consumer) => consumer.contracts),
    ...upcasters.flatMap(({ from, to }) => [from, to]),
    ...collect('contracts', options.contracts ?? [], isEventContract),
    ...(options.systemEvents === true ? Object.values<EventContract>({ ...systemEvents }) : []),
  ];
  // Who handles a command publishes its replies, and who sends it reads them.
  const replies = named.filter(isCommandContract).flatMap((command) => command.replies);
  const contracts = new ContractSet([...named, ...replies], upcasters);
  return {
    name,
    source: name,
    owner: text('owner', options.owner, name),
    codeVersion: text(
      'codeVersion',
      options.codeVersion,
      process.env['FACTLINE_CODE_VERSION'] || identity.version,
    ),
    database: options.database ?? (process.env['DATABASE_URL'] || undefined),
    pools: options.pools ?? {},
    projectionSchema: text('projectionSchema', options.projectionSchema, 'public'),
    consumers,
    executors,
    contracts: [...contracts],
    upcasters,
    migrations: oneOf('migrations', options.migrations ?? 'auto', ['auto', 'check']),
    dedupeWindowDays: Math.ceil(toMilliseconds(options.dedupeWindow ?? '30d', 'dedupeWindow') / 86_400_000),
    handleSignals: options.handleSignals ?? true,
    roles: options.roles === undefined ? undefined : checkRoles(options.roles),
    alertReceivers: options.alerts === undefined ? [] : checkAlerts(options.alerts),
    systemEvents: options.systemEvents ?? false,
    probes: options.probes ?? false,
  };
};

const readConsumers = (
  given: readonly ConsumerDefinition[],
  complete: (consumer: ConsumerDefinition) => ConsumerDefinition,
): SortedDefinitions => {
  const sorted = sortDefinitions(given.map(complete));
  const { consumers } = sorted;
  const names = new Set<string>();
  for (const { name, formerly } of consumers) {
    for (const each of [name, ...formerly]) {
      if (names.has(each)) throw new FactlineError('CONSUMER_DUPLICATE', { consumer: each });
      names.add(each);
    }
  }
  return sorted;
};

/** An array is taken at its word; a module also exports other things, which are passed over. */
const collect = <T>(option: string, given: unknown, is: (value: unknown) => value is T): readonly T[] => {
  if (Array.isArray(given)) {
    const stranger = given.findIndex((value) => !is(value));
    if (stranger >= 0)
      throw invalid(
        `${option}[${stranger}]`,
        `a value of the kind that ${option} holds`,
        describe(given[stranger]),
      );
    return given as T[];
  }
  if (typeof given !== 'object' || given === null)
    throw invalid(option, 'an array or a module', describe(given));
  return [...new Set(Object.values(given).filter(is))];
};

const text = (option: string, given: unknown, fallback: string): string => {
  if (given === undefined) return fallback;
  if (typeof given === 'string' && given !== '') return given;
  throw invalid(option, 'a text that is not empty', describe(given));
};

const oneOf = <T extends string>(option: string, given: T, allowed: readonly T[]): T => {
  if (allowed.includes(given)) return given;
  throw invalid(option, `one of ${allowed.join(', ')}`, describe(given));
};

const describe = (value: unknown): string =>
  typeof value === 'string' ? `'${value}'` : value === null ? 'null' : typeof value;

const invalid = (option: string, expected: string, actual: string): FactlineError =>
  new FactlineError('OPTION_INVALID', { option, expected, actual });
