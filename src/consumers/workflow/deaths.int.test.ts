import { afterEach, describe, expect, test } from 'vitest';
import {
  eventually,
  Noted,
  OrderPlaced,
  ParcelScanned,
  rows,
  useApps,
} from '../../../test/workflow/fixtures.ts';
import { live } from '../../../test/workflow/lives.ts';
import { createFactline, type Factline, internals } from '../../app/index.ts';
import { PermanentError } from '../../foundation/index.ts';
import { sendRequest } from '../../operations/index.ts';
import type { TestFactline } from '../../testing/index.ts';
import { type AnyWorkflow, defineWorkflow, workflowSteps } from './index.ts';

const launch = useApps();

/** The outside world: it lives on whoever dies. */
let calls: string[] = [];
let outside: Factline | undefined;
afterEach(async () => {
  await outside?.stop();
  outside = undefined;
});

/** Meets every step: a mailbox, a transaction, a sleep, a wait, an undo. */
const fulfil = (): AnyWorkflow =>
  defineWorkflow({
    name: 'fulfil',
    on: OrderPlaced,
    waits: [ParcelScanned],
    lanes: 2,
    retry: { firstDelay: '10ms' },
    run: async (order, { step, sleep, waitFor, publish }) => {
      const { orderId } = order.data;
      const note = async ({ idempotencyKey }: { readonly idempotencyKey: string }): Promise<void> =>
        void calls.push(idempotencyKey);
      await step('reserve', note, { undo: async (_, call) => note(call) });
      await step.transaction('book', async (tx) => {
        await tx.query('insert into book values ($1)', [orderId]);
        tx.publish(Noted({ id: orderId, text: 'booked' }));
      });
      await sleep('30ms');
      if (orderId === 'bad') throw new PermanentError('it was never to be');
      const scanned = await waitFor(ParcelScanned, { key: orderId });
      publish(Noted({ id: orderId, text: scanned.data.place }));
      return scanned.data.place;
    },
  });

const orders = ['A', 'bad', 'C'];

const publisher = async (kit: TestFactline): Promise<Factline> => {
  outside = createFactline({
    name: 'outside',
    database: kit.databaseUrl,
    consumers: [],
    contracts: [OrderPlaced, ParcelScanned],
    handleSignals: false,
  });
  await outside.publish(orders.map((orderId) => OrderPlaced({ orderId, pence: 1 })));
  await outside.publish(ParcelScanned({ parcelId: 'A', ok: true, place: 'home' }));
  return outside;
};

const cancel = async (kit: TestFactline, app: Factline): Promise<void> => {
  await eventually(
    async () => (await rows(kit, `select from factline.workflow_waits where key = 'C'`)).length === 1,
    'C waits',
  );
  const [found] = await rows(
    kit,
    `select i.id, i.consumer_id from factline.workflow_instances i where i.key = 'C'`,
  );
  const { database } = await internals(app).open();
  await sendRequest(database.operations, {
    consumer: { id: found?.['consumer_id'] as number, name: 'fulfil@1' },
    verb: 'cancel',
    arguments: { instance: Number(found?.['id']) },
    actor: 'ada',
  });
};

/** What must hold whatever died when. */
const audit = async (kit: TestFactline): Promise<void> => {
  expect(await rows(kit, `select key, state, result from factline.workflow_instances order by key`)).toEqual([
    { key: 'A', state: 'completed', result: 'home' },
    { key: 'C', state: 'cancelled', result: null },
    { key: 'bad', state: 'failed', result: null },
  ]);
  // A transaction's writes and events, and what the function publishes: exactly once.
  expect(await rows(kit, 'select * from book order by 1')).toEqual([{ id: 'A' }, { id: 'C' }, { id: 'bad' }]);
  const texts = await rows(
    kit,
    `select data->>'id' as id, data->>'text' as text from factline.events where type = $1 order by 1, 2`,
    [Noted.type],
  );
  expect(texts.map(({ id, text }) => `${id} ${text}`)).toEqual([
    'A booked',
    'A home',
    'C booked',
    'bad booked',
  ]);
  // Each step and each undo has one recorded result.
  const recorded = await rows(
    kit,
    `select i.key, j.undo, j.name from factline.workflow_journal j join factline.workflow_instances i on i.id = j.instance_id
      where j.kind in ('step', 'transaction') and j.state = 'done' order by 1, 2, 3`,
  );
  expect(recorded.map(({ key, undo, name }) => `${key} ${undo ? 'undo ' : ''}${name}`)).toEqual([
    'A book',
    'A reserve',
    'C book',
    'C reserve',
    'C undo reserve',
    'bad book',
    'bad reserve',
    'bad undo reserve',
  ]);
  // Outside effects: one key for each, whoever made the call how often.
  expect(new Set(calls).size).toBe(5);
  expect(await rows(kit, 'select from factline.workflow_waits')).toEqual([]);
};

const allEnded = (kit: TestFactline) => async (): Promise<boolean> =>
  (await rows(kit, 'select from factline.workflow_instances where ended_at is not null')).length ===
  orders.length;

const shop = () => ({ consumers: [fulfil()], contracts: [Noted] });

describe('a process that dies', () => {
  for (const step of workflowSteps) {
    test(`at ${step} leaves instances that end as they should, each step once`, {
      timeout: 60_000,
    }, async () => {
      calls = [];
      const kit = await launch({ consumers: [], contracts: [Noted] });
      await rows(kit, 'create table book (id text primary key)');
      const suspectsFirst = step.endsWith('suspect');
      // Suspects exist only after an unclean death.
      const first = await live(kit, shop(), suspectsFirst ? 'workflow.after-step' : step);
      const app = await publisher(kit);
      if (suspectsFirst) {
        await first.died;
        await (await live(kit, shop(), step)).died;
      } else {
        const cancelled = step.endsWith('act') ? cancel(kit, app) : undefined;
        await first.died;
        await cancelled;
      }
      const last = await live(kit, shop());
      if (!step.endsWith('act')) await cancel(kit, app);
      await eventually(allEnded(kit), `all end after a death at ${step}`, 30_000);
      await audit(kit);
      await last.app.stop();
    });
  }
});
