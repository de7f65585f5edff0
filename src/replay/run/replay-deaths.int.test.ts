import { describe, expect, test } from 'vitest';
import { OrderPlaced, placed, useTestBench } from '../../../test/operational/fixtures.ts';
import { beginReplayOf, carryOut, replayRunOf } from '../../../test/operational/replays.ts';
import { defineHandler, type Handler, redeliverySteps } from '../../consumers/index.ts';
import { replayRunSteps } from '../index.ts';

const bench = useTestBench();

const calls: string[] = [];
const definitions: Handler[] = [
  defineHandler({
    name: 'subject',
    on: [OrderPlaced],
    onReplay: 'reuse',
    lanes: 2,
    retry: { unclassified: { attempts: 1 } },
    handle: async ({ data }, { effect, transaction, replay }) => {
      await effect('call', async ({ idempotencyKey }) => void calls.push(idempotencyKey));
      if (replay !== null && data.orderId === 'bad' && data.n === 2)
        throw new TypeError('only in the replay');
      if (data.n % 2 === 0)
        await transaction(async (tx) => {
          await tx.query('insert into book values ($1, $2, $3)', [data.orderId, data.n, replay]);
        });
    },
  }),
];
const drafts = ['A', 'B', 'bad'].flatMap((orderId) => [1, 2, 3, 4].map((n) => placed(orderId, n)));

/** Where a replay passes by in the runner of the replay, and in the owner of the lane. */
const owners = [
  'operational.before-attempt',
  'operational.before-effect-start',
  'operational.after-effect-start',
  'operational.before-commit',
  'operational.after-commit',
  'operational.after-inbox',
  'operational.before-park',
  'operational.after-park',
  ...redeliverySteps,
];
/** The steps where the most can go wrong; FACTLINE_REPLAY_DEATHS=all: every one. */
const short = [
  'replay.in-hand-over',
  'replay.before-finish',
  'operational.before-commit',
  'operational.after-redeliver',
];
const steps = [...replayRunSteps, ...owners].filter(
  (step) => process.env['FACTLINE_REPLAY_DEATHS'] === 'all' || short.includes(step),
);

describe('a process that dies', () => {
  test.each(steps)(
    'at %s loses nothing of a replay, and doubles nothing',
    { timeout: 60_000 },
    async (step) => {
      calls.length = 0;
      let armed = false;
      let passes = 0;
      const dead = Promise.withResolvers<void>();
      const testStep = (at: string): Promise<void> | undefined => {
        // Not the first time, where it comes by again: what went before must be remembered.
        if (!armed || at !== step || (++passes < 2 && at.includes('hand-over'))) return undefined;
        dead.resolve();
        return new Promise<void>(() => {});
      };
      const first = await bench.launch({ definitions, testStep });
      await first.rows(
        'create table book (key text, n int, replay text, unique nulls not distinct (key, n, replay))',
      );
      await first.publish(...drafts);
      await first.settled();
      const guards = { failureRate: 1, sameFingerprint: 100 };
      const manifest = { guards, canary: [2], effects: { policy: 'reuse' } };
      const id = await beginReplayOf(first, { definitions }, manifest);
      armed = true;
      const run = replayRunOf(first, definitions, {
        look: async () => ({ consumer: null, danger: 0 }),
        testStep,
      });
      let over = false;
      void (async () => {
        while (!over) {
          await run.pass().catch(() => {});
          await first.engine.lookForDueWork().catch(() => {});
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
      })();
      await dead.promise;
      over = true;
      await first.kill();
      const second = await bench.launch({ definitions });
      const replay = await carryOut(second, definitions, id);
      expect(replay).toMatchObject({
        state: 'done_with_failures',
        outcome: { selected: 12, handled: 9, failed: 1, behindFailed: 2 },
      });
      const book = await second.rows(
        'select replay is not null as replayed, count(*)::int as n from book group by 1 order by 1',
      );
      expect(book).toEqual([
        { replayed: false, n: 6 },
        { replayed: true, n: 4 },
      ]);
      // Every effect was recorded in live operation, so nothing was called again.
      expect(calls).toHaveLength(12);
      expect(await second.rows('select count(*)::int as n from factline.parked where replay_id = 0')).toEqual(
        [{ n: 0 }],
      );
    },
  );
});
