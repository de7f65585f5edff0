import { loadQueries, run } from '../../postgres/index.ts';
import type { RunnerServices } from '../runner.ts';
import type { HeldLane } from './execution-services.ts';
import { type LoadedInstance, toLoadedInstance } from './instance.ts';

const sql = loadQueries<
  | 'take_due'
  | 'fall_due'
  | 'suspects'
  | 'wake_found'
  | 'wake_early'
  | 'begin_suspects'
  | 'is_due'
  | 'park_killer'
>(new URL('./loading.sql', import.meta.url));

/** A clock of the database that is so much earlier than before has been set back. */
const setBackMs = 1_000;

/** So many processes may die at one instance before it is parked. */
export const deathsMax = 3;

export interface Taken {
  readonly instances: readonly LoadedInstance[];
  /** Whether there may be more that is due now. */
  readonly full: boolean;
  /** Until the next one is due; null: none is. */
  readonly nextMs: number | null;
}

/** May have ended the process that had it in memory. */
export interface Suspect {
  readonly id: number;
  readonly held: HeldLane;
  /** A process has begun it as a suspect before and did not get far: from now on it runs alone. */
  readonly alone: boolean;
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
  /** The latest time of the database's clock that was seen. */
  #latestMs = 0;

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
    await this.#noteTime(Number(row?.['now_ms']));
    const instances = row?.['instances'] as Parameters<typeof toLoadedInstance>[0][];
    return {
      instances: instances.map(toLoadedInstance),
      full: row?.['looked_at'] === limit,
      nextMs: (row?.['next_ms'] as number | null | undefined) ?? null,
    };
  }

  async #noteTime(nowMs: number): Promise<void> {
    const isSetBack = nowMs < this.#latestMs - setBackMs;
    this.#latestMs = isSetBack ? nowMs : Math.max(this.#latestMs, nowMs);
    if (isSetBack) await this.wakeEarly(this.#lanes().map(({ lane }) => lane));
  }

  /** Makes due what was due before the clock was set back. */
  async wakeEarly(lanes: readonly number[]): Promise<void> {
    await run(this.#services.database.operations, sql.wake_early, [...this.#scope, lanes]);
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
  ): Promise<readonly { readonly id: number; readonly keyHash: number; readonly begunBefore: boolean }[]> {
    const { database } = this.#services;
    await run(database.operations, sql.wake_found, [...this.#scope, lanes]);
    const rows = await run(database.operations, sql.suspects, [...this.#scope, lanes]);
    return rows.map((row) => ({
      id: row['id'] as number,
      keyHash: row['key_hash'] as number,
      begunBefore: row['begun_before'] as boolean,
    }));
  }

  /**
   * Commits that this process begins the instances, before any of their code runs; answers how many processes have died over each alone.
   * Those at `deathsMax` may not begin, and those that are left out are another process's.
   */
  async beginSuspects(
    suspects: readonly Suspect[],
    { together }: { readonly together: boolean },
  ): Promise<ReadonlyMap<number, number>> {
    const { database, consumer, process, testStep } = this.#services;
    await testStep?.('workflow.before-suspect');
    const begun = suspects.map(({ id, held: { lane, token } }) => ({ id, lane, token }));
    const values = [consumer.id, JSON.stringify(begun), process.incarnation, together, deathsMax];
    const rows = await run(database.operations, sql.begin_suspects, values);
    await testStep?.('workflow.after-suspect');
    return new Map(rows.map((row) => [row['id'] as number, row['deaths'] as number]));
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
