import { type ContractSet, type FactEvent, openEnvelope } from '../../contracts/index.ts';
import { type StoredEvent, storedEvent } from '../../log/index.ts';
import { loadQueries, type Queryable, run, runArrays } from '../../postgres/index.ts';
import { Grouping } from '../operational/grouping.ts';
import type { RunnerServices } from '../runner.ts';

const sql = loadQueries<'deliver_mail' | 'wake_waiting' | 'read_mail' | 'on_its_way' | 'purge_mail'>(
  new URL('./routing.sql', import.meta.url),
);

/** An open wait, as its mail is looked for. */
export interface MailRequest {
  readonly instance: number;
  readonly ordinal: number;
  readonly workflow: number;
  readonly type: string;
  readonly key: string;
  /** Only what came after this position. */
  readonly after: number;
}

/** Events of one wait in one look at most: a wait that rejects them all looks again behind them. */
export const mailPageMax = 1_000;

/** Waits in one look at most. */
const requestsMax = 500;

/** A router that is further behind than this is not searched event by event. */
const searchedMax = 50_000;

const placeOf = ({ instance, ordinal }: { readonly instance: unknown; readonly ordinal: unknown }): string =>
  `${instance}/${ordinal}`;

/** `gone`: its instance is not worked here any more, and needs no answer. */
interface Look {
  readonly request: MailRequest;
  readonly gone: () => boolean;
}

/** Looks for events that came for open waits: the looks of many instances are one statement. */
export class Mailbox {
  readonly #grouping: Grouping<Look, readonly StoredEvent[]>;
  readonly #coming: Grouping<Look, boolean>;

  constructor(services: RunnerServices) {
    const { database, clock, telemetry, consumer } = services;
    const shared = {
      unit: `the mailbox of ${consumer.name}`,
      clock,
      telemetry,
      jobsMax: requestsMax,
    };
    this.#coming = new Grouping({
      ...shared,
      givenUp: ({ gone }) => (gone() ? false : null),
      write: async (looks) => {
        const requests = looks.map(({ request }) => request);
        const values = [JSON.stringify(requests), searchedMax];
        const found = await run(database.operations, sql.on_its_way, values);
        const coming = new Set(
          found.map((row) => placeOf({ instance: row['instance'], ordinal: row['ordinal'] })),
        );
        return requests.map((request) => coming.has(placeOf(request)));
      },
    });
    this.#grouping = new Grouping({
      ...shared,
      givenUp: ({ gone }) => (gone() ? [] : null),
      write: async (looks) => {
        const requests = looks.map(({ request }) => request);
        const values = [JSON.stringify(requests), mailPageMax];
        const rows = await runArrays(database.operations, sql.read_mail, values);
        const found = Map.groupBy(rows, ([instance, ordinal]) => placeOf({ instance, ordinal }));
        return requests.map((request) =>
          (found.get(placeOf(request)) ?? []).map((row) => storedEvent(row, 2)),
        );
      },
    });
  }

  /** Whether such an event may be committed already without having been delivered: the log is read later than it is written. */
  isOnItsWay(request: MailRequest, gone: () => boolean): Promise<boolean> {
    return this.#coming.submit({ request, gone });
  }

  /** The next ones in position order. */
  read(request: MailRequest, gone: () => boolean): Promise<readonly StoredEvent[]> {
    return this.#grouping.submit({ request, gone });
  }
}

/** An event as the function gets it: checked and brought up to date by the contracts, else as it was stored. */
export const openMail = (contracts: ContractSet, event: StoredEvent): FactEvent =>
  contracts.has(event.type) ? contracts.open(event) : openEnvelope(event);

/** Removes the mail that no instance of this app's workflows can want any more. */
export const purgeMail = async (on: Queryable, app: string): Promise<void> => {
  await run(on, sql.purge_mail, [app]);
};
