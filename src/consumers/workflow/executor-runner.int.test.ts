import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { createTestDatabase, type TestDatabase } from '../../../test/database.ts';
import { eventually } from '../../../test/workflow/fixtures.ts';
import { type Clock, createTelemetry, systemClock } from '../../foundation/index.ts';
import { createDatabase, type Database } from '../../postgres/index.ts';
import { type LaneLease, noBarrier, type RunnerServices } from '../runner.ts';
import { ExecutorRunner } from './executor-runner.ts';
import { hubOf } from './hub.ts';
import { defineWorkflow } from './index.ts';
import { executorOf } from './versions.ts';

/* A runner without its engine: nothing but its own timers and wakes has it look. */

let testDatabase: TestDatabase;
let database: Database;

beforeAll(async () => {
  testDatabase = await createTestDatabase({ migrated: true });
  database = createDatabase({ url: testDatabase.url, applicationName: 'executor' });
  await database.operations.query(`insert into factline.consumers (app, class, name, types, lanes, start_position)
    values ('shop', 'workflow', 'w', '{}', 1, 0), ('shop', 'workflow', 'w@1', '{}', 1, 0)`);
  await database.operations.query(
    'insert into factline.lanes (consumer_id, lane, generation, token) values (2, 0, 1, 7)',
  );
});

afterAll(async () => {
  await database.stop();
  await testDatabase.drop();
});

const lease: LaneLease = {
  consumerId: 2,
  lane: 0,
  generation: 1,
  token: 7,
  position: 0,
  dispatchLimit: 0,
  settledAtTakeover: 0,
  clean: true,
  types: new Set(),
  laneCount: 1,
  stopAt: noBarrier,
};

const sleeping = (key: string, seconds: number): Promise<unknown> =>
  database.operations.query({
    text: `insert into factline.workflow_instances (workflow_id, consumer_id, version, key, key_hash, state, start_position, due_at)
      values (1, 2, 1, $1, 0, 'waiting', 0, factline.clock() + $2 * interval '1 second')`,
    values: [key, seconds],
  });

test('a moment that comes during a look does not hide the next one', async () => {
  const ran: string[] = [];
  const workflow = defineWorkflow({
    name: 'w',
    input: z.object({}),
    run: async (_, { key }) => void ran.push(key),
  });
  const [answered, asked, fired] = [0, 1, 2].map(() => Promise.withResolvers<void>()) as [
    PromiseWithResolvers<void>,
    PromiseWithResolvers<void>,
    PromiseWithResolvers<void>,
  ];
  let looks = 0;
  // The timer for the first moment.
  const clock: Clock = {
    ...systemClock,
    timer: (ms, run, options) =>
      systemClock.timer(
        ms,
        () => {
          run();
          if (ms < 2_000) fired.resolve();
        },
        options,
      ),
  };
  const runner = new ExecutorRunner(executorOf(workflow), {
    consumer: { id: 2, name: 'w@1', startPosition: 0 },
    process: { id: 1, incarnation: '00000000-0000-4000-8000-000000000001' },
    app: { name: 'shop', source: '/shop', codeVersion: '1' },
    database,
    clock,
    telemetry: createTelemetry(),
    randomness: { float: () => 0.5 },
    tail: { wake: () => {} },
    onLeaseLost: () => {},
    testStep: async (step: string) => {
      if (step === 'workflow.before-load') looks += 1;
      if (step === 'workflow.after-load' && looks === 1) await answered.promise;
      if (step === 'workflow.before-load' && looks === 2) await asked.promise;
    },
  } as unknown as RunnerServices);
  try {
    await sleeping('first', 0.5);
    await sleeping('second', 1.5);
    await runner.take([lease]);
    await eventually(async () => looks === 1, 'the first look is made');
    hubOf(database).door('w@1')?.wake([]);
    answered.resolve();
    await fired.promise;
    asked.resolve();
    await eventually(async () => ran.length === 2, 'both have run');
    expect(ran).toEqual(['first', 'second']);
  } finally {
    for (const gate of [answered, asked]) gate.resolve();
    runner.drop([0]);
  }
});
