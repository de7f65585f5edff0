import { expect, test } from 'vitest';
import { OrderPlaced, placed, useTestBench } from '../../../test/operational/fixtures.ts';
import type { HandlerProcess } from '../../../test/operational/handler-process.ts';
import { beginReplayOf, carryOut, replayRunOf } from '../../../test/operational/replays.ts';
import { defineHandler } from '../../consumers/index.ts';
import { readReplay } from '../index.ts';

const bench = useTestBench();
const definitions = [
  defineHandler({ name: 'subject', on: [OrderPlaced], onReplay: 'skip', handle: async () => {} }),
];
const calm = async (): Promise<{ consumer: null; danger: number }> => ({ consumer: null, danger: 0 });

/** The database's time of day, so many hours on. */
const hourOfDay = async (process: HandlerProcess, hours: number): Promise<string> => {
  const [row] = await process.rows(
    `select to_char(factline.clock() at time zone 'UTC' + make_interval(hours => $1), 'HH24:MI') as time`,
    [hours],
  );
  return String(row?.['time']);
};

test('outside of its hours nothing is handed over; within them it goes on where it was, and ends', async () => {
  const process = await bench.launch({ definitions });
  await process.publish(...Array.from({ length: 30 }, (_, n) => placed(`A${n}`, n)));
  await process.settled();
  const window = { from: await hourOfDay(process, -1), to: await hourOfDay(process, 1), zone: 'UTC' };
  const id = await beginReplayOf(process, { definitions }, { window, rate: { ceiling: 10, floor: 1 } });
  const run = replayRunOf(process, definitions, { look: calm });
  await run.pass();
  const { operations } = process.database;
  const began = await readReplay(operations, id);
  expect(began.run.released).toBeGreaterThan(0);

  await process.advance(2 * 3_600);
  for (let pass = 0; pass < 5; pass += 1) await run.pass();
  const waiting = await readReplay(operations, id);
  expect(waiting).toMatchObject({
    state: 'running',
    run: { cursor: began.run.cursor, released: began.run.released, rateNow: 0 },
  });
  expect(waiting.run.yielding).toBe(`waits for its hours: ${window.from}–${window.to} UTC`);

  await process.advance(22 * 3_600);
  const ended = await carryOut(process, definitions, id);
  expect(ended).toMatchObject({ state: 'done', outcome: { handled: 30 } });
}, 30_000);
