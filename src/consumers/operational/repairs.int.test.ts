import { expect, test } from 'vitest';
import {
  eventually,
  OrderPaid,
  OrderPlaced,
  placed,
  useTestBench,
} from '../../../test/operational/fixtures.ts';
import type { HandlerProcess } from '../../../test/operational/handler-process.ts';
import { PermanentError } from '../../foundation/index.ts';
import { defineHandler } from './define-handler.ts';

const bench = useTestBench();

/** A person's redirect, as `quarantine redirect` stores it. */
const redirect = (process: HandlerProcess, repair: string): Promise<unknown> =>
  process.rows(
    `update factline.parked_events e set repair = $1 from factline.parked p
      where p.state = 'quarantined' and e.consumer_id = p.consumer_id and e.replay_id = 0 and e.position = p.position`,
    [repair],
  );

const retry = async (process: HandlerProcess): Promise<unknown> => {
  const [row] = await process.rows(
    `select id from factline.parked where state = 'quarantined' order by position`,
  );
  return process.ask('subject', 'retry', { id: row?.['id'] });
};

type Declared = Parameters<typeof defineHandler<typeof OrderPlaced>>[0];

/** A handler that fails at the first of two events of one key; `repairs` besides. */
const launch = async (
  repairs: NonNullable<Declared['repairs']>,
  said: string[] = [],
): Promise<HandlerProcess> => {
  const handler = defineHandler({
    name: 'subject',
    on: OrderPlaced,
    repairs,
    handle: async ({ data }) => {
      if (data.n === 1) throw new PermanentError('the amount is zero');
      said.push(`handled ${data.n}`);
    },
  });
  const process = await bench.launch({ definitions: [handler] });
  await process.publish(placed('A1', 1), placed('A1', 2));
  await eventually(async () => (await process.parked()).length === 2, 'one in quarantine, one behind it');
  return process;
};

test('a redirected event is handled by the repair, with effects and a transaction, before its followers, which the handler takes', async () => {
  const said: string[] = [];
  const refund: NonNullable<Declared['repairs']>[string] = async (event, { effect, transaction }) => {
    await effect('refund', async () => 'done');
    await transaction(async (tx) => {
      tx.publish(OrderPaid({ orderId: event.data.orderId, n: 0 }));
    });
    said.push(`repaired ${event.data.n}`);
  };
  const process = await launch({ refund }, said);
  await redirect(process, 'refund');
  await retry(process);
  await process.settled();
  expect(said).toEqual(['repaired 1', 'handled 2']);
  expect(await process.parked()).toEqual([]);
  expect(await process.rows('select name from factline.effects')).toEqual([{ name: 'refund' }]);
  const published = await process.rows(
    `select meta ->> 'causationId' is not null as caused from factline.events where type = $1`,
    [OrderPaid.type],
  );
  expect(published).toEqual([{ caused: true }]);
}, 30_000);

test('a repair that fails leaves the event in quarantine, still with the repair; so does one that this code does not know', async () => {
  const process = await launch({
    refund: async () => {
      throw new PermanentError('nothing was paid');
    },
  });
  const failure = async (): Promise<Record<string, unknown> | undefined> =>
    (await process.rows('select error_code, error_message, repair from factline.parked_events'))[0];
  await redirect(process, 'refund');
  await retry(process);
  await eventually(
    async () => (await failure())?.['error_message'] === 'nothing was paid',
    'the repair has failed',
  );
  expect(await failure()).toMatchObject({ repair: 'refund' });
  await redirect(process, 'toString');
  await retry(process);
  await eventually(
    async () => (await failure())?.['error_code'] === 'REPAIR_UNKNOWN',
    'nobody knows the other one',
  );
  expect((await process.parked()).map(({ state }) => state)).toEqual(['quarantined', 'waiting']);
}, 30_000);
