import pg from 'pg';
import { type RunContext, type RunReport, sizeOf } from '../harness/workload.ts';
import type { Workloads } from './index.ts';
import { runInstances, stepsPerWorkflow, warmUp } from './workflow-load.ts';

/*
 * A durable workflow of three trivial steps, by hand: its row, a row per step, its end; each a commit of its own. It knows no
 * retry, no second process and no crash: nothing reads what it writes.
 */
const tables = `create table instances (id text primary key, state text not null, result jsonb);
  create table steps (instance text not null, ordinal int not null, result jsonb not null, primary key (instance, ordinal))`;

/** More connections than this only make two cores switch between them. */
const connectionsMax = 20;

const workflow = async (context: RunContext): Promise<RunReport> => {
  const pool = new pg.Pool({
    connectionString: context.databaseUrl,
    max: Math.min(sizeOf(context, 'clients'), connectionsMax),
  });
  await pool.query(tables);
  const report = await runInstances(context, async (id) => {
    await pool.query({ name: 'begin', text: `insert into instances values ($1, 'running')`, values: [id] });
    for (let ordinal = 0; ordinal < stepsPerWorkflow; ordinal += 1)
      await pool.query({
        name: 'step',
        text: 'insert into steps values ($1, $2, $3)',
        values: [id, ordinal, JSON.stringify({ ordinal })],
      });
    await pool.query({
      name: 'end',
      text: `update instances set state = 'completed', result = $2 where id = $1`,
      values: [id, JSON.stringify({ id })],
    });
  });
  const { rows } = await pool.query(`select count(*)::int as ended from instances where state = 'completed'`);
  await pool.end();
  return { ...report, lost: report.done + warmUp - Number(rows[0]?.ended) };
};

export const workflowWorkloads: Workloads = { workflow };
