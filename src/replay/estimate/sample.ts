import {
  type ConsumerDefinition,
  type DryRunOptions,
  type DryRunOutcome,
  dryRun,
} from '../../consumers/index.ts';
import type { Clock } from '../../foundation/index.ts';
import { readPositions } from '../../log/index.ts';
import { type Database, loadQueries, run } from '../../postgres/index.ts';
import type { ReplayManifest } from '../request/manifest.ts';
import type { SampleRun } from './estimate.ts';
import { meanOf, wilson } from './intervals.ts';

const sql = loadQueries<'sample_positions'>(new URL('./estimate.sql', import.meta.url));

const sampleMin = 200;
const chunk = 20;
const withinMs = 20_000;
const errorsShown = 10;

export interface SampleRequest {
  readonly id: number;
  readonly freeze: number;
  readonly events: number;
  readonly types: number;
  readonly definition: ConsumerDefinition;
  readonly manifest: ReplayManifest;
  readonly source: string;
  readonly database: Database;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** Handles a sample with the current code, every type in it, and takes everything back. Ends early when it takes long. */
export const runSample = async (request: SampleRequest): Promise<SampleRun> => {
  const { id, freeze, events, types, database, clock, signal } = request;
  const wanted = Math.min(events, Math.max(sampleMin, Math.ceil(Math.sqrt(events))));
  // What a rare type leaves of its share goes to the others.
  const rows = await run(database.operations, sql.sample_positions, [id, freeze, wanted, wanted]);
  const stored = await readPositions(
    database.operations,
    rows.map((row) => Number(row['position'])).sort((a, b) => a - b),
  );
  const until = clock.monotonic() + withinMs;
  const replay = termsOf(request);
  const outcomes: DryRunOutcome[] = [];
  for (let begin = 0; begin < stored.length && clock.monotonic() < until; begin += chunk) {
    const some = stored.slice(begin, begin + chunk);
    const { definition: consumer, source } = request;
    outcomes.push(...(await dryRun({ consumer, source, events: some, database, clock, signal, ...replay })));
  }
  return summaryOf(outcomes, Math.max(wanted, types));
};

/** A handler may do otherwise when it handles something again, and is tried as it will be asked. What waits in quarantine is no repeat. */
const termsOf = ({ id, manifest }: SampleRequest): Pick<DryRunOptions, 'replay'> => {
  const { selection, effects, publish, rate } = manifest;
  if (selection.source === 'quarantine') return {};
  return { replay: { id, effects: effects.policy, publish, rate: rate.ceiling } };
};

const summaryOf = (outcomes: readonly DryRunOutcome[], wanted: number): SampleRun => {
  const counts = { 'would-change': 0, 'no-op': 0, 'effect-attempted': 0, error: 0 };
  const effects: Record<string, number> = Object.create(null);
  for (const { outcome, effects: attempted } of outcomes) {
    counts[outcome] += 1;
    for (const name of attempted) effects[name] = (effects[name] ?? 0) + 1;
  }
  const byFingerprint = Map.groupBy(
    outcomes.flatMap(({ error }) => error ?? []),
    ({ fingerprint }) => fingerprint,
  );
  const errors = [...byFingerprint]
    .map(([fingerprint, [first, ...rest]]) => ({
      fingerprint,
      code: first?.code ?? '',
      message: first?.message ?? '',
      events: rest.length + 1,
    }))
    .sort((a, b) => b.events - a.events);
  return {
    events: outcomes.length,
    wanted,
    outcomes: counts,
    errorRate: wilson(counts.error, outcomes.length),
    errors: errors.slice(0, errorsShown),
    effects: { ...effects },
    meanMs: Math.round(meanOf(outcomes.map(({ elapsedMs }) => elapsedMs)) * 10) / 10,
  };
};
