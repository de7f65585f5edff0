import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nextReleaseState, type ReleaseCounts, type ReleaseFacts } from './release-state.ts';

const none: ReleaseCounts = { selected: 0, sent: 0, handled: 0, failed: 0, gone: 0 };
const facts = (given: Partial<ReleaseFacts>): ReleaseFacts => ({
  state: 'releasing',
  canary: none,
  rest: none,
  stopAfter: 10,
  retired: false,
  ...given,
});
const rest = { ...none, selected: 5 };

describe('a release', () => {
  it.each([
    ['waits for its canary', { state: 'canary', canary: { ...none, handled: 2, sent: 1 }, rest }, 'canary'],
    [
      'waits for what was not sent',
      { state: 'canary', canary: { ...none, handled: 2, selected: 1 }, rest },
      'canary',
    ],
    [
      'goes on when the canary is handled',
      { state: 'canary', canary: { ...none, handled: 3 }, rest },
      'releasing',
    ],
    [
      'goes on without the part of it that was discarded',
      { state: 'canary', canary: { ...none, handled: 2, gone: 1 }, rest },
      'releasing',
    ],
    [
      'stops when nothing is left to learn from',
      { state: 'canary', canary: { ...none, gone: 3 }, rest },
      'stopped',
    ],
    [
      'stops when one of the canary fails',
      { state: 'canary', canary: { ...none, handled: 2, failed: 1 }, rest },
      'stopped',
    ],
    [
      'stops at once, not only when all have ended',
      { state: 'canary', canary: { ...none, sent: 2, failed: 1 }, rest },
      'stopped',
    ],
    ['is done when the canary was all', { state: 'canary', canary: { ...none, handled: 3 } }, 'done'],
    ['goes on while few fail', { rest: { ...rest, failed: 9 } }, 'releasing'],
    ['stops when too many do', { rest: { ...rest, failed: 10 } }, 'stopped'],
    ['waits for the last one', { rest: { ...none, sent: 1, handled: 9 } }, 'releasing'],
    [
      'is done when all have ended, failed ones too',
      { rest: { ...none, handled: 9, failed: 1, gone: 2 } },
      'done',
    ],
    ['stops when its consumer is retired', { rest, retired: true }, 'stopped'],
    ['stays stopped', { state: 'stopped', rest }, 'stopped'],
    ['stays cancelled', { state: 'cancelled', canary: { ...none, handled: 3 }, rest }, 'cancelled'],
  ] as const)('%s', (_what, given, expected) => {
    expect(nextReleaseState(facts(given)).state).toBe(expected);
  });

  it('says why it stopped', () => {
    expect(nextReleaseState(facts({ rest: { ...rest, failed: 12 } })).reason).toBe('12 failed again');
  });

  it('never sends the rest before every event of the canary has ended and none has failed', () => {
    const count = fc.nat({ max: 5 });
    const counts = fc.record({ selected: count, sent: count, handled: count, failed: count, gone: count });
    fc.assert(
      fc.property(counts, counts, (canary, others) => {
        const { state } = nextReleaseState(facts({ state: 'canary', canary, rest: others }));
        if (state === 'releasing') {
          expect(canary.selected + canary.sent + canary.failed).toBe(0);
          expect(canary.handled).toBeGreaterThan(0);
        }
      }),
    );
  });
});
