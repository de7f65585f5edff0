import { expect, test } from 'vitest';
import type { Picture, SeenConsumer, SeenLane, SeenProcess } from '../membership/picture.ts';
import { noBarrier } from '../runner.ts';
import { type Holding, type LaneView, planLanes } from './plan-lanes.ts';

const consumer = (leading = 1, latest = leading): SeenConsumer => ({
  id: 7,
  name: 'orders',
  formerNames: [],
  version: 1,
  state: 'live',
  leading,
  latest,
  pausedReason: null,
  pausedBy: null,
  pausedAt: null,
  held: [],
});

const process = (id: number, generation = 1, covers: readonly number[] = [generation]): SeenProcess => ({
  id,
  beat: 1,
  declared: { 7: { generation, covers } },
  session: 'held',
});

const lanes = (owners: readonly (number | null)[], change: Partial<SeenLane> = {}): SeenLane[] =>
  owners.map((owner, lane) => ({
    consumerId: 7,
    lane,
    generation: 1,
    token: 5,
    owner,
    stopAt: noBarrier,
    position: 100,
    ...change,
  }));

const holding = (held: readonly number[], change: Partial<Holding> = {}): Holding => ({
  consumerId: 7,
  tokens: new Map(held.map((lane) => [lane, 5])),
  stopAt: noBarrier,
  busy: false,
  ...change,
});

interface Given {
  readonly processes: readonly SeenProcess[];
  readonly lanes: readonly SeenLane[];
  readonly holding?: Holding;
  readonly live?: readonly number[];
  readonly consumer?: SeenConsumer;
  readonly settled?: boolean;
}

const plan = (
  given: Given,
): Record<'take' | 'release' | 'drop', number[]> & { handOver: readonly number[] } => {
  const picture: Picture = {
    known: true,
    processes: given.processes,
    consumers: [given.consumer ?? consumer()],
    lanes: given.lanes,
    requests: [],
    due: new Set(),
    chores: new Set(),
  };
  const view: LaneView = {
    self: 1,
    live: given.live ?? given.processes.map(({ id }) => id),
    picture,
    holdings: [given.holding ?? holding([])],
    settled: given.settled ?? true,
  };
  const { take, release, drop, handOver } = planLanes(view);
  const numbers = (refs: readonly { readonly lane: number }[]): number[] => refs.map(({ lane }) => lane);
  return { take: numbers(take), release: numbers(release), drop: numbers(drop), handOver };
};

test('a process alone takes every free lane', () => {
  expect(plan({ processes: [process(1)], lanes: lanes([null, null, null]) }).take).toEqual([0, 1, 2]);
});

test('lanes of a dead process are taken, those of a living one are not', () => {
  const given = { processes: [process(1), process(2)], lanes: lanes([2, 2, 2, 2]) };
  expect(plan(given).take).toEqual([]);
  expect(plan({ ...given, live: [1] }).take).toEqual([0, 1, 2, 3]);
});

test('what is beyond the share is released to who joined, once nobody comes or goes', () => {
  const given = {
    processes: [process(1), process(2)],
    lanes: lanes([1, 1, 1, 1]),
    holding: holding([0, 1, 2, 3]),
  };
  expect(plan(given).release).toEqual([2, 3]);
  expect(plan({ ...given, settled: false }).release).toEqual([]);
  expect(plan({ ...given, holding: holding([0, 1, 2, 3], { busy: true }) }).release).toEqual([]);
});

test('lanes that this process dropped in doubt are taken again, or given back when others should have them', () => {
  const owned = lanes([1, 1, 1, 1]);
  expect(plan({ processes: [process(1)], lanes: owned }).take).toEqual([0, 1, 2, 3]);
  const shared = plan({ processes: [process(1), process(2)], lanes: owned, settled: false });
  expect(shared.release).toEqual([0, 1]);
  expect(shared.take).toEqual([2, 3]);
});

test('a lane whose token rose is dropped, also while a step is under way', () => {
  const given = {
    processes: [process(1), process(2)],
    lanes: lanes([2, 1], { token: 6 }),
    holding: holding([0], { busy: true }),
  };
  expect(plan(given).drop).toEqual([0]);
});

test('a barrier makes an owner take its lanes again with it, and then stop there', () => {
  const given = {
    processes: [process(1)],
    consumer: consumer(1, 2),
    lanes: lanes([1, 1], { stopAt: 200 }),
  };
  expect(plan({ ...given, holding: holding([0, 1]) }).release).toEqual([0, 1]);
  expect(plan({ ...given, holding: holding([0, 1], { stopAt: 200 }) }).release).toEqual([]);
});

test('when all lanes stand at the barrier they are released, and then handed over', () => {
  const at = { stopAt: 200, position: 200 };
  const held = plan({
    processes: [process(1)],
    consumer: consumer(1, 2),
    lanes: lanes([1, 1], at),
    holding: holding([0, 1], { stopAt: 200 }),
  });
  expect(held).toMatchObject({ release: [0, 1], handOver: [] });
  const free = plan({ processes: [process(1)], consumer: consumer(1, 2), lanes: lanes([null, null], at) });
  expect(free).toMatchObject({ take: [], handOver: [7] });
});

test('code of an earlier generation gives its lanes to code of the leading one, and runs them only when that is gone', () => {
  const given = {
    processes: [process(1, 1), process(2, 2, [1, 2])],
    consumer: consumer(2),
    lanes: lanes([1, 1]),
    holding: holding([0, 1]),
  };
  expect(plan(given).release).toEqual([0, 1]);
  expect(plan({ ...given, lanes: lanes([null, null]), holding: holding([]) }).take).toEqual([]);
  expect(plan({ ...given, lanes: lanes([null, null]), holding: holding([]), live: [1] }).take).toEqual([
    0, 1,
  ]);
});

test('before the barrier either code runs the lanes, but not code that lacks one of their types', () => {
  const given = {
    processes: [process(1, 2, [1, 2]), process(2, 1)],
    consumer: consumer(1, 2),
    lanes: lanes([null, null], { stopAt: 200 }),
  };
  expect(plan(given).take).toHaveLength(1);
  expect(plan({ ...given, processes: [process(1, 2, [2]), process(2, 1)] }).take).toEqual([]);
  expect(plan({ ...given, processes: [process(1, 2, [2])] }).take).toEqual([0, 1]);
});
