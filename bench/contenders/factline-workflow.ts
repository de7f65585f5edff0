import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { createFactline, defineEvent, defineWorkflow, type Factline } from 'factline';
import pg from 'pg';
import { z } from 'zod';
import { type RunContext, type RunReport, sizeOf } from '../harness/workload.ts';
import type { Workloads } from './index.ts';
import { latencyWorkloads, type OpenMessaging } from './latency.ts';
import { runInstances, warmUp } from './workflow-load.ts';

const threeSteps = defineWorkflow({
  name: 'three-steps',
  input: z.object({ id: z.string() }),
  concurrency: 200,
  run: async ({ id }, { step }) => {
    await step('first', async () => ({ ordinal: 0 }));
    await step('second', async () => ({ ordinal: 1 }));
    await step('third', async () => ({ ordinal: 2 }));
    return { id };
  },
});

const ended = async (pool: pg.Pool): Promise<number> => {
  const { rows } = await pool.query<{ ended: number }>(
    `select count(*)::int as ended from factline.workflow_instances where state = 'completed'`,
  );
  return Number(rows[0]?.ended);
};

const withPool = async <T>(databaseUrl: string, work: (pool: pg.Pool) => Promise<T>): Promise<T> => {
  const pool = new pg.Pool({ connectionString: databaseUrl, max: 1 });
  try {
    return await work(pool);
  } finally {
    await pool.end();
  }
};

const workflow = async (context: RunContext): Promise<RunReport> => {
  const app = createFactline({ name: 'bench', database: context.databaseUrl, consumers: [threeSteps] });
  await app.start();
  const report = await runInstances(context, async (id) => {
    const handle = await app.startWorkflow(threeSteps, { key: id, input: { id } });
    await handle.result({ within: '1m' });
  });
  const lost = report.done + warmUp - (await withPool(context.databaseUrl, ended));
  await app.stop();
  return { ...report, lost };
};

const OrderPlaced = defineEvent({
  type: 'shop.order.placed.v1',
  key: 'orderId',
  schema: z.object({ orderId: z.string(), customerId: z.string(), pence: z.int() }),
});

/** From the commit of the event to the first step of the workflow that it starts. */
const openStart: OpenMessaging = async ({ databaseUrl, handled }) => {
  const fulfil = defineWorkflow({
    name: 'fulfil',
    on: OrderPlaced,
    run: async (event, { step }) => {
      await step('first', async () => handled?.(event.data.orderId));
    },
  });
  const app = createFactline({ name: 'bench', database: databaseUrl, consumers: [fulfil] });
  await app.start();
  return { publish: (order) => app.publish(OrderPlaced(order)), stop: () => app.stop() };
};

const heapMb = (): number => {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  return process.memoryUsage().heapUsed / 1024 / 1024;
};

/** Long, because what comes every ten seconds is counted once more or once less. */
const quietSeconds = 40;

/** What an app costs that has nothing to do: memory in MB, and statements a second. */
const quiet = async (pool: pg.Pool): Promise<{ memoryMb: number; statements: number }> => {
  const calls = async (): Promise<number> => {
    const { rows } = await pool.query<{ calls: string }>(
      'select coalesce(sum(s.calls), 0)::text as calls from pg_stat_statements s join pg_database d on d.oid = s.dbid where d.datname = current_database() and s.toplevel',
    );
    return Number(rows[0]?.calls);
  };
  await sleep(quietSeconds * 1_000);
  const before = await calls();
  await sleep(quietSeconds * 1_000);
  // The look itself is one.
  return { memoryMb: heapMb(), statements: ((await calls()) - before - 1) / quietSeconds };
};

/** So many instances sleep for a day, while some of them wake up at known moments. */
const sleeping = async (context: RunContext): Promise<RunReport> => {
  const instances = sizeOf(context, 'instances');
  const waking = sizeOf(context, 'waking');
  const late: number[] = [];
  const sleeper = defineWorkflow({
    name: 'sleeper',
    input: z.object({ until: z.iso.datetime() }),
    concurrency: 200,
    run: async ({ until }, { sleepUntil, step }) => {
      await sleepUntil(until);
      await step('woken', async () => void late.push(Date.now() - Date.parse(until)));
    },
  });
  const make = (): Factline =>
    createFactline({ name: 'bench', database: context.databaseUrl, consumers: [sleeper] });
  return withPool(context.databaseUrl, async (pool) => {
    await pool.query('create extension if not exists pg_stat_statements');
    const first = make();
    await first.start();
    const none = await quiet(pool);
    const start = async (prefix: string, count: number, until: (n: number) => number): Promise<void> => {
      let next = 0;
      const client = async (): Promise<void> => {
        for (let n = next++; n < count; n = next++)
          await first.startWorkflow(sleeper, {
            key: `${prefix}${n}`,
            input: { until: new Date(until(n)).toISOString() },
          });
      };
      await Promise.all(Array.from({ length: 100 }, client));
    };
    const day = Date.now() + 86_400_000;
    await start('s', instances, () => day);
    const asleep = async (): Promise<boolean> => {
      const { rows } = await pool.query<{ awake: number }>(
        `select count(*)::int as awake from factline.workflow_instances where state <> 'waiting'`,
      );
      return rows[0]?.awake === 0;
    };
    while (!(await asleep())) await sleep(200);
    await first.stop();
    await pool.query('vacuum analyze');
    const app = make();
    await app.start();
    const many = await quiet(pool);
    const from = Date.now() + 15_000;
    let elapsedMs = 0;
    const second = Promise.all(
      Array.from({ length: waking }, (_, n) =>
        app.startWorkflow(sleeper, {
          key: `due${n}`,
          input: { until: new Date(from + (10_000 * n) / waking).toISOString() },
        }),
      ),
    );
    await second;
    elapsedMs = await context.measure(async () => {
      while (late.length < waking && Date.now() < from + 40_000) await sleep(20);
    });
    await app.stop();
    return {
      done: late.length,
      elapsedMs,
      latenciesMs: late.map((ms) => Math.max(0, ms)),
      lost: waking - late.length,
      doubled: 0,
      asleep: {
        memoryMb: many.memoryMb - none.memoryMb,
        statementsPerSecond: many.statements - none.statements,
      },
      notes: [
        `${instances} asleep: heap ${none.memoryMb.toFixed(1)} → ${many.memoryMb.toFixed(1)} MB, ${none.statements} → ${many.statements} statements/s`,
      ],
    };
  });
};

export const workflowWorkloads: Workloads = {
  workflow,
  'workflow-start': latencyWorkloads('factline', openStart).latency,
  'workflow-asleep': sleeping,
};
