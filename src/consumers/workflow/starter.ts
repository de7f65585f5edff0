import { type Clock, FactlineError, type Telemetry } from '../../foundation/index.ts';
import {
  type Database,
  type ForeignTransaction,
  lockNotAvailable,
  run,
  sqlState,
} from '../../postgres/index.ts';
import { Grouping } from '../operational/grouping.ts';
import { CommittedStarts } from './committed-starts.ts';
import { hubOf, type WorkflowHub } from './hub.ts';
import { storedOf } from './router.ts';
import {
  freshInstance,
  type HeldStart,
  noteRejected,
  reserveSlot,
  type Start,
  type StartOutcome,
  type StartStatement,
  startInstance,
  startTogether,
} from './starting.ts';

const startsMax = 500;

/**
 * `stored` is null where an instance lives, the same key was asked for twice at one time, or a transaction that has not ended
 * starts an instance of one of the keys.
 */
interface Started {
  readonly stored: Stored | null;
  readonly error?: unknown;
}

type Stored = Parameters<typeof freshInstance>[1];

/** Starts instances for the app: those that are asked for at one time are one statement. */
export class Starter {
  readonly #database: Database;
  readonly #hub: WorkflowHub;
  readonly #grouping: Grouping<HeldStart, Started>;
  readonly #committed: CommittedStarts;

  constructor(services: {
    readonly database: Database;
    readonly clock: Clock;
    readonly telemetry: Telemetry;
  }) {
    const { database, clock, telemetry } = services;
    this.#database = database;
    this.#hub = hubOf(database);
    this.#committed = new CommittedStarts({ database, clock });
    this.#grouping = new Grouping({
      unit: 'the starts of workflows',
      clock,
      telemetry,
      jobsMax: startsMax,
      givenUp: () => null,
      // Whoever asked is told: nothing has happened, or it is asked again under the same key.
      write: (submitted) =>
        this.#write(submitted).catch((error: unknown) => {
          const mayWait = sqlState(error) === lockNotAvailable;
          return submitted.map(() => (mayWait ? { stored: null } : { stored: null, error }));
        }),
    });
  }

  /** Starts it in a transaction of its own. @throws FactlineError WORKFLOW_RUNNING */
  async start(start: Start): Promise<number> {
    const slot = reserveSlot(this.#hub, start);
    try {
      const { stored, error } = await this.#grouping.submit({ start, held: slot !== null });
      if (error !== undefined) throw error;
      if (stored !== null) {
        if (slot !== null) slot.give(freshInstance(start, stored));
        else this.#hub.wake([{ id: stored.id, consumerId: stored.consumerId }]);
        return stored.id;
      }
    } finally {
      slot?.cancel();
    }
    // It may have to wait for another's transaction, as any statement of the user's would: on the user's connections.
    const outcome = await startInstance(
      (query, parameter) => run(this.#database.transactions, query, [parameter]),
      start,
      false,
    );
    if ((outcome.kind === 'started' || outcome.kind === 'queued') && outcome.consumerId !== null)
      this.#hub.wake([{ id: outcome.id, consumerId: outcome.consumerId }]);
    return this.#idOf(start, outcome);
  }

  /** Starts it in the user's own transaction: it lives when that has committed. @throws FactlineError WORKFLOW_RUNNING */
  async startIn(tx: ForeignTransaction, start: Start): Promise<number> {
    const statement: StartStatement = (query, parameter) => tx.query(query.text, parameter);
    const outcome = await startInstance(statement, start, false);
    const id = await this.#idOf(start, outcome);
    if (outcome.kind === 'started' || outcome.kind === 'queued') this.#committed.watch(id);
    return id;
  }

  async #idOf(start: Start, outcome: StartOutcome): Promise<number> {
    if (outcome.kind !== 'rejected') return outcome.id;
    const { living } = outcome;
    await noteRejected((query, text) => run(this.#database.operations, query, [text]), start, living);
    const { workflow, key } = start;
    throw new FactlineError('WORKFLOW_RUNNING', { workflow: workflow.name, key, id: living });
  }

  async #write(submitted: readonly HeldStart[]): Promise<readonly Started[]> {
    const seen = new Set<string>();
    const wanted = submitted.filter(({ start: { workflow, key } }) => {
      const place = `${workflow.name} ${key}`;
      return seen.has(place) ? false : Boolean(seen.add(place));
    });
    const made = await startTogether(this.#database.operations, wanted);
    return submitted.map(({ start }) => {
      const row = made.get(start);
      return { stored: row === undefined ? null : storedOf(row) };
    });
  }
}
