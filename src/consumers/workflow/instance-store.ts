import { loadQueries, run } from '../../postgres/index.ts';
import type { RunnerServices } from '../runner.ts';
import type { HeldLane } from './execution-services.ts';
import { type LoadedInstance, toLoadedInstance } from './instance.ts';

const sql = loadQueries<
  'take_due' | 'fall_due' | 'suspects' | 'wake_found' | 'begin_suspect' | 'is_due' | 'park_killer'
>(new URL('./loading.sql', import.meta.url));

/** So many processes may die at one instance before it is parked. */
export const deathsMax = 3;

export interface Taken {
  readonly instances: readonly LoadedInstance[];
  /** Whether there may be more that is due now. */
  readonly full: boolean;
  /** Until the next one is due; null: none is. */
  readonly nextMs: number | null;
}

export interface FallenDue {
  readonly instance: number;
  readonly undo: boolean;
  readonly ordinal: number;
}

/** What the executor of one version reads of its instances, in the lanes that it holds. */
export class InstanceStore {
  readonly #services: RunnerServices;
  readonly #lanes: () => readonly HeldLane[];
  readonly #laneCount: () => number;

  constructor(
    services: RunnerServices,
    held: { readonly lanes: () => readonly HeldLane[]; readonly laneCount: () => number },
  ) {
    this.#services = services;
    this.#lanes = held.lanes;
    this.#laneCount = held.laneCount;
  }

  get #scope(): [number, string, number] {
    const fences = this.#lanes().map(({ lane, token }) => ({ lane, token }));
    return [this.#services.consumer.id, JSON.stringify(fences), this.#laneCount()];
  }

  /** Takes what is due, oldest first: `not` is in memory already, `only` narrows it. */
  async takeDue(request: {
    readonly not: readonly number[];
    readonly limit: number;
    readonly only?: readonly number[];
  }): Promise<Taken> {
    const { database, testStep } = this.#services;
    const { not, limit, only } = request;
    await testStep?.('workflow.before-load');
    const values = [...this.#scope, not, limit, only ?? null];
    const [row] = await run(database.operations, sql.take_due, values);
    await testStep?.('workflow.after-load');
    const instances = row?.['instances'] as Parameters<typeof toLoadedInstance>[0][];
    return {
      instances: instances.map(toLoadedInstance),
      full: row?.['looked_at'] === limit,
      nextMs: (row?.['next_ms'] as number | null | undefined) ?? null,
    };
  }

  /** The moments that have come of instances in memory. */
  async fallDue(instances: readonly number[]): Promise<readonly FallenDue[]> {
    if (instances.length === 0) return [];
    const rows = await run(this.#services.database.operations, sql.fall_due, [instances]);
    return rows.map((row) => ({
      instance: row['instance_id'] as number,
      undo: row['undo'] as boolean,
      ordinal: row['ordinal'] as number,
    }));
  }

  /** Of lanes whose owner died: what it may have been working on. What it has not found of the mail is due now. */
  async suspects(
    lanes: readonly number[],
  ): Promise<readonly { readonly id: number; readonly keyHash: number }[]> {
    const { database } = this.#services;
    await run(database.operations, sql.wake_found, [...this.#scope, lanes]);
    const rows = await run(database.operations, sql.suspects, [...this.#scope, lanes]);
    return rows.map((row) => ({ id: row['id'] as number, keyHash: row['key_hash'] as number }));
  }

  /** Commits that this process begins the instance, before any of its code runs; deaths: it has killed enough processes. */
  async beginSuspect(
    id: number,
    { lane, token }: HeldLane,
  ): Promise<'run' | 'lost' | { readonly deaths: number }> {
    const { database, process, testStep } = this.#services;
    await testStep?.('workflow.before-suspect');
    const values = [id, lane, token, process.incarnation, deathsMax];
    const [row] = await run(database.operations, sql.begin_suspect, values);
    await testStep?.('workflow.after-suspect');
    if (row?.['fenced'] !== 1) return 'lost';
    const deaths = Number(row['deaths']);
    return deaths < deathsMax ? 'run' : { deaths };
  }

  /** Parks an instance that ends the processes that run it. */
  async parkKiller(id: number, { lane, token }: HeldLane): Promise<void> {
    await run(this.#services.database.operations, sql.park_killer, [id, lane, token]);
  }

  /** Whether anything but `not` is due now. */
  async isDue(not: readonly number[]): Promise<boolean> {
    const [row] = await run(this.#services.database.operations, sql.is_due, [...this.#scope, not]);
    return row?.['due'] === true;
  }
}
