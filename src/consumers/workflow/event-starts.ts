import { keyHash } from '../../foundation/index.ts';
import { classifyDatabaseError, loadQueries, run } from '../../postgres/index.ts';
import { Grouping } from '../operational/grouping.ts';
import type { EventPlace } from '../operational/index.ts';
import type { RunnerServices } from '../runner.ts';
import type { Start } from './starting.ts';

const sql = loadQueries<'start_by_event' | 'start_by_events'>(new URL('./routing.sql', import.meta.url));

const startsMax = 500;
/** An event that comes while one is on its way to the disk need not wait for that. */
const statementsMax = 3;

/** The start of an instance by an event that is in the log. */
export interface EventStart {
  readonly start: Start;
  readonly place: EventPlace;
  /** The consumer id of its executor. */
  readonly executor: number;
  readonly held: boolean;
}

/** The instance's id; null: nothing was written, for a reason that is still to be found out. */
type Started = { readonly id: number | null } | { readonly error: unknown };

const rowText = ({ start, place, executor, held }: EventStart): string => {
  const { workflow, key, inputText, cause, codeVersion } = start;
  const { lane, keyHash: eventHash, position } = place;
  const head = JSON.stringify({
    lane,
    keyHash: eventHash,
    position,
    executor,
    version: workflow.version,
    key,
    instanceHash: keyHash(key),
    cause,
    codeVersion,
    held,
  });
  return `${head.slice(0, -1)},"input":${inputText}}`;
};

/** Starts instances by events in one statement with the record that the events are handled: those of one time share it. */
export class EventStarts {
  readonly #services: RunnerServices;
  readonly #grouping: Grouping<EventStart, Started>;

  constructor(services: RunnerServices) {
    this.#services = services;
    this.#grouping = new Grouping({
      unit: `the starts of ${services.consumer.name}`,
      clock: services.clock,
      telemetry: services.telemetry,
      jobsMax: startsMax,
      statementsMax,
      givenUp: () => null,
      write: (starts) => this.#attempt(starts),
    });
  }

  /** Answers the id of the instance, or null: nothing was written. */
  async start(start: EventStart): Promise<number | null> {
    const started = await this.#grouping.submit(start);
    if ('error' in started) throw started.error;
    return started.id;
  }

  /** An event whose start cannot be stored fails alone. */
  async #attempt(starts: readonly EventStart[]): Promise<readonly Started[]> {
    try {
      return await this.#write(starts);
    } catch (error) {
      if (starts.length === 1 || classifyDatabaseError(error) !== 'permanent')
        return starts.map(() => ({ error }));
      const started: Started[] = [];
      for (const each of starts) started.push(...(await this.#attempt([each])));
      return started;
    }
  }

  async #writeOne({ start, place, executor, held }: EventStart): Promise<readonly Started[]> {
    const { database, consumer } = this.#services;
    const { workflow, key, inputText, cause, codeVersion } = start;
    const event = [place.lane, place.token, place.position, place.keyHash];
    const instance = [executor, workflow.version, key, keyHash(key), inputText, JSON.stringify(cause)];
    const values = [consumer.id, ...event, ...instance, codeVersion, held];
    const [row] = await run(database.operations, sql.start_by_event, values);
    return [{ id: (row?.['id'] as number | undefined) ?? null }];
  }

  async #write(starts: readonly EventStart[]): Promise<readonly Started[]> {
    const [first] = starts;
    if (first !== undefined && starts.length === 1) return this.#writeOne(first);
    const { database, consumer } = this.#services;
    const tokens = new Map(starts.map(({ place }) => [place.lane, place.token]));
    const lanes = [...tokens.keys()].sort((a, b) => a - b);
    const values = [
      consumer.id,
      lanes,
      lanes.map((lane) => tokens.get(lane)),
      `[${starts.map(rowText).join(',')}]`,
    ];
    const rows = await run(database.operations, sql.start_by_events, values);
    const ids = new Map(rows.map((row) => [row['started_by'] as number, row['id'] as number]));
    return starts.map(({ place }) => ({ id: ids.get(place.position) ?? null }));
  }
}
