import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Distribution, fairShares } from './fair-shares.ts';

const sum = (numbers: Iterable<number>): number => [...numbers].reduce((total, each) => total + each, 0);

const distributions = (processes: readonly number[]): fc.Arbitrary<Distribution[]> =>
  fc
    .array(
      fc.record({
        lanes: fc.constantFrom(1, 1, 1, 4, 16, 17),
        eligible: fc.subarray([...processes], { minLength: 1 }),
        owners: fc.array(fc.constantFrom(...processes), { minLength: 17, maxLength: 17 }),
      }),
      { minLength: 1, maxLength: 12 },
    )
    .map((all) =>
      all.map(({ lanes, eligible, owners }, consumerId) => {
        const held = new Map<number, number>();
        for (const owner of owners.slice(0, lanes)) held.set(owner, (held.get(owner) ?? 0) + 1);
        return { consumerId, lanes, eligible, held };
      }),
    );

const asHeld = (all: readonly Distribution[]): Distribution[] => {
  const shares = fairShares(all);
  return all.map((each) => ({ ...each, held: shares.get(each.consumerId) ?? new Map() }));
};

test('every lane is given out once, and no two processes differ by more than one lane of a consumer', () => {
  fc.assert(
    fc.property(distributions([1, 2, 3, 4]), (all) => {
      const shares = fairShares(all);
      for (const { consumerId, lanes, eligible } of all) {
        const share = shares.get(consumerId);
        expect(sum(share?.values() ?? [])).toBe(lanes);
        expect([...(share?.keys() ?? [])]).toEqual(eligible);
        expect(
          Math.max(...(share?.values() ?? [])) - Math.min(...(share?.values() ?? [])),
        ).toBeLessThanOrEqual(1);
      }
    }),
  );
});

test('once everybody holds its share nothing moves any more', () => {
  fc.assert(
    fc.property(distributions([1, 2, 3]), (all) => {
      const settled = asHeld(all);
      expect(asHeld(settled)).toEqual(settled);
    }),
  );
});

test('consumers of one lane are spread over the processes, and stay where they are when that is fair', () => {
  const projections = (owners: readonly number[], eligible: readonly number[]): Distribution[] =>
    owners.map((owner, consumerId) => ({ consumerId, lanes: 1, eligible, held: new Map([[owner, 1]]) }));
  const joined = asHeld(projections([1, 1, 1, 1, 1, 1], [1, 2]));
  const owners = joined.map(({ held }) => [...held].find(([, lanes]) => lanes === 1)?.[0] ?? 0);
  expect(owners.filter((owner) => owner === 1)).toHaveLength(3);
  const third = asHeld(projections(owners, [1, 2, 3]));
  const moved = third.filter(({ held }, index) => held.get(owners[index] ?? 0) !== 1);
  expect(moved).toHaveLength(2);
});

test('a consumer that only one process can work does not cost it the others', () => {
  const all: Distribution[] = [
    { consumerId: 1, lanes: 1, eligible: [1, 2], held: new Map([[1, 1]]) },
    { consumerId: 2, lanes: 1, eligible: [1], held: new Map([[1, 1]]) },
  ];
  const shares = fairShares(all);
  expect(shares.get(2)?.get(1)).toBe(1);
  expect(shares.get(1)?.get(2)).toBe(1);
});

test('without a process that may work it a consumer has no shares', () => {
  expect(fairShares([{ consumerId: 1, lanes: 4, eligible: [], held: new Map([[9, 4]]) }]).size).toBe(0);
});
