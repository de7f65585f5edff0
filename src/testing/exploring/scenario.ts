import type { Factline, FactlineOptions, Published } from '../../app/index.ts';
import type { ConsumerDefinition } from '../../consumers/index.ts';
import type { Draft } from '../../contracts/index.ts';
import type { Duration } from '../../foundation/index.ts';
import type { Outside, Reaction } from './outside.ts';

/** The surroundings of one life of the app. */
export interface SagaPlace {
  /** The app of this life, for code that uses it; it is there when the consumers run. */
  readonly app: Pick<Factline, 'transaction' | 'publish' | 'read' | 'workflow' | 'startWorkflow'>;
  /** For connections of your own; the test's database, another one in each run. */
  readonly databaseUrl: string;
}

type Consumers = ConsumerDefinition | readonly ConsumerDefinition[] | Readonly<Record<string, unknown>>;

/**
 * The consumers that a saga is made of: a workflow, or handlers and projections. As a function it is called for each life of the
 * app, so that what a consumer keeps in memory dies with it, and is given the outside world.
 */
export type Saga = Consumers | ((outside: Outside, place: SagaPlace) => Consumers);

/** What begins a saga, and what looks at it: the world around the app, which no crash touches. */
export interface SagaWorld {
  /** The same app in a process of its own that runs no consumers: `transaction`, `publish`, `read`, `startWorkflow`. */
  readonly app: Factline;
  readonly databaseUrl: string;
  readonly outside: Outside;
  /** Publishes as the events' own producer would. */
  publish(...drafts: readonly Draft[]): Promise<Published>;
  /** Resolves when everything is handled, retries included; sleeps and waits of workflows go on. */
  settled(): Promise<void>;
  /** Moves the database's clock. */
  advance(duration: Duration): Promise<void>;
  query<Row = Record<string, unknown>>(sql: string, values?: readonly unknown[]): Promise<Row[]>;
}

/** A saga at rest: nothing is at work, no timer is left. */
export interface SagaAtRest extends SagaWorld {
  /** What was injected, as the report names it; null in the run in which nothing was. */
  readonly injected: string | null;
  /** Which of several beginnings this was. */
  readonly beginning: string;
}

export type Beginning = (world: SagaWorld) => Promise<unknown>;

export interface CrashScenario extends Omit<FactlineOptions, 'consumers' | 'database' | 'handleSignals'> {
  /** Starts the saga. Several, by name, are explored one after another; a point that an earlier one passed is not tried again. */
  readonly begin: Beginning | Readonly<Record<string, Beginning>>;
  /**
   * What must hold whenever the saga has come to rest, by itself or after a person let go what waited: it throws (an
   * `expect` will do) when it does not.
   */
  readonly invariant: (saga: SagaAtRest) => Promise<void> | void;
  /** Makes your tables, once: every run works on a copy. */
  readonly setUp?: (world: Pick<SagaWorld, 'app' | 'databaseUrl' | 'query'>) => Promise<unknown>;
  /** What the outside world does after an effect, by its name; once for each effect. */
  readonly reactions?: Readonly<
    Record<string, (effect: Parameters<Reaction>[0], world: SagaWorld) => unknown>
  >;
  /** Every event and every step is done twice: its first delivery is lost at its end, and in the end all is delivered again. */
  readonly duplicates?: boolean;
  /** Events of different keys, and of one key in different consumers, overtake each other; how, is decided by the seed. */
  readonly reordering?: boolean;
  /** Every point for each key and each beginning by itself, not only where it is passed first. */
  readonly everywhere?: boolean;
  /** Chooses the order of `reordering`. Default: a new one each time; it stands in the report and in the error. */
  readonly seed?: number;
  /** Only this one, as the report or an error names it. */
  readonly only?: string;
  /** So many runs at one time; only where the saga is a function that shares nothing between its calls. Default: 1. */
  readonly parallel?: number;
  /** A server to make the databases on. Default: DATABASE_URL, else the embedded server. */
  readonly server?: string;
}
