import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { createTestDatabase, type TestDatabase } from '../../../test/database.ts';
import { eventually, OrderPlaced, rows, useApps } from '../../../test/workflow/fixtures.ts';
import { createFactlineWith, systemSeams } from '../../app/index.ts';
import { createTelemetry, systemClock } from '../../foundation/index.ts';
import { createDatabase, type Database } from '../../postgres/index.ts';
import type { RunnerServices } from '../runner.ts';
import { type EventStart, EventStarts } from './event-starts.ts';
import { defineWorkflow } from './index.ts';

const launch = useApps();

describe('starts by events', () => {
  let testDatabase: TestDatabase;
  let database: Database;
  let starts: EventStarts;

  const query = async (sql: string): Promise<unknown[]> => (await database.operations.query(sql)).rows;

  beforeAll(async () => {
    testDatabase = await createTestDatabase({ migrated: true });
    database = createDatabase({ url: testDatabase.url, applicationName: 'starts' });
    await query(`insert into factline.consumers (app, class, name, types, lanes, start_position)
      values ('shop', 'workflow', 'w', '{}', 16, 0), ('shop', 'workflow', 'w@1', '{}', 16, 0)`);
    await query(`insert into factline.lanes (consumer_id, lane, generation, token, stop_at)
      select 1, lane, 1, 7, case lane when 4 then 50 else 1000 end from generate_series(0, 15) lane`);
    starts = new EventStarts({
      database,
      clock: systemClock,
      telemetry: createTelemetry(),
      consumer: { id: 1, name: 'w' },
    } as RunnerServices);
  });

  afterAll(async () => {
    await database.stop();
    await testDatabase.drop();
  });

  const workflow = defineWorkflow({ name: 'w', input: z.object({}), run: async () => {} });
  const start = (
    key: string,
    place: {
      readonly position: number;
      readonly lane: number;
      readonly token?: number;
      readonly inputText?: string;
    },
  ): Promise<number | null> => {
    const { inputText = '{}', position, lane, token = 7 } = place;
    const given: EventStart = {
      start: { workflow, key, inputText, startedBy: position, eventId: null, cause: {}, codeVersion: '1' },
      place: { lane, token, keyHash: lane, position },
      executor: 2,
      held: true,
    };
    return starts.start(given);
  };

  test('leave out what cannot be started, and its event with it; the others begin', async () => {
    await query('insert into factline.inbox (consumer_id, key_hash, position) values (1, 3, 3)');
    const unstorable = start('unstorable', { position: 8, lane: 8, inputText: '"\\u0000"' });
    unstorable.catch(() => {});
    const started = await Promise.all([
      start('first', { position: 1, lane: 1 }),
      start('first', { position: 2, lane: 1 }),
      start('handled', { position: 3, lane: 3 }),
      start('lost', { position: 5, lane: 5, token: 6 }),
      start('behind the barrier', { position: 51, lane: 4 }),
      start('second', { position: 7, lane: 7 }),
    ]);
    expect(started.map((id) => id !== null)).toEqual([true, false, false, false, false, true]);
    await expect(unstorable).rejects.toMatchObject({ code: '22P05' });
    expect(
      await query('select position::integer from factline.inbox where position <> 3 order by position'),
    ).toEqual([{ position: 1 }, { position: 7 }]);
    expect(
      await query(
        'select key, started_by::integer, held from factline.workflow_instances order by started_by',
      ),
    ).toEqual([
      { key: 'first', started_by: 1, held: true },
      { key: 'second', started_by: 7, held: true },
    ]);
  });
});

test('an event starts an instance without a transaction, unless another one lives', async () => {
  const gate = Promise.withResolvers<void>();
  let transactions = 0;
  const work = defineWorkflow({
    name: 'work',
    on: OrderPlaced,
    run: async (_, { step }) => {
      await step('wait', () => gate.promise);
    },
  });
  const kit = await launch({ consumers: [], contracts: [OrderPlaced] });
  await using app = createFactlineWith(
    {
      name: 'shop',
      consumers: [work],
      contracts: [OrderPlaced],
      database: kit.databaseUrl,
      handleSignals: false,
    },
    {
      ...systemSeams,
      testStep: (step) => {
        if (step === 'operational.transaction-begun') transactions += 1;
      },
    },
  );
  const instances = () =>
    rows(kit, 'select key, rejected_starts from factline.workflow_instances order by key');
  try {
    await app.start();
    for (const orderId of ['A', 'B']) await app.publish(OrderPlaced({ orderId, pence: 1 }));
    await eventually(async () => (await instances()).length === 2, 'both are started');
    expect(transactions).toBe(0);
    await app.publish(OrderPlaced({ orderId: 'A', pence: 2 }));
    await eventually(
      async () => (await instances())[0]?.['rejected_starts'] === 1,
      'a second one is rejected',
    );
    expect(transactions).toBe(1);
    expect(await instances()).toHaveLength(2);
  } finally {
    gate.resolve();
  }
});

test('a second event of a key is rejected, joined or queued, as declared', async () => {
  const gates: PromiseWithResolvers<void>[] = [];
  const begun: string[] = [];
  const make = (onDuplicate: 'reject' | 'join' | 'queue') =>
    defineWorkflow({
      name: onDuplicate,
      on: OrderPlaced,
      onDuplicate,
      run: async ({ data: { pence } }, { step }) => {
        await step('wait', () => {
          const gate = Promise.withResolvers<void>();
          gates.push(gate);
          begun.push(`${onDuplicate} ${pence}`);
          return gate.promise;
        });
        return pence;
      },
    });
  const policies = ['reject', 'join', 'queue'] as const;
  const kit = await launch({ consumers: policies.map(make), contracts: [] });
  const instances = () =>
    rows(
      kit,
      `select w.name, i.state, i.rejected_starts as rejected, i.result from factline.workflow_instances i
         join factline.consumers w on w.id = i.workflow_id order by w.name, i.id`,
    );
  try {
    await kit.publish(OrderPlaced({ orderId: 'A', pence: 1 }));
    await eventually(async () => gates.length === 3, 'the first ones are at work');
    await kit.publish(OrderPlaced({ orderId: 'A', pence: 2 }));
    await kit.publish(OrderPlaced({ orderId: 'A', pence: 3 }));
    await eventually(async () => (await instances()).length === 5, 'two are queued');
    await eventually(
      async () => (await instances()).some(({ rejected }) => rejected === 2),
      'two are rejected',
    );
    expect(await instances()).toEqual([
      { name: 'join', state: 'running', rejected: 0, result: null },
      { name: 'queue', state: 'running', rejected: 0, result: null },
      { name: 'queue', state: 'queued', rejected: 0, result: null },
      { name: 'queue', state: 'queued', rejected: 0, result: null },
      { name: 'reject', state: 'running', rejected: 2, result: null },
    ]);
    for (const count of [4, 5]) {
      for (const gate of gates) gate.resolve();
      await eventually(async () => gates.length === count, 'the next one of the queue begins');
    }
    for (const gate of gates) gate.resolve();
    await eventually(
      async () => (await instances()).every(({ state }) => state === 'completed'),
      'all have ended',
    );
    expect(begun.filter((name) => name.startsWith('queue'))).toEqual(['queue 1', 'queue 2', 'queue 3']);
    expect((await instances()).map(({ name, result }) => `${name} ${result}`)).toEqual([
      'join 1',
      'queue 1',
      'queue 2',
      'queue 3',
      'reject 1',
    ]);
  } finally {
    for (const gate of gates) gate.resolve();
  }
});
