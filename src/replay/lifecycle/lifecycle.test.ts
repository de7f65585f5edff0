import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  hasEnded,
  isUnderWay,
  nextState,
  type ReplayState,
  type ReplayStep,
  replayStates,
  stepsFrom,
} from './lifecycle.ts';

const ends: readonly ReplayState[] = [
  'done',
  'done_with_failures',
  'aborted',
  'failed',
  'rejected',
  'expired',
];
const steps = [...new Set(replayStates.flatMap((state) => stepsFrom(state)))];

/** Walks with whatever steps come, possible or not, and gives every state on the way. */
const walk = (taken: readonly ReplayStep[]): ReplayState[] => {
  const path: ReplayState[] = ['draft'];
  for (const step of taken)
    path.push(nextState(path.at(-1) ?? 'draft', step) ?? (path.at(-1) as ReplayState));
  return path;
};
const walks = fc.array(fc.constantFrom(...steps), { maxLength: 60 });

describe('the life of a replay', () => {
  it('ends for good: nothing follows a final state, and exactly the final states have no steps', () => {
    expect(replayStates.filter(hasEnded)).toEqual(ends);
    fc.assert(
      fc.property(walks, (taken) => {
        const path = walk(taken);
        const end = path.findIndex(hasEnded);
        if (end >= 0) expect(new Set(path.slice(end)).size).toBe(1);
      }),
    );
  });

  it('never works on a consumer that was not approved since the last edit or estimate', () => {
    fc.assert(
      fc.property(walks, (taken) => {
        const path = walk(taken);
        for (const [index, state] of path.entries()) {
          if (!isUnderWay(state) || isUnderWay(path[index - 1] ?? 'draft')) continue;
          expect(path[index - 1]).toBe('approved');
        }
        for (const [index, state] of path.entries()) {
          if (state === 'approved' && path[index - 1] !== 'approved')
            expect(path[index - 1]).toBe('pending_approval');
        }
      }),
      { numRuns: 500 },
    );
  });

  it('can be aborted until it has ended, and only then not', () => {
    for (const state of replayStates)
      expect(nextState(state, 'abort')).toBe(hasEnded(state) ? null : 'aborted');
  });

  it('is reachable in every state, and every state that has not ended leads to done', () => {
    const reach = (from: ReplayState): Set<ReplayState> => {
      const found = new Set([from]);
      for (const state of found)
        for (const step of stepsFrom(state)) found.add(nextState(state, step) ?? state);
      return found;
    };
    expect([...reach('draft')].sort()).toEqual([...replayStates].sort());
    for (const state of replayStates) if (!hasEnded(state)) expect(reach(state)).toContain('done');
  });

  it('is never edited or estimated anew once it works', () => {
    for (const state of replayStates.filter(isUnderWay)) {
      expect(nextState(state, 'edit')).toBeNull();
      expect(nextState(state, 'estimate')).toBeNull();
    }
  });

  it('knows no step by the names that every object has', () => {
    expect(nextState('draft', 'constructor' as ReplayStep)).toBeNull();
    expect(nextState('draft', '__proto__' as ReplayStep)).toBeNull();
  });
});
