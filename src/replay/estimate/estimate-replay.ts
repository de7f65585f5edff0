import type pg from 'pg';
import { contractSetOf, type Handler } from '../../consumers/index.ts';
import { type Clock, FactlineError } from '../../foundation/index.ts';
import { type Database, loadQueries, run } from '../../postgres/index.ts';
import type { Actor } from '../authority/actor.ts';
import { dropFreezes, type FrozenRows, freezeSelection } from '../freeze/freeze.ts';
import { settledPosition } from '../freeze/settled.ts';
import { actOnReplay } from '../lifecycle/move-replay.ts';
import {
  definitionOf,
  findReplayed,
  type ReplayCode,
  type ReplayedConsumer,
  readLogEnd,
} from '../request/plan.ts';
import { type Replay, readReplay } from '../request/replay.ts';
import { otherCode } from '../run-port.ts';
import { type BlastFacts, blastRadiusOf } from './blast-radius.ts';
import { approvedDigest } from './digest.ts';
import type { ReplayEstimate } from './estimate.ts';
import { observeFanOut, readersOf } from './fan-out.ts';
import { profileSelection } from './profile.ts';
import { runSample } from './sample.ts';

const sql = loadQueries<'finish_estimate'>(new URL('./estimate.sql', import.meta.url));

/** How long a frozen selection and its estimate hold. */
const holdsHours = 24;

