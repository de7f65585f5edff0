import { z } from 'zod';
import {
  type ConsumerClass,
  type ConsumerDefinition,
  type ConsumerRunner,
  type LaneLease,
  laneFor,
  type OwnerAnswer,
  type OwnerRequest,
  type Pause,
  type RunnerProgress,
  type RunnerServices,
} from '../../src/consumers/index.ts';

import type { EventContract } from '../../src/contracts/index.ts';
import type { StoredEvent } from '../../src/log/index.ts';
import { engineTransaction } from '../../src/postgres/index.ts';

/**
 * The least that a class of consumers must do, so that the shared engine can be tried on its own: it writes one row for
 * each event it handles, in one fenced transaction with the checkpoint. The rows are the audit: an event must be there
 * once, and the rows of one key in position order.
 */
export const auditTable = `create table if not exists audit (
  ordinal bigint generated always as identity, consumer_id int, lane int, position bigint, key text, type text,
  process bigint, token bigint)`;

export interface CountingOptions {
  /** Between reading a batch and committing it. */
  readonly beforeCommit?: (events: readonly StoredEvent[]) => Promise<void>;
  readonly onTake?: (leases: readonly LaneLease[]) => void;
  readonly onRelease?: (lanes: readonly number[]) => void;
  readonly onDrop?: (lanes: readonly number[]) => void;
  readonly onPause?: (pause: Pause | null) => void;
  readonly onDue?: () => void;
  readonly carryOut?: (request: OwnerRequest) => Promise<OwnerAnswer>;
}

interface Work {
  readonly lease: LaneLease;
  readonly abort: AbortController;
  readonly done: Promise<void>;
  position: number;
}

const batchMax = 20;

export class CountingRunner implements ConsumerRunner {
  readonly #definition: ConsumerDefinition;
  readonly #services: RunnerServices;
  readonly #options: CountingOptions;
  readonly #lanes = new Map<number, Work>();
  #handled = 0;

  constructor(definition: ConsumerDefinition, services: RunnerServices, options: CountingOptions) {
    this.#definition = definition;
    this.#services = services;
    this.#options = options;
  }

  async take(leases: readonly LaneLease[]): Promise<void> {
    this.#options.onTake?.(leases);
    for (const lease of leases) {
      const abort = new AbortController();
      const work: Work = { lease, abort, position: lease.position, done: Promise.resolve() };
      this.#lanes.set(lease.lane, Object.assign(work, { done: this.#work(work) }));
    }
  }

