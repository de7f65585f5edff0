/**
 * What one process does about lanes after a look at everybody. Pure.
 *
 *   free, or owner dead, or mine but not held  ── fewer than my share ──►  take
 *   held by me                                 ── more than my share ───►  release (to a process that has too few)
 *   all lanes at the barrier                   ─────────────────────────►  release, then hand over
 *   held by me, but another's in the database  ─────────────────────────►  drop
 */
import type { Declared, Picture, SeenConsumer, SeenLane } from '../membership/picture.ts';
import { noBarrier } from '../runner.ts';
import { fairShares } from './fair-shares.ts';

/** What this process holds of one consumer. */
export interface Holding {
  readonly consumerId: number;
  /** The token of each lane held, by lane. */
  readonly tokens: ReadonlyMap<number, number>;
  /** The barrier that the held leases know; `noBarrier` when nothing is held. */
  readonly stopAt: number;
  /** An earlier step is still under way: lanes are neither taken nor released, only dropped. */
  readonly busy: boolean;
}

export interface LaneView {
  readonly self: number;
  readonly live: readonly number[];
  readonly picture: Picture;
  readonly holdings: readonly Holding[];
  /** False while processes come and go: then nothing is released only for the sake of balance. */
  readonly settled: boolean;
}

export interface LaneRef {
  readonly consumerId: number;
  readonly lane: number;
  readonly token: number;
}

export interface LanePlan {
  readonly take: readonly LaneRef[];
  readonly release: readonly LaneRef[];
  readonly drop: readonly LaneRef[];
  /** Consumers whose next generation may begin. */
  readonly handOver: readonly number[];
}

export const planLanes = (view: LaneView): LanePlan => {
  const lanes = Map.groupBy(view.picture.lanes, (lane) => lane.consumerId);
  const consumers = new Map(view.picture.consumers.map((consumer) => [consumer.id, consumer]));
  const shares = shareOut(view, lanes);
  const plans = view.holdings.map((holding) => {
    const rows = lanes.get(holding.consumerId) ?? [];
    const consumer = consumers.get(holding.consumerId);
    const share = shares.get(holding.consumerId)?.get(view.self) ?? 0;
    return planConsumer({ view, holding, rows, share: consumer === undefined ? 0 : share });
  });
  return {
    take: plans.flatMap((plan) => plan.take),
    release: plans.flatMap((plan) => plan.release),
    drop: plans.flatMap((plan) => plan.drop),
    handOver: plans.flatMap((plan) => plan.handOver),
  };
};

const shareOut = (
  view: LaneView,
  lanes: ReadonlyMap<number, readonly SeenLane[]>,
): ReturnType<typeof fairShares> =>
  fairShares(
    view.picture.consumers.map((consumer) => {
      const rows = lanes.get(consumer.id) ?? [];
      const held = new Map<number, number>();
      for (const { owner } of rows) if (owner !== null) held.set(owner, (held.get(owner) ?? 0) + 1);
      return { consumerId: consumer.id, lanes: rows.length, eligible: eligible(view, consumer), held };
    }),
  );

/**
 * Who may work the lanes of the leading generation: processes that declare it, or a later one, and have code for all of
 * its types; without such a process those that at least declare it or a later one; without these (a rolled-back deploy)
 * those of the newest earlier declaration, which park what they have no code for.
 */
const eligible = (view: LaneView, consumer: SeenConsumer): readonly number[] => {
  const live = new Set(view.live);
  const candidates: (Declared & { readonly process: number })[] = [];
  for (const process of view.picture.processes) {
    const declared = process.declared[String(consumer.id)];
    if (declared !== undefined && live.has(process.id)) candidates.push({ ...declared, process: process.id });
  }
  const current = candidates.filter((each) => each.generation >= consumer.leading);
  const capable = current.filter((each) => each.covers.includes(consumer.leading));
  const newest = Math.max(...candidates.map((each) => each.generation));
  const chosen =
    capable.length > 0
      ? capable
      : current.length > 0
        ? current
        : candidates.filter((each) => each.generation === newest);
  return chosen.map((each) => each.process).sort((left, right) => left - right);
};

interface ConsumerView {
  readonly view: LaneView;
  readonly holding: Holding;
  readonly rows: readonly SeenLane[];
  readonly share: number;
}

const planConsumer = ({ view, holding, rows, share }: ConsumerView): LanePlan => {
  const drop = lost(holding, rows);
  if (holding.busy) return { take: [], release: [], drop, handOver: [] };
  const owned = rows.filter((row) => row.owner === view.self);
  const barrier = rows[0]?.stopAt ?? noBarrier;
  if (barrier < noBarrier && rows.every((row) => row.position >= barrier)) {
    const free = rows.every((row) => row.owner === null || !view.live.includes(row.owner));
    return { take: [], release: owned.map(toRef), drop, handOver: free ? [holding.consumerId] : [] };
  }
  // A barrier that the leases held do not know yet: they are given back and taken again with it.
  if (holding.tokens.size > 0 && holding.stopAt !== barrier) {
    return { take: [], release: owned.map(toRef), drop, handOver: [] };
  }
  return { ...balance({ view, holding, rows, share }), drop, handOver: [] };
};

/** Takes what is missing to the share, releases what is beyond it. */
const balance = ({ view, holding, rows, share }: ConsumerView): Pick<LanePlan, 'take' | 'release'> => {
  const owned = rows.filter((row) => row.owner === view.self);
  const held = owned.filter((row) => holding.tokens.get(row.lane) === row.token);
  // Lanes that were dropped when this process doubted its leases; the database still names it as their owner.
  const dropped = owned.filter((row) => holding.tokens.get(row.lane) !== row.token);
  const surplus = Math.max(owned.length - share, 0);
  const givenBack = dropped.slice(0, surplus);
  const released = view.settled ? held.slice(held.length - (surplus - givenBack.length)) : [];
  const free = rows.filter(
    (row) => row.owner === null || !(row.owner === view.self || view.live.includes(row.owner)),
  );
  const wanted = [...dropped.slice(givenBack.length), ...free].slice(0, Math.max(share - held.length, 0));
  return { take: wanted.map(toRef), release: [...givenBack, ...released].map(toRef) };
};

/** Held here, but not (any more) under this token in the database. */
const lost = (holding: Holding, rows: readonly SeenLane[]): readonly LaneRef[] => {
  const tokens = new Map(rows.map((row) => [row.lane, row.token]));
  return [...holding.tokens]
    .filter(([lane, token]) => (tokens.get(lane) ?? Number.POSITIVE_INFINITY) > token)
    .map(([lane, token]) => ({ consumerId: holding.consumerId, lane, token }));
};

const toRef = ({ consumerId, lane, token }: SeenLane): LaneRef => ({ consumerId, lane, token });
