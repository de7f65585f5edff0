import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { createTestDatabase, type TestDatabase } from '../../../test/database.ts';
import { createFactline } from '../../app/index.ts';
import { defineWorkflow } from '../../consumers/index.ts';
import { systemClock } from '../../foundation/index.ts';
import { createDatabase, type Database } from '../../postgres/index.ts';
import { createMeter, measure } from '../meter.ts';
import type { Verdict } from '../verdict.ts';

let own: TestDatabase;
let database: Database;
let release = (): void => {};

const crowded = defineWorkflow({
  name: 'crowded',
  input: z.object({}),
  concurrency: 1,
  slo: { handledWithin: '1s' },
  run: async (_, { step, sleep }) => {
    await step('long', () => new Promise<null>((resolve) => (release = () => resolve(null))), {
      timeout: '5m',
    });
    await sleep('1h');
    return null;
  },
});

beforeAll(async () => {
  own = await createTestDatabase();
  database = createDatabase({ url: own.url, applicationName: 'measuring workflows' });
});
afterAll(async () => {
  await database.stop();
  await own.drop();
});

const measured = async (): Promise<Verdict> => {
  const [verdict, ...others] = await measure({ database });
  // Versions have no line of their own.
  expect(others).toEqual([]);
  return verdict as Verdict;
};

describe('how a workflow stands', () => {
  test('what a living process works at is not overdue, what waits for a slot is; sleeping costs nothing', async () => {
    const app = createFactline({
      name: 'shop',
      database: own.url,
      consumers: [crowded],
      handleSignals: false,
    });
    await app.start();
    await app.startWorkflow(crowded, { key: 'first', input: {} });
    await expect
      .poll(async () => (await measured()).workflow?.instances.running, { timeout: 10_000 })
      .toBe(1);
    expect(await measured()).toMatchObject({ verdict: 'OK', workflow: { due: { instances: 0 } } });
    await app.startWorkflow(crowded, { key: 'second', input: {} });
    await expect.poll(async () => (await measured()).verdict, { timeout: 10_000 }).toBe('LATE');
    const late = await measured();
    expect(late).toMatchObject({
      consumer: 'crowded',
      unhandled: 0,
      workflow: {
        due: { instances: 1 },
        versions: [{ version: 1, instances: 2, lanes: { total: 16, owned: 16 } }],
      },
    });
    expect(late.reasons[0]?.text).toMatch(/^instance \d+ is due for .* promised is 1 s$/);
    release();
    await expect
      .poll(
        async () => {
          release();
          return (await measured()).workflow?.instances;
        },
        { timeout: 20_000 },
      )
      .toMatchObject({ running: 0, waiting: 2 });
    expect(await measured()).toMatchObject({
      verdict: 'OK',
      lagSeconds: 0,
      workflow: { due: { instances: 0 } },
    });
    await app.stop();
    await expect
      .poll(async () => (await measured()).verdict, { timeout: 30_000, interval: 500 })
      .toBe('STALLED');
    expect((await measured()).reasons.map(({ code }) => code)).toEqual(['lanes-unowned']);
  }, 90_000);

  test('is UNKNOWN when it cannot be measured in time', async () => {
    const session = await database.openSession('locker');
    await session.client.query('begin');
    await session.client.query('lock table factline.workflow_instances in access exclusive mode');
    const meter = createMeter({ database, clock: systemClock, declared: [crowded] });
    expect(await meter.verdicts()).toMatchObject([
      { consumer: 'crowded', verdict: 'UNKNOWN', reasons: [{ code: 'not-measured' }], workflow: null },
    ]);
    await session.client.query('rollback');
    await session.close();
    await expect.poll(async () => (await meter.verdicts())[0]?.verdict).toBe('STALLED');
  }, 30_000);
});
