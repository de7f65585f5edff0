import type pg from 'pg';
import { run } from '../../postgres/index.ts';
import type { Replay } from '../request/replay.ts';
import { advanceState, finishReplay, readCounts } from '../run-port.ts';
import { unreleased } from './release-events.ts';
import { runQueries } from './run-queries.ts';

/** What a replay came to, as it is stored with its end. */
export interface ReplayOutcome {
  readonly selected: number;
  readonly handled: number;
  readonly failed: number;
  /** Not handled, because an event of their key before them failed. */
  readonly behindFailed: number;
  readonly effects: readonly {
    readonly name: string;
    readonly disposition: string;
    readonly count: number;
  }[];
  readonly published: number;
  readonly suppressed: number;
  /** Fingerprints that live events never had. */
  readonly newFailures: readonly string[];
  readonly seconds: number;
  /** What live consumers felt: their worst moment as a share of what was promised, and how long the replay gave way. */
  readonly live: { readonly worst: number; readonly yieldedSeconds: number };
}

/** Before it ends: every selected event is handled under this replay, or on record as failed. */
export const verifyReplay = async (
  pool: pg.Pool,
  replay: Replay,
  testStep?: (step: 'replay.before-finish' | 'replay.after-finish') => Promise<void> | void,
): Promise<void> => {
  const { id, freeze, consumerId } = replay;
  const [missing] =
    replay.mode === 'release'
      ? [await unreleased(pool, replay)]
      : await run(pool, runQueries.unaccounted, [id, freeze, consumerId]);
  const count = Number(missing?.['count']);
  if (count > 0) {
    const events = count === 1 ? '1 event is' : `${count} events are`;
    const reason = `${events} neither handled nor failed; the first is at position ${missing?.['first']}`;
    await advanceState(pool, { id, step: 'fail', reason });
    return;
  }
  const counts = await readCounts(pool, replay);
  const [sums] = await run(pool, runQueries.run_sums, [id]);
  const sum = (name: string): number => Number(sums?.[name]);
  const outcome: ReplayOutcome = {
    selected: counts.selected,
    handled: counts.handled,
    failed: counts.quarantined,
    behindFailed: counts.parked,
    effects: counts.effects,
    published: sum('published'),
    suppressed: sum('suppressed'),
    newFailures: counts.failures.filter(({ known }) => !known).map(({ fingerprint }) => fingerprint),
    seconds: Math.round(sum('seconds') * 10) / 10,
    live: { worst: Math.round(sum('danger_max') * 100) / 100, yieldedSeconds: sum('yielded_seconds') },
  };
  await testStep?.('replay.before-finish');
  await finishReplay(pool, { id, outcome: { ...outcome }, failures: counts.handled < counts.selected });
  await testStep?.('replay.after-finish');
};
