import { expect, it } from 'vitest';
import { OrderPlaced, placed, useTestBench } from '../../test/operational/fixtures.ts';
import { beginReplayOf, carryOut } from '../../test/operational/replays.ts';
import { defineHandler } from '../consumers/index.ts';
import { systemEvents } from '../operations/index.ts';
import { createFactline, type Factline } from './index.ts';

const bench = useTestBench();

const subject = defineHandler({
  name: 'subject',
  on: [OrderPlaced],
  onReplay: 'skip',
  retry: { unclassified: { attempts: 1 } },
  handle: async ({ data }, { replay }) => {
    if (replay !== null && data.orderId === 'bad') throw new TypeError('only in the replay');
  },
});

it('a replay that has ended is told of once, also when the process that ended it died before it could publish that', {
  timeout: 60_000,
}, async () => {
  const told: unknown[] = [];
  const support = defineHandler({
    name: 'support',
    on: systemEvents.replayFinished,
    startAt: 'beginning',
    handle: async ({ data }) => void told.push(data),
  });
  const finishing = await bench.launch({ definitions: [subject] });
  // As an app with `systemEvents: true` has left it; this process itself publishes nothing.
  await finishing.rows("insert into factline.system_event_apps (app) values ('test')");
  await finishing.publish(placed('A'), placed('bad'));
  await finishing.settled();
  const id = await beginReplayOf(finishing, { definitions: [subject] }, { guards: { failureRate: 1 } });
  expect(await carryOut(finishing, [subject], id)).toMatchObject({ state: 'done_with_failures' });
  await finishing.kill();

  for (const start of ['first', 'second']) {
    const app: Factline = createFactline({
      name: 'test',
      database: bench.url,
      consumers: [subject, support],
      systemEvents: true,
      handleSignals: false,
    });
    await app.start();
    await expect.poll(() => told.length, { timeout: 15_000, message: start }).toBe(1);
    await app.stop();
  }
  expect(told).toEqual([
    { replay: id, consumer: 'subject', state: 'done_with_failures', at: expect.any(String) },
  ]);
  const after = await bench.launch({ definitions: [subject] });
  expect(
    await after.rows(`select type from factline.events where type = '${systemEvents.replayFinished.type}'`),
  ).toHaveLength(1);
  expect(await after.rows('select from factline.system_facts')).toEqual([]);
});