  async release(lanes: readonly number[]): Promise<void> {
    this.#options.onRelease?.(lanes);
    const works = lanes.flatMap((lane) => this.#lanes.get(lane) ?? []);
    for (const work of works) work.abort.abort();
    await Promise.all(works.map((work) => work.done));
    for (const work of works) this.#lanes.delete(work.lease.lane);
  }

  drop(lanes: readonly number[]): void {
    this.#options.onDrop?.(lanes);
    for (const lane of lanes) {
      this.#lanes.get(lane)?.abort.abort();
      this.#lanes.delete(lane);
    }
  }

  pause(pause: Pause | null): void {
    this.#options.onPause?.(pause);
  }

  due(): void {
    this.#options.onDue?.();
  }

  async carryOut(request: OwnerRequest): Promise<OwnerAnswer> {
    return (await this.#options.carryOut?.(request)) ?? { state: 'refused', answer: { verb: request.verb } };
  }

  progress(): RunnerProgress {
    const lanes = [...this.#lanes.values()].map(({ lease, position }) => ({
      lane: lease.lane,
      checkpoint: position,
      readUpTo: position,
      inFlight: 0,
      waiting: 0,
    }));
    return { lanes, handled: this.#handled, hottestKey: null, reasons: [] };
  }

  async idle(): Promise<void> {
    const { tail, clock } = this.#services;
    const upTo = tail.settled;
    const behind = (): boolean =>
      [...this.#lanes.values()].some((work) => work.position < Math.min(upTo, work.lease.stopAt));
    while (behind()) await clock.sleep(5);
  }

  async #work(work: Work): Promise<void> {
    const { tail } = this.#services;
    const { lease, abort } = work;
    const cursor = tail.cursor({ types: lease.types, after: lease.position });
    const consumer = { ordering: this.#definition.ordering, lanes: lease.laneCount };
    while (!abort.signal.aborted && work.position < lease.stopAt) {
      try {
        const batch = await cursor.next({ max: batchMax, signal: abort.signal });
        if (abort.signal.aborted) return;
        const upTo = Math.min(batch.upTo, lease.stopAt);
        const own = batch.events.filter(
          (event) => event.position <= upTo && laneFor(consumer, event) === lease.lane,
        );
        await this.#options.beforeCommit?.(own);
        if (!(await this.#commit(work, own, upTo))) {
          this.#lanes.delete(lease.lane);
          this.#services.onLeaseLost(lease.lane);
          return;
        }
        work.position = upTo;
        this.#handled += own.length;
      } catch {
        if (abort.signal.aborted) return;
        cursor.seek(work.position);
        await this.#services.clock.sleep(20, abort.signal);
      }
    }
  }

  async #commit(work: Work, events: readonly StoredEvent[], upTo: number): Promise<boolean> {
    const { lease } = work;
    // This pool ends transactions that stand idle for a lease: a stopped process must not block its successor.
    const { value } = await engineTransaction(this.#services.database.operations, async (client) => {
      const fence = await client.query(
        'select from factline.lanes where consumer_id = $1 and lane = $2 and token = $3 and stop_at >= $4 for share',
        [lease.consumerId, lease.lane, lease.token, upTo],
      );
      if (fence.rowCount === 0) return false;
      await client.query(
        `insert into audit (consumer_id, lane, position, key, type, process, token)
         select $1, $2, p, k, t, $3, $4 from unnest($5::bigint[], $6::text[], $7::text[]) as e (p, k, t) order by p`,
        [
          lease.consumerId,
          lease.lane,
          this.#services.process.id,
          lease.token,
          events.map((event) => event.position),
          events.map((event) => event.key),
          events.map((event) => event.type),
        ],
      );
      await client.query(
        `update factline.checkpoints set position = $3, dispatch_limit = greatest(dispatch_limit, $3)
          where consumer_id = $1 and lane = $2 and position <= $3`,
        [lease.consumerId, lease.lane, upTo],
      );
      return true;
    });
    return value;
  }
}

export const countingClass = (options: CountingOptions = {}): ConsumerClass => ({
  createRunner: (definition, services) => new CountingRunner(definition, services, options),
});

/** A contract as far as the engine looks at it. */
const contract = (type: string): EventContract =>
  Object.assign(() => undefined, { type, schema: z.unknown(), encodings: [] }) as unknown as EventContract;

export interface Declaration {
  readonly name: string;
  readonly types?: readonly string[];
  readonly lanes?: number;
  readonly class?: ConsumerDefinition['class'];
  readonly startAt?: ConsumerDefinition['startAt'];
  readonly formerly?: readonly string[];
  readonly version?: number;
  readonly ordering?: ConsumerDefinition['ordering'];
  readonly slo?: NonNullable<ConsumerDefinition['slo']>;
}

export const declare = (given: Declaration): ConsumerDefinition => {
  const kind = given.class ?? 'operational';
  const types = given.types ?? ['test.thing.happened.v1'];
  return {
    class: kind,
    name: given.name,
    contracts: types.map(contract),
    types: new Set(types),
    upcasters: [],
    reads: null,
    ordering: given.ordering ?? 'key',
    lanes: given.lanes ?? (kind === 'projection' ? 1 : 4),
    startAt: given.startAt ?? 'beginning',
    formerly: given.formerly ?? [],
    version: given.version ?? 1,
    ...(given.slo === undefined ? {} : { slo: given.slo }),
  };
};
