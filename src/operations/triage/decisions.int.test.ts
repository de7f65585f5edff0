import { expect, test } from 'vitest';
import { z } from 'zod';
import { useTestBench } from '../../../test/operational/fixtures.ts';
import type { HandlerProcess } from '../../../test/operational/handler-process.ts';
import { defineHandler, defineProjection } from '../../consumers/index.ts';
import { defineEvent } from '../../contracts/index.ts';
import { PermanentError } from '../../foundation/index.ts';
import { engineTransaction } from '../../postgres/index.ts';
import { readContractTerms, storeContractTerms, termsOf } from './contract-terms.ts';
import { listDiscarded } from './discards.ts';
import { type Edit, editParked, listEdits } from './edits.ts';
import { readPatch } from './json-patch.ts';

const bench = useTestBench();

const OrderPlaced = defineEvent({
  type: 'shop.order.placed.v1',
  key: 'orderId',
  schema: z.object({
    orderId: z.string(),
    n: z.int(),
    shelf: z.string().default('S'),
    note: z.string().max(10),
    customer: z.object({ email: z.string() }).default({ email: 'ada@x.org' }),
    lines: z.array(z.object({ sku: z.string(), pence: z.int() })).default([]),
  }),
  owner: 'checkout',
  sensitivity: { 'customer.email': 'personal' },
  editable: ['note', 'lines.sku', 'shelf'],
});

const placed = (orderId: string, n: number, note = 'bad'): ReturnType<typeof OrderPlaced> =>
  OrderPlaced({
    orderId,
    n,
    note,
    shelf: 'S',
    customer: { email: 'ada@x.org' },
    lines: [{ sku: 'X', pence: 5 }],
  });

let handled: string[] = [];
const payment = defineHandler({
  name: 'payment',
  on: OrderPlaced,
  startAt: 'beginning',
  handle: async ({ data }) => {
    if (data.note === 'bad') throw new PermanentError('a bad note');
    handled.push(`${data.orderId}${data.n} ${data.note} ${data.lines[0]?.sku}`);
  },
});
const byShelf = defineProjection({
  name: 'by_shelf',
  on: OrderPlaced,
  primaryKey: 'shelf',
  columns: { shelf: 'text', notes: 'text' },
  evolve: (row, { data }) => {
    if (data.note === 'bad') throw new PermanentError('a bad note');
    return { notes: `${row?.notes ?? ''}${data.n}${data.note};` };
  },
});

const contractOf = (
  type: string,
): { contract: typeof OrderPlaced; terms: ReturnType<typeof termsOf> } | null =>
  type === OrderPlaced.type ? { contract: OrderPlaced, terms: termsOf(OrderPlaced, 'shop') } : null;

const edit = async (process: HandlerProcess, id: unknown, ...patch: unknown[]): Promise<Edit> => {
  const request = {
    id: Number(id),
    patch: readPatch(patch),
    contractOf,
    actor: 'ada',
    reason: 'a typing error',
  };
  return (await engineTransaction(process.database.operations, (client) => editParked(client, request)))
    .value;
};

const numberOf = async (process: HandlerProcess, n: number): Promise<unknown> => {
  const [row] = await process.rows(
    `select p.id from factline.parked p join factline.events e using (position) where e.data ->> 'n' = $1::text`,
    [String(n)],
  );
  return row?.['id'];
};

const start = async (
  definitions: Parameters<typeof bench.launch>[0]['definitions'],
): Promise<HandlerProcess> => {
  handled = [];
  return bench.launch({ definitions });
};

test('an edited payload reaches the handler in its place in line, and the log keeps what happened', async () => {
  const process = await start([payment]);
  await process.publish(placed('A', 1), placed('A', 2, 'ok'));
  await process.settled();
  const id = await numberOf(process, 1);
  const made = await edit(
    process,
    id,
    { op: 'replace', path: '/note', value: 'good' },
    { op: 'replace', path: '/lines/0/sku', value: 'Y' },
  );
  expect(made.changes.toSorted((a, b) => a.path.localeCompare(b.path))).toEqual([
    { path: '/lines/0/sku', field: 'lines.sku', before: 'X', after: 'Y' },
    { path: '/note', field: 'note', before: 'bad', after: 'good' },
  ]);
  expect(await process.ask('payment', 'retry', { id })).toMatchObject({ answer: { outcome: 'handled' } });
  await process.settled();
  expect(handled).toEqual(['A1 good Y', 'A2 ok X']);
  expect(
    await process.rows("select data ->> 'note' as note from factline.events where data ->> 'n' = '1'"),
  ).toEqual([{ note: 'bad' }]);
  expect(await listEdits(process.database.operations, Number(id))).toMatchObject([
    { actor: 'ada', reason: 'a typing error', changes: made.changes },
  ]);
});