export interface EstimateRequest {
  readonly actor: Actor;
  readonly id: number;
  readonly code: ReplayCode;
  /** The app's name, as the source of what a sample would publish. */
  readonly source: string;
  /** Without the run of a sample by the current code. */
  readonly withoutSample?: boolean;
  /** Of a selection that reaches over more positions, a sample is looked at first; default 250,000. */
  readonly sampledAbove?: number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/**
 * Freezes the selection, estimates what handling it would come to, and stores both for 24 hours. What was approved before is void.
 * @throws FactlineError REPLAY_SELECTION_REFUSED, REPLAY_STEP_REFUSED, REPLAY_CHANGED, CONSUMER_UNKNOWN, FORBIDDEN
 */
export const estimateReplay = async (database: Database, request: EstimateRequest): Promise<Replay> => {
  const { actor, id } = request;
  const pool = database.operations;
  const before = await readReplay(pool, id);
  assertSameCode(before, request.code);
  const { freeze } = await actOnReplay(pool, { actor, act: 'replay.estimate', id, step: 'estimate' });
  // Another estimate may have begun since: this one goes on under its own number, and ends in vain.
  const replay = { ...(await readReplay(pool, id)), freeze };
  try {
    const estimated = await estimate(database, request, replay);
    const details = {
      events: estimated.frozen.selected,
      eventsWithin: estimated.frozen.selectedWithin,
      ceiling: estimated.frozen.ceiling,
      digest: estimated.digest,
    };
    await actOnReplay(
      pool,
      { actor, act: 'replay.estimate', id, step: 'estimated', details },
      async (client) => {
        const stored = await run(client, sql.finish_estimate, valuesOf(replay, estimated));
        if (stored.length === 0) throw overtaken(id);
      },
    );
  } catch (error) {
    throw await giveUp(database, request, { freeze: replay.freeze, error });
  }
  await dropFreezes(pool, id, { before: replay.freeze });
  return readReplay(pool, id);
};

/** The code at hand decides what a sample shows, and its version is part of what is approved. */
export const assertSameCode = (replay: Replay, code: ReplayCode): void => {
  if (code.codeVersion === replay.codeVersion) return;
  const what = `it was planned with the code ${replay.codeVersion}, this is ${code.codeVersion}; plan it anew: npx factline replay plan --revise ${replay.id}`;
  throw new FactlineError('REPLAY_CHANGED', { replay: replay.id, what });
};

/** Somebody else has begun another estimate, or edited it meanwhile. */
const overtaken = (id: number, cause?: unknown): FactlineError =>
  new FactlineError(
    'REPLAY_CHANGED',
    { replay: id, what: 'it was estimated or edited meanwhile' },
    { cause },
  );

/** A refused estimate leaves a draft, not half an estimate. Answers what it failed with. */
const giveUp = async (
  { operations: pool }: Database,
  { actor, id }: EstimateRequest,
  { freeze, error }: { readonly freeze: number; readonly error: unknown },
): Promise<unknown> => {
  // Its rows go also when another estimate has taken over and has cleared away already.
  await dropFreezes(pool, id, { before: freeze + 1 });
  const current = await readReplay(pool, id);
  // Whatever it stumbled over: its frozen rows may be gone since the other one cleared away.
  if (current.freeze !== freeze) return overtaken(id, error);
  if (current.state !== 'estimating') return error;
  const details = { refused: FactlineError.is(error) ? error.message : String(error) };
  await actOnReplay(pool, { actor, act: 'replay.estimate', id, step: 'edit', details });
  return error;
};

interface Estimated {
  readonly frozen: FrozenRows;
  readonly digest: string;
  readonly epoch: string;
  readonly estimate: ReplayEstimate;
}

const valuesOf = (
  replay: Replay,
  { frozen, digest, epoch, estimate: made }: Estimated,
): readonly unknown[] => [
  replay.id,
  replay.freeze,
  frozen.ceiling,
  frozen.selected,
  frozen.selectedWithin?.low ?? null,
  frozen.selectedWithin?.high ?? null,
  frozen.excluded,
  digest,
  epoch,
  JSON.stringify(made),
  holdsHours,
];

const estimate = async (database: Database, request: EstimateRequest, replay: Replay): Promise<Estimated> => {
  const { code, sampledAbove, clock, signal } = request;
  const pool = database.operations;
  const consumer = await findReplayed(pool, replay.consumer);
  const definition = definitionOf(code, replay.consumer);
  const contracts = contractSetOf(definition);
  const types = consumer.types.filter((type) => definition.types.has(type));
  const settled = await settledPosition(database, { clock, signal });
  const end = await readLogEnd(pool);
  const { id, freeze, manifest } = replay;
  const { selection } = manifest;
  const { compactedBelow, epoch } = end;
  const place = { id, freeze, consumer };
  const frozen = await freezeSelection(pool, {
    ...place,
    types,
    selection,
    settled,
    compactedBelow,
    skipsPastFacts: definition.class === 'operational' && (definition as Handler).onBackfill !== 'handle',
    ...(sampledAbove === undefined ? {} : { sampledAbove }),
    clock,
    signal,
  });
  const shownKey = (key: string): string => contracts.shownKey(key);
  const profile = await profileSelection(pool, { ...place, frozen, shownKey });
  const events = frozen.selected;
  const fanOut = await observeFanOut(pool, { ...place, types, events, head: end.head });
  const noSample = whyNoSample(request, consumer);
  const { source } = request;
  const sampled = { id, freeze, events, types: profile.types.length, definition, manifest, source };
  const sample = noSample === null ? await runSample({ ...sampled, database, clock, signal }) : null;
  const readers = await readersOf(
    pool,
    fanOut.derived.map(({ type }) => type),
    consumer.id,
  );
  const concurrency = definition.class === 'operational' ? (definition as Handler).concurrency : null;
  const blastRadius = blastRadiusOf({
    consumer,
    manifest,
    profile,
    fanOut,
    sample,
    concurrency,
    readers,
    code: await codeOf(pool, { ...replay, consumerId: consumer.id }),
  });
  return {
    frozen,
    epoch,
    digest: approvedDigest({ ...replay, consumerId: consumer.id }, { ...frozen, rows: frozen.digest, epoch }),
    estimate: { at: end.now, profile, fanOut, sample, noSample, blastRadius },
  };
};

/** Other code that runs stands in the way of the run, except in the shadow: whoever tries it has it at hand. */
const codeOf = async (pool: pg.Pool, replay: Replay): Promise<BlastFacts['code']> => ({
  planned: replay.codeVersion,
  running: replay.mode === 'shadow' ? null : await otherCode(pool, replay),
});

const whyNoSample = ({ withoutSample }: EstimateRequest, consumer: ReplayedConsumer): string | null => {
  if (consumer.class === 'projection')
    return 'a rebuild is compared with the live table before it is switched';
  return withoutSample === true ? 'it was not asked for' : null;
};
