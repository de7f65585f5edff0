import type { Queryable } from '../postgres/index.ts';
import { type AuditRecord, listAudit } from './audit/audit.ts';
import type { Predicted } from './estimate/estimate.ts';
import { exactly } from './estimate/intervals.ts';
import { countArrivedSince, countJoinedSince } from './freeze/freeze.ts';
import { findReplayed, readLogEnd } from './request/plan.ts';
import { type Replay, readReplay } from './request/replay.ts';
import { type ReplayCounts, readCounts } from './run-port.ts';
import { type Compared, readCompared, readDifferences, type ShadowDifference } from './shadow/run-shadow.ts';

/** A number that was predicted beside what it came to. */
export interface EstimatedAgainstActual {
  readonly what: string;
  readonly estimated: Predicted;
  readonly actual: number;
  readonly within: boolean;
}

export interface ReplayReport {
  readonly replay: Replay;
  readonly counts: ReplayCounts;
  readonly comparison: readonly EstimatedAgainstActual[];
  /** From its beginning, or until now. */
  readonly runSeconds: number | null;
  /** What was estimated for that; null: nothing was. */
  readonly estimatedSeconds: number | null;
  /** Of a shadow: what came to something else, the first hundred. */
  readonly differences: readonly ShadowDifference[];
  readonly compared: Compared | null;
  /** Events that match and came after the freeze; they are no part of it. Null before the freeze, or where nothing came. */
  readonly arrivedSince: { readonly count: number; readonly exact: boolean } | null;
  /** Everything on record, the first first. */
  readonly timeline: readonly AuditRecord[];
}

const timelineMax = 1_000;

/** What was asked, approved, estimated, and what it came to; at any time. @throws FactlineError REPLAY_UNKNOWN */
export const reportReplay = async (on: Queryable, id: number): Promise<ReplayReport> => {
  const replay = await readReplay(on, id);
  const counts = await readCounts(on, replay);
  const end = await readLogEnd(on);
  const timeline = await listAudit(on, { target: `replay ${id}`, limit: timelineMax });
  const { beganAt, endedAt } = replay;
  return {
    replay,
    counts,
    compared: replay.mode === 'shadow' ? await readCompared(on, replay) : null,
    differences: replay.mode === 'shadow' ? await readDifferences(on, replay) : [],
    comparison: beganAt === null ? [] : comparisonOf(replay, counts),
    runSeconds: beganAt === null ? null : secondsBetween(beganAt, endedAt ?? end.now),
    estimatedSeconds: replay.estimate?.blastRadius.durationSeconds?.likely ?? null,
    arrivedSince: await arrivedSince(on, replay, end.head),
    timeline: timeline.reverse(),
  };
};

const secondsBetween = (from: string, to: string): number =>
  Math.round((Date.parse(to) - Date.parse(from)) / 100) / 10;

/** Each may be as low, or as high, as it was predicted: together a wide interval. */
const sumOf = (predictions: readonly Predicted[]): Predicted => {
  const sum = (of: keyof Predicted): number => predictions.reduce((total, each) => total + each[of], 0);
  return { likely: sum('likely'), low: sum('low'), high: sum('high') };
};

const comparisonOf = (
  { estimate, manifest, mode, outcome }: Replay,
  counts: ReplayCounts,
): readonly EstimatedAgainstActual[] => {
  // A rebuild counts nothing event by event: its build was compared as a whole.
  if (estimate === null || mode === 'blue-green' || mode === 'shadow') return [];
  const compare = (what: string, estimated: Predicted, actual: number): EstimatedAgainstActual => ({
    what,
    estimated,
    actual,
    within: actual >= estimated.low && actual <= estimated.high,
  });
  const happened = (name: string): number =>
    counts.effects.find((effect) => effect.name === name && effect.disposition === 'executed')?.count ?? 0;
  const { sample, profile, fanOut } = estimate;
  const failed =
    sample === null
      ? []
      : [compare('failed', failuresOf(sample.errorRate, profile.events), counts.quarantined)];
  const executed = manifest.effects.policy === 'execute' || mode === 'release';
  const published = manifest.publish === 'publish';
  const derived = sumOf(fanOut.derived.map(({ predicted }) => predicted));
  return [
    compare('handled', exactly(profile.events - (failed[0]?.estimated.likely ?? 0)), counts.handled),
    ...failed,
    ...fanOut.effects.map(({ name, predicted }) =>
      compare(`effect ${name}`, executed ? predicted : exactly(0), happened(name)),
    ),
    ...(outcome === null || mode !== 'redeliver'
      ? []
      : [compare('published', published ? derived : exactly(0), Number(outcome['published']))]),
  ];
};

const failuresOf = (rate: Predicted, events: number): Predicted => ({
  likely: Math.round(rate.likely * events),
  low: Math.floor(rate.low * events),
  high: Math.ceil(rate.high * events),
});

const arrivedSince = async (
  on: Queryable,
  replay: Replay,
  head: number,
): Promise<ReplayReport['arrivedSince']> => {
  const { manifest, frozen, consumer } = replay;
  const { selection } = manifest;
  if (frozen === null) return null;
  if (selection.source === 'quarantine') return countJoinedSince(on, replay, selection);
  if (head <= frozen.ceiling) return null;
  const { types } = await findReplayed(on, consumer);
  return countArrivedSince(on, {
    selection: { ...selection, to: null },
    types,
    ceiling: frozen.ceiling,
    head,
  });
};