test('an edit survives another owner, is edited again, and fails again with its history', async () => {
  const process = await start([payment]);
  await process.publish(placed('A', 1));
  await process.settled();
  const id = await numberOf(process, 1);
  await edit(process, id, { op: 'replace', path: '/lines/0/sku', value: 'Y' });
  expect(await process.ask('payment', 'retry', { id })).toMatchObject({
    answer: { outcome: 'failed again' },
  });
  await process.kill();
  const second = await bench.launch({ definitions: [payment] });
  await edit(
    second,
    id,
    { op: 'test', path: '/lines/0/sku', value: 'Y' },
    { op: 'replace', path: '/note', value: 'ok' },
  );
  await second.ask('payment', 'retry', { id });
  await second.settled();
  expect(handled).toEqual(['A1 ok Y']);
  expect(await listEdits(second.database.operations, Number(id))).toHaveLength(2);
});

const refusedEdits: readonly (readonly [string, readonly unknown[], string])[] = [
  ['a field that is not editable', [{ op: 'replace', path: '/n', value: 2 }], 'n is not editable'],
  ['the key', [{ op: 'replace', path: '/orderId', value: 'B' }], 'orderId is not editable'],
  [
    'a field beside an editable one in a list',
    [{ op: 'replace', path: '/lines/0/pence', value: 2 }],
    'lines.pence is not editable',
  ],
  ['a new line', [{ op: 'add', path: '/lines/-', value: { sku: 'Z', pence: 1 } }], 'lines is not editable'],
  ['everything', [{ op: 'replace', path: '', value: {} }], 'is not editable'],
  ['nothing', [{ op: 'replace', path: '/note', value: 'bad' }], 'it changes nothing'],
  [
    'a hidden field copied where it is shown',
    [{ op: 'copy', from: '/customer/email', path: '/note' }],
    'which is hidden',
  ],
  ['an object with a hidden field', [{ op: 'copy', from: '/customer', path: '/note' }], 'which is hidden'],
  [
    'a guess at a hidden field',
    [{ op: 'test', path: '/customer/email', value: 'ada@x.org' }],
    'which is hidden',
  ],
  ['a guess at the whole', [{ op: 'test', path: '', value: {} }], 'which is hidden'],
];

test('an edit beyond what the contract lets people change or see is refused and changes nothing', async () => {
  const process = await start([payment]);
  await process.publish(placed('A', 1));
  await process.settled();
  const id = await numberOf(process, 1);
  for (const [what, patch, reason] of refusedEdits) {
    await expect(edit(process, id, ...patch), what).rejects.toMatchObject({
      code: 'EDIT_REFUSED',
      message: expect.stringContaining(reason),
    });
  }
  expect(await process.rows('select edited from factline.parked_events')).toEqual([{ edited: null }]);
  expect(await listEdits(process.database.operations, Number(id))).toEqual([]);
});

test('an edit must fit the contract, and the event must be in quarantine', async () => {
  const process = await start([payment]);
  await process.publish(placed('A', 1), placed('A', 2, 'ok'));
  await process.settled();
  const note = { op: 'replace', path: '/note', value: 'a note that is too long' };
  await expect(edit(process, await numberOf(process, 1), note)).rejects.toMatchObject({
    code: 'PAYLOAD_INVALID',
  });
  await expect(edit(process, await numberOf(process, 2), note)).rejects.toMatchObject({
    code: 'EDIT_REFUSED',
  });
  await expect(edit(process, 999, note)).rejects.toMatchObject({ code: 'QUARANTINE_NOT_FOUND' });
});

test('a discarded event comes back before what still waits, and is handled in order', async () => {
  const process = await start([payment]);
  await process.publish(placed('A', 1), placed('A', 2));
  await process.settled();
  const id = await numberOf(process, 1);
  await process.ask('payment', 'discard', { id, actor: 'ada', reason: 'a test order' });
  await process.settled();
  expect(await listDiscarded(process.database.operations, { limit: 9 })).toMatchObject([
    { id: Number(id), actor: 'ada', reason: 'a test order', followers: 1, restorable: true },
  ]);
  expect(await process.ask('payment', 'restore', { id, actor: 'ada' })).toMatchObject({ state: 'done' });
  await process.publish(placed('A', 3, 'ok'));
  await process.settled();
  expect((await process.parked()).map(({ state }) => state)).toEqual([
    'quarantined',
    'quarantined',
    'waiting',
  ]);
  expect(await listDiscarded(process.database.operations, { limit: 9 })).toEqual([]);
  for (const n of [1, 2])
    await edit(process, await numberOf(process, n), { op: 'replace', path: '/note', value: 'ok' });
  await process.ask('payment', 'retry', { id });
  await process.settled();
  expect(handled).toEqual(['A1 ok X']);
  await process.ask('payment', 'retry', { id: await numberOf(process, 2) });
  await process.settled();
  expect(handled).toEqual(['A1 ok X', 'A2 ok X', 'A3 ok X']);
});

