import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { eventually, ParcelScanned, rows, useApps } from '../../../test/workflow/fixtures.ts';
import { createFactlineWith, systemSeams } from '../../app/index.ts';
import { PermanentError } from '../../foundation/index.ts';
import { sendRequest } from '../../operations/index.ts';
import { defineWorkflow } from './index.ts';

const launch = useApps();
const input = z.object({ parcelId: z.string() });
const scan = (parcelId: string, place: string) => ParcelScanned({ parcelId, ok: place !== 'lost', place });

test('looks that overlap give each event to one wait', async () => {
  const gate = Promise.withResolvers<void>();
  let looks = 0;
  const collect = defineWorkflow({
    name: 'collect',
    input,
    waits: [ParcelScanned],
    run: async ({ parcelId }, { waitFor }) => {
      const places: string[] = [];
      while (places.length < 2) places.push((await waitFor(ParcelScanned, { key: parcelId })).data.place);
      return places;
    },
  });
  const kit = await launch({ consumers: [], contracts: [ParcelScanned] });
  await using app = createFactlineWith(
    {
      name: 'shop',
      consumers: [collect],
      contracts: [ParcelScanned],
      database: kit.databaseUrl,
      handleSignals: false,
    },
    {
      ...systemSeams,
      testStep: async (step) => {
        if (step !== 'workflow.before-look') return;
        looks += 1;
        await gate.promise;
      },
    },
  );
  try {
    await app.start();
    const handle = await app.startWorkflow(collect, { key: 'A', input: { parcelId: 'A' } });
    await eventually(async () => looks > 0, 'the first look');
    await kit.publish(scan('A', 'depot'), scan('A', 'door'));
    const mail = () => rows(kit, 'select from factline.workflow_mailbox');
    await eventually(async () => looks >= 2 && (await mail()).length === 2, 'another look, and all mail');
    gate.resolve();
    expect(await handle.result({ within: '10s' })).toEqual(['depot', 'door']);
  } finally {
    gate.resolve();
  }
});

test('a wait does not time out while its event stands in the log and the router is behind', async () => {
  const gate = Promise.withResolvers<void>();
  const held: string[] = [];
  const wait = defineWorkflow({
    name: 'wait',
    input,
    waits: [ParcelScanned],
    run: async ({ parcelId }, { waitFor }) => {
      const scanned = await waitFor(ParcelScanned, {
        key: parcelId,
        within: '1500ms',
        where: ({ data }) => data.ok,
      });
      return scanned?.data.place ?? 'late';
    },
  });
  const kit = await launch({ consumers: [], contracts: [ParcelScanned] });
  await using app = createFactlineWith(
    {
      name: 'shop',
      consumers: [wait],
      contracts: [ParcelScanned],
      database: kit.databaseUrl,
      handleSignals: false,
    },
    {
      ...systemSeams,
      testStep: async (step) => {
        if (step !== 'workflow.before-mail') return;
        held.push(step);
        await gate.promise;
      },
    },
  );
  try {
    await app.start();
    const start = (parcelId: string) => app.startWorkflow(wait, { key: parcelId, input: { parcelId } });
    const [scanned, lost, other] = await Promise.all(['scanned', 'lost', 'other'].map(start));
    await kit.publish(scan('scanned', 'depot'), scan('lost', 'lost'));
    await eventually(async () => held.length === 2, 'the router has read both, and delivered none');
    // Nothing is on its way to this one.
    expect(await other?.result({ within: '10s' })).toBe('late');
    await sleep(1_000);
    expect(await scanned?.status()).not.toBe('completed');
    expect(await lost?.status()).not.toBe('completed');
    gate.resolve();
    expect(await scanned?.result({ within: '10s' })).toBe('depot');
    expect(await lost?.result({ within: '10s' })).toBe('late');
  } finally {
    gate.resolve();
  }
});

test('a wait does not time out while its event is parked behind one that the router cannot handle', async () => {
  const wait = defineWorkflow({
    name: 'wait',
    on: ParcelScanned,
    waits: [ParcelScanned],
    onDuplicate: 'join',
    key: ({ data }) => {
      if (data.place === 'nowhere') throw new PermanentError('there is no such place');
      return data.parcelId;
    },
    run: async ({ data }, { step, waitFor }) => {
      const scanned = await waitFor(ParcelScanned, {
        key: data.parcelId,
        within: '1s',
        where: (event) => event.data.place !== 'nowhere',
      });
      await step('done', async () => void got.push(scanned?.data.place ?? 'late'));
    },
  });
  const got: string[] = [];
  const kit = await launch({ consumers: [wait], contracts: [ParcelScanned] });
  const parked = () =>
    rows(kit, 'select id::integer, consumer_id, state from factline.parked order by position');
  await kit.publish(scan('A', 'depot'), scan('A', 'nowhere'), scan('A', 'door'));
  await eventually(async () => (await parked()).length === 2, 'one is in quarantine, one waits behind it');
  const limit =
    "select from factline.workflow_journal where began_at < factline.clock() - interval '3 seconds'";
  await eventually(
    async () => (await rows(kit, limit)).length === 1 || got.length > 0,
    'the limit has passed',
  );
  expect(got).toEqual([]);
  const [{ id, consumer_id: router }] = (await parked()) as [{ id: number; consumer_id: number }];
  const pool = new pg.Pool({ connectionString: kit.databaseUrl, max: 1 });
  const consumer = { id: router, name: 'wait' };
  await sendRequest(pool, { consumer, verb: 'discard', parkedId: id, actor: 'ada', reason: 'no such place' });
  await pool.end();
  await eventually(async () => got.length > 0, 'what was parked has come');
  expect(got).toEqual(['door']);
});

test('where sees every event in order, however many it rejects, and none of them again', async () => {
  let asked = 0;
  const find = defineWorkflow({
    name: 'find',
    input,
    waits: [ParcelScanned],
    run: async ({ parcelId }, { sleep: rest, waitFor }) => {
      await rest('1h');
      const isFound = ({ data }: { readonly data: { readonly ok: boolean } }): boolean => {
        asked += 1;
        return data.ok;
      };
      return (await waitFor(ParcelScanned, { key: parcelId, where: isFound })).data.place;
    },
  });
  const kit = await launch({ consumers: [], contracts: [ParcelScanned] });
  const lost = Array.from({ length: 1_500 }, () => scan('A', 'lost'));
  await kit.publish(...(lost as [ReturnType<typeof scan>]));
  const options = { name: 'shop', consumers: [find], contracts: [ParcelScanned], database: kit.databaseUrl };
  await using app = createFactlineWith({ ...options, handleSignals: false }, systemSeams);
  await app.start();
  const handle = await app.startWorkflow(find, { key: 'A', input: { parcelId: 'A' } });
  const isWaiting = async (): Promise<boolean> => (await handle.status()) === 'waiting';
  await eventually(isWaiting, 'it sleeps');
  // As if it had begun before all of them, and the router had brought them one by one.
  await rows(kit, 'update factline.workflow_instances set start_position = 0');
  await rows(
    kit,
    `insert into factline.workflow_mailbox (workflow_id, type, key, position)
     select i.workflow_id, e.type, 'A', e.position from factline.workflow_instances i, factline.events e`,
  );
  await kit.advance('61m');
  await eventually(async () => asked === 1_500 && (await isWaiting()), 'all are rejected');
  await kit.publish(scan('A', 'lost'));
  await eventually(async () => asked > 1_500 && (await isWaiting()), 'it was loaded again');
  await kit.publish(scan('A', 'door'));
  expect(await handle.result({ within: '10s' })).toBe('door');
  expect(asked).toBe(1_502);
});
