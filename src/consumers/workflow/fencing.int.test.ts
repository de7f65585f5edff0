import { expect, test } from 'vitest';
import { z } from 'zod';
import { eventually, Noted, OrderPlaced, rows, useApps } from '../../../test/workflow/fixtures.ts';
import { createFactlineWith, systemSeams } from '../../app/index.ts';
import { defineWorkflow } from './index.ts';

const launch = useApps();
type Gate = PromiseWithResolvers<void>;
const input = z.object({ id: z.string() });

test('what a process that has lost the lane has done is not recorded; the step is done again', async () => {
  const gate = Promise.withResolvers<void>();
  const calls: string[] = [];
  const work = defineWorkflow({
    name: 'work',
    input,
    lanes: 1,
    run: async ({ id }, { step, publish }) => {
      await step('plain', async ({ idempotencyKey }) => {
        calls.push(`${id} ${idempotencyKey.split(':').at(-1)}`);
        if (id === 'plain') await gate.promise;
      });
      await step.transaction('write', async (tx) => {
        calls.push(`${id} write`);
        await tx.query('insert into book values ($1)', [id]);
        tx.publish(Noted({ id, text: 'written' }));
        if (id === 'transaction') await gate.promise;
      });
      publish(Noted({ id, text: 'ended' }));
      return id;
    },
  });
  const kit = await launch({ consumers: [work], contracts: [Noted] });
  await rows(kit, 'create table book (id text primary key)');
  const begin = (id: string) => kit.app.startWorkflow(work, { key: id, input: { id } });
  const handles = [await begin('plain'), await begin('transaction')];
  await eventually(async () => calls.length === 3, 'both are at their gate');
  // As a takeover by another process does.
  await rows(
    kit,
    `update factline.lanes l set token = token + 1, owner = null from factline.consumers c
      where c.id = l.consumer_id and c.name = 'work@1'`,
  );
  gate.resolve();
  expect(await Promise.all(handles.map((handle) => handle.result({ within: '20s' })))).toEqual([
    'plain',
    'transaction',
  ]);
  expect(calls.sort()).toEqual([
    'plain plain',
    'plain plain',
    'plain write',
    'transaction plain',
    'transaction write',
    'transaction write',
  ]);
  expect(await rows(kit, 'select id from book order by id')).toEqual([
    { id: 'plain' },
    { id: 'transaction' },
  ]);
  expect(await rows(kit, 'select from factline.events')).toHaveLength(4);
});

test('an answer that is older than what was recorded meanwhile does not make a step run again', {
  timeout: 60_000,
}, async () => {
  const [asked, rested, finish] = [0, 1, 2].map(() => Promise.withResolvers<void>()) as [Gate, Gate, Gate];
  let armed = false;
  let isHeld = false;
  const calls: string[] = [];
  const work = defineWorkflow({
    name: 'work',
    input,
    lanes: 1,
    run: async ({ id }, { step, sleep }) => {
      if (id === 'timer') await sleep('2s');
      await step('one', async () => {
        calls.push(id);
        if (id === 'subject') await finish.promise;
      });
      if (id === 'subject') await sleep('1d');
      return id;
    },
  });
  const kit = await launch({ consumers: [], contracts: [Noted] });
  await using app = createFactlineWith(
    { name: 'shop', consumers: [work], database: kit.databaseUrl, handleSignals: false },
    {
      ...systemSeams,
      testStep: async (step) => {
        // The look for the timer: it is asked while the subject is being started, and answered when that has come to rest.
        if (step === 'workflow.before-load' && armed) {
          isHeld = true;
          await asked.promise;
        }
        if (step === 'workflow.after-load' && isHeld) await rested.promise;
      },
    },
  );
  try {
    await app.start();
    const first = await app.startWorkflow(work, { key: 'first', input: { id: 'first' } });
    await first.result({ within: '20s' });
    // The lane is held: what starts from now on needs no look.
    const timer = await app.startWorkflow(work, { key: 'timer', input: { id: 'timer' } });
    await eventually(async () => (await timer.status()) === 'waiting', 'the timer sleeps');
    // Not earlier: a look that began while the timer was in memory would leave it out.
    armed = true;
    await eventually(async () => isHeld, 'the look for the timer begins');
    await new Promise((resolve) => setTimeout(resolve, 2_300));
    const subject = await app.startWorkflow(work, { key: 'subject', input: { id: 'subject' } });
    asked.resolve();
    await eventually(
      async () => (await timer.status()) === 'running',
      'the look was answered in the database',
    );
    finish.resolve();
    await eventually(async () => (await subject.status()) === 'waiting', 'the subject rests');
    armed = false;
    isHeld = false;
    rested.resolve();
    expect(await timer.result({ within: '10s' })).toBe('timer');
    expect(calls.sort()).toEqual(['first', 'subject', 'timer']);
  } finally {
    // A look that is held for ever would hide what failed.
    for (const gate of [asked, rested, finish]) gate.resolve();
  }
});

test('a workflow of three steps costs its start and three commits, also side by side with others', async () => {
  let flushes = 0;
  const three = defineWorkflow({
    name: 'three',
    input,
    run: async (_, { step, publish }) => {
      for (const n of [1, 2, 3]) await step(`step ${n}`, async () => n);
      publish(Noted({ id: 'A', text: 'three' }));
      return 3;
    },
  });
  const kit = await launch({ consumers: [], contracts: [Noted] });
  await using app = createFactlineWith(
    { name: 'shop', consumers: [three], contracts: [Noted], database: kit.databaseUrl, handleSignals: false },
    {
      ...systemSeams,
      testStep: (step) => {
        if (step === 'workflow.before-flush') flushes += 1;
      },
    },
  );
  await app.start();
  const run = async (key: string): Promise<number> =>
    (await app.startWorkflow(three, { key, input: { id: key } })).result({ within: '20s' });
  expect(await run('alone')).toBe(3);
  expect(flushes).toBe(3);
  flushes = 0;
  await Promise.all(Array.from({ length: 50 }, (_, n) => run(`together ${n}`)));
  expect(flushes).toBeLessThan(50);
});

test('a start that never answers keeps neither its slot nor its key back once the lane was lost', async () => {
  const never = Promise.withResolvers<void>();
  let starts = 0;
  const work = defineWorkflow({
    name: 'work',
    on: OrderPlaced,
    lanes: 1,
    concurrency: 1,
    run: async () => 'ended',
  });
  const kit = await launch({ consumers: [], contracts: [OrderPlaced] });
  await using app = createFactlineWith(
    { name: 'shop', consumers: [work], database: kit.databaseUrl, handleSignals: false },
    {
      ...systemSeams,
      testStep: async (step) => {
        if (step !== 'workflow.before-start') return;
        starts += 1;
        if (starts === 1) await never.promise;
      },
    },
  );
  try {
    await app.start();
    await app.publish(OrderPlaced({ orderId: 'A', pence: 1 }));
    await eventually(async () => starts === 1, 'it begins to start');
    await rows(kit, 'update factline.lanes set token = token + 1, owner = null');
    const ended = `select from factline.workflow_instances where state = 'completed'`;
    await eventually(async () => (await rows(kit, ended)).length === 1, 'it is started again, and ends');
  } finally {
    never.resolve();
  }
});