test('it is not restored silently behind a later event of its key; with force it is, also while its key flows', async () => {
  const process = await start([payment]);
  await process.publish(placed('A', 1), placed('A', 2, 'ok'));
  await process.settled();
  const id = await numberOf(process, 1);
  await process.ask('payment', 'discard', { id, actor: 'ada', reason: 'a test order' });
  await process.settled();
  expect(handled).toEqual(['A2 ok X']);
  const refused = await process.ask('payment', 'restore', { id, actor: 'ada' });
  expect(refused).toMatchObject({ state: 'refused', answer: { code: 'RESTORE_REFUSED' } });
  expect(String(refused.answer['error'])).toContain(
    'a later event of its key (position 2) was handled since',
  );
  await process.publish(placed('A', 3, 'ok'));
  await process.settled();
  expect(handled).toEqual(['A2 ok X', 'A3 ok X']);
  expect(await process.ask('payment', 'restore', { id, arguments: { force: true } })).toMatchObject({
    state: 'done',
  });
  await process.publish(placed('A', 4, 'ok'), placed('B', 5, 'ok'));
  await process.settled();
  expect(handled).toEqual(['A2 ok X', 'A3 ok X', 'B5 ok X']);
  await edit(process, id, { op: 'replace', path: '/note', value: 'ok' });
  await process.ask('payment', 'retry', { id });
  await process.settled();
  expect(handled).toEqual(['A2 ok X', 'A3 ok X', 'B5 ok X', 'A1 ok X', 'A4 ok X']);
});

test('what was restored, or discarded too long ago, is not restored', async () => {
  const process = await start([payment]);
  await process.publish(placed('A', 1));
  await process.settled();
  const id = await numberOf(process, 1);
  const giveUp = { id, actor: 'ada', reason: 'a test order' };
  await process.ask('payment', 'discard', giveUp);
  await process.ask('payment', 'restore', { id });
  expect(await process.ask('payment', 'restore', { id })).toMatchObject({
    answer: { code: 'RESTORE_REFUSED' },
  });
  await process.ask('payment', 'discard', giveUp);
  await process.advance(8 * 86_400);
  expect(await process.ask('payment', 'restore', { id, arguments: { force: true } })).toMatchObject({
    answer: { error: expect.stringContaining('the seven days in which it could be are over') },
  });
  expect(await process.ask('payment', 'restore', { id: 999 })).toMatchObject({
    answer: { code: 'QUARANTINE_NOT_FOUND' },
  });
});

test('a projection: edited in its row only, discarded, restored', async () => {
  const process = await start([byShelf]);
  await process.publish(placed('A', 1), placed('B', 2, 'ok'));
  await process.settled();
  const id = await numberOf(process, 1);
  await edit(process, id, { op: 'replace', path: '/shelf', value: 'T' });
  await process.ask('by_shelf', 'retry', { id });
  await process.settled();
  expect((await process.parked())[0]).toMatchObject({
    state: 'quarantined',
    error_message: expect.stringContaining('belongs to another row of the projection'),
  });
  await process.ask('by_shelf', 'discard', { id, actor: 'ada', reason: 'a test order' });
  await process.settled();
  expect(await process.rows('select notes from public.by_shelf')).toEqual([{ notes: '2ok;' }]);
  expect(await process.ask('by_shelf', 'restore', { id })).toMatchObject({
    answer: { code: 'RESTORE_REFUSED' },
  });
  expect(await process.ask('by_shelf', 'restore', { id, arguments: { force: true } })).toMatchObject({
    state: 'done',
  });
  await process.publish(placed('C', 3, 'ok'));
  await process.settled();
  await edit(
    process,
    id,
    { op: 'replace', path: '/shelf', value: 'S' },
    { op: 'replace', path: '/note', value: 'ok' },
  );
  await process.ask('by_shelf', 'retry', { id });
  await process.settled();
  expect(await process.rows('select notes from public.by_shelf')).toEqual([{ notes: '2ok;1ok;3ok;' }]);
});

test('what contracts say is stored once, is kept up to date, and is closed for what nobody declared', async () => {
  const process = await start([payment]);
  const on = process.database.operations;
  const app = { name: 'test', owner: 'shop', codeVersion: '1', contracts: [OrderPlaced] };
  await storeContractTerms(on, app);
  await storeContractTerms(on, app);
  expect(await readContractTerms(on, 'test', OrderPlaced.type)).toEqual({
    owner: 'checkout',
    key: ['orderId'],
    editable: ['note', 'lines.sku', 'shelf'],
    sensitivity: { 'customer.email': 'personal' },
  });
  expect(await readContractTerms(on, 'test', 'shop.order.unknown.v1')).toEqual({
    owner: null,
    key: [],
    editable: [],
    sensitivity: null,
  });
});
