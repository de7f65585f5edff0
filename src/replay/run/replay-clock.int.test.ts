import { expect, test } from 'vitest';
import { OrderPlaced, placed, useTestBench } from '../../../test/operational/fixtures.ts';
import { beginReplayOf, carryOut, replayRunOf } from '../../../test/operational/replays.ts';
import { defineHandler, readLiveDanger } from '../../consumers/index.ts';
import { readReplay } from '../index.ts';

const bench = useTestBench();
const definitions = [
  defineHandler({ name: 'subject', on: [OrderPlaced], onReplay: 'skip', handle: async () => {} }),
];
const calm = async (): Promise<{ consumer: null; danger: number }> => ({ consumer: null, danger: 0 });
const hour = 3_600;

test.each([
  ['set back', -hour],
  ['set forward', hour],
])(
  'a clock that is %s by an hour neither holds a replay up nor lets it run faster',
  async (_how, seconds) => {
    const process = await bench.launch({ definitions });
    await process.publish(...Array.from({ length: 40 }, (_, n) => placed(`A${n}`, n)));
    await process.settled();
    const id = await beginReplayOf(process, { definitions }, { rate: { ceiling: 20, floor: 1 } });
    const run = replayRunOf(process, definitions, { look: calm });
    const { operations } = process.database;
    await run.pass();
    const before = (await readReplay(operations, id)).run.released;
    await process.advance(seconds);
    await run.pass();
    const after = (await readReplay(operations, id)).run.released;
    // No more than a second is ever caught up.
    expect(after - before).toBeLessThanOrEqual(20);
    const looked = async (): Promise<unknown> =>
      (await process.rows('select looked_at <= factline.clock() as past from factline.replays'))[0]?.['past'];
    expect(await looked()).toBe(true);
    expect(await carryOut(process, definitions, id)).toMatchObject({
      state: 'done',
      outcome: { handled: 40 },
    });
  },
  60_000,
);

test('an event that lies in the future is as old as nobody knows: who may yield stands still', async () => {
  const process = await bench.launch({ definitions });
  const client = await process.database.transactions.connect();
  // Nothing is handled meanwhile.
  await client.query('begin; lock table factline.inbox in exclusive mode');
  try {
    await process.rows(
      `insert into factline.events (id, type, source, key, key_hash, data, meta, time, recorded_at)
       values (gen_random_uuid(), $1, 'x', 'orderId=A', 1, '{"orderId":"A","n":1}', '{}', now(), factline.clock() + interval '1 hour')`,
      [OrderPlaced.type],
    );
    expect((await readLiveDanger(process.database.operations)).danger).toBe(1);
  } finally {
    await client.query('rollback');
    client.release();
  }
}, 60_000);
