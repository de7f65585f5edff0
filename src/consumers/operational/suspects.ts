import { FactlineError } from '../../foundation/index.ts';
import { loadQueries, run } from '../../postgres/index.ts';
import type { RunnerServices } from '../runner.ts';
import { type SuspectGate, suspectGateOf } from '../suspect-gate.ts';
import type { Outcome } from './attempt.ts';
import type { Entry } from './entry.ts';
import type { LaneWork } from './lane-work.ts';

const sql = loadQueries<'begin_suspect'>(new URL('./suspects.sql', import.meta.url));

/** So many processes may die at one event before its key is quarantined. */
export const deathsMax = 3;

export type SuspectVerdict = { readonly kind: 'run' } | { readonly kind: 'ended'; readonly outcome: Outcome };

/**
 * After an unclean takeover, whatever may have been in flight runs alone, and its attempt is on record before its handler
 * runs: code that runs after a failure can't count an event that ends the process.
 */
export class Suspects {
  readonly #services: RunnerServices;
  readonly #gate: SuspectGate;
  readonly #onFree: () => void;

  constructor(services: RunnerServices, onFree: () => void) {
    this.#services = services;
    this.#gate = suspectGateOf(services.database);
    this.#onFree = onFree;
  }

  /** Whether the suspect may begin now; if not, `onFree` is called when it may be tried again. */
  tryBegin(entry: Entry): boolean {
    return this.#gate.tryEnter(entry, this.#onFree);
  }

  end(entry: Entry): void {
    this.#gate.leave(entry);
  }

  /** Commits the attempt before it is made; or the event has killed enough processes. */
  async record(entry: Entry, lane: LaneWork): Promise<SuspectVerdict> {
    const { database, consumer, process, testStep } = this.#services;
    await testStep?.('operational.before-suspect');
    const [row] = await run(database.operations, sql.begin_suspect, [
      consumer.id,
      entry.lane,
      lane.lease.token,
      entry.key,
      entry.keyHash,
      entry.position,
      process.incarnation,
      entry.event.id,
      entry.event.type,
      deathsMax,
      entry.replay?.id ?? 0,
    ]);
    await testStep?.('operational.after-suspect');
    if (row?.['fenced'] !== 1) return { kind: 'ended', outcome: { kind: 'lost' } };
    const deaths = Number(row['deaths']);
    if (row['recorded'] === 0) {
      const details = { eventId: entry.event.id, attempts: deaths, id: `(event ${entry.event.id})` };
      return {
        kind: 'ended',
        outcome: { kind: 'failed', error: new FactlineError('KILLED_PROCESS', details) },
      };
    }
    entry.parked = true;
    return { kind: 'run' };
  }
}
