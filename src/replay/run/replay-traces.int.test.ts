import { afterEach, expect, test } from 'vitest';
import { OrderPaid, OrderPlaced, placed, useTestBench } from '../../../test/operational/fixtures.ts';
import { beginReplayOf, carryOut } from '../../../test/operational/replays.ts';
import { forgetSdk, installSdk } from '../../../test/spans.ts';
import { defineHandler } from '../../consumers/index.ts';

const bench = useTestBench();
afterEach(forgetSdk);

const paying = defineHandler({
  name: 'subject',
  on: [OrderPlaced],
  onReplay: 'execute',
  handle: async ({ data }, { transaction }) =>
    transaction(async (tx) => tx.publish(OrderPaid({ orderId: data.orderId, n: data.n }))),
});

test('a replayed handling is a trace of its own with a link to the original publish; what it publishes leads to both, and says so', async () => {
  const ended = installSdk();
  const definitions = [paying];
  const process = await bench.launch({ definitions });
  await process.telemetry.withSpan({ name: 'factline.publish', attributes: {} }, () =>
    process.publish(placed('A1', 1)),
  );
  await process.settled();
  const id = await beginReplayOf(process, { definitions }, { publish: 'publish' });
  expect(await carryOut(process, definitions, id)).toMatchObject({ state: 'done' });

  const [published] = ended.filter(({ name, parent }) => name === 'factline.publish' && parent === undefined);
  const [live, replayed] = ended.filter(({ name }) => name === 'factline.handle');
  const original = { traceId: published?.traceId, spanId: published?.spanId };
  expect(live).toMatchObject({ traceId: original.traceId, parent: original.spanId, links: [] });
  expect(replayed).toMatchObject({ parent: undefined, links: [original] });
  expect(replayed?.traceId).not.toBe(original.traceId);
  expect(live?.attributes).not.toHaveProperty('factline.replay.id');
  expect(replayed?.attributes).toMatchObject({
    'factline.replay.id': String(id),
    'factline.replay.mode': 'redeliver',
  });

  const again = ended.find(
    ({ name, traceId }) => name === 'factline.publish' && traceId === replayed?.traceId,
  );
  expect(again?.parent).toBe(replayed?.spanId);
  const paid = await process.rows(`select id, meta from factline.events where type = $1 order by position`, [
    OrderPaid.type,
  ]);
  expect(paid.map(({ meta }) => meta)).toEqual([
    expect.not.objectContaining({ replayid: expect.anything() }),
    expect.objectContaining({
      replayid: String(id),
      replaymode: 'redeliver',
      traceparent: `00-${again?.traceId}-${again?.spanId}-01`,
    }),
  ]);
  const [first] = await process.rows('select id from factline.events order by position limit 1');
  expect(paid.every(({ meta }) => (meta as { causationId?: unknown }).causationId === first?.['id'])).toBe(
    true,
  );
  expect(paid[1]?.['id']).not.toBe(paid[0]?.['id']);
}, 30_000);
