import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { checkParity, type ParityOptions } from './parity/parity.ts';
import type { Report } from './report/report.ts';
import { casesPath, samplePath } from './test/data.ts';
import { prepareWholeRun, type WholeRun } from './test/whole-run.ts';

// The whole pipeline, each order fulfilled by a workflow.

let whole: WholeRun;
beforeAll(async () => {
  whole = await prepareWholeRun('orchestrated');
});
afterAll(() => whole.drop());

const run = (...args: string[]): Promise<Report> =>
  whole.run('--orchestrated', '--rate', 'max', '--until-drained', ...args);

const wrong = (report: Report): unknown[] => report.parity.filter(({ ok }) => !ok);
const workflowsOf = ({ workflows }: Report): Record<string, number> =>
  Object.fromEntries(workflows.map(({ state, count }) => [state, count]));

describe('the orchestrated pipeline', () => {
  it('takes the cases, however odd, and every workflow ends as its order did', {
    timeout: 120_000,
  }, async () => {
    const report = await run('--input', casesPath);
    expect(wrong(report)).toEqual([]);
    expect(report).toMatchObject({
      ok: true,
      mode: 'orchestrated',
      input: { rows: 212, invoices: 29, cancellations: 9 },
    });
    expect(report.parity.length).toBeGreaterThan(24);
  });

  it('drains the sample to the penny; nine totals of zero are left to a person', {
    timeout: 120_000,
  }, async () => {
    const report = await run();
    expect(wrong(report)).toEqual([]);
    expect(report).toMatchObject({ ok: true, input: { rows: 3053, invoices: 138, cancellations: 6 } });
    expect(report.events).toContainEqual({ type: 'orders.order.placed.v1', count: 131 });
    const { completed = 0, cancelled = 0, failed = 0 } = workflowsOf(report);
    expect(completed + cancelled + failed).toBe(131);
    expect(failed).toBeGreaterThanOrEqual(9);
    expect(report.consumers.map((consumer) => consumer.name)).not.toContain('payment');
    const workflow = report.consumers.find((consumer) => consumer.name === 'fulfil-order');
    expect(workflow).toMatchObject({ class: 'workflow', verdict: 'OK' });
  });

  it('goes on with the same database, in the same mode only', { timeout: 120_000 }, async () => {
    const report = await run('--keep');
    expect(wrong(report)).toEqual([]);
    await expect(whole.run('--keep', '--rate', 'max', '--until-drained')).rejects.toThrow(
      /--keep goes on with --orchestrated/,
    );
  });
});

// Each fault is planted in a transaction that is rolled back.
describe('the parity of workflows catches', () => {
  let client: pg.Client;
  let options: ParityOptions;
  beforeAll(async () => {
    const url = new URL(inject('databaseUrl'));
    url.pathname = `/${whole.databaseName}`;
    client = new pg.Client({ connectionString: url.href });
    await client.connect();
    const mails = (await readFile(join(whole.stateDirectory, 'mails.log'), 'utf8')).trim().split('\n');
    options = {
      pool: client,
      inputPath: samplePath,
      limit: Number.POSITIVE_INFINITY,
      analyticsDirectory: join(whole.stateDirectory, 'analytics'),
      refused: new Map([
        ['cancellation-matches-no-order', 5],
        ['negative-quantity', 1],
      ]),
      mode: 'orchestrated',
      quarantinedPayments: 0,
      mails: new Set(mails),
    };
  });
  afterAll(() => client?.end());

  async function caught(plant: string | null): Promise<string[]> {
    await client.query('begin');
    try {
      if (plant !== null) expect((await client.query(plant)).rowCount).toBeGreaterThan(0);
      const { checks } = await checkParity(options);
      return checks.filter(({ ok }) => !ok).map(({ check }) => check);
    } finally {
      await client.query('rollback');
    }
  }

  it('nothing where nothing is wrong', async () => {
    expect(await caught(null)).toEqual([]);
  });

  it.each([
    [
      'a workflow that is stuck',
      `update factline.workflow_instances set state = 'stuck', ended_at = null, stuck = '{}' where key = '536365'`,
      'ended as their order did',
    ],
    [
      'a workflow that says it has shipped what it has not',
      `update factline.workflow_instances set state = 'completed', failure = null, result = '{"outcome":"shipped"}'
       where failure ->> 'message' like '%zero'`,
      'ended as their order did',
    ],
    [
      'an order without a workflow',
      `delete from factline.workflow_instances where key = '536365'`,
      'one an order',
    ],
    [
      'an authorisation that nobody ended',
      `delete from payment_provider.ledger where kind = 'capture' and order_id = '536365'`,
      'captured or voided',
    ],
    [
      'an authorisation that was left behind',
      `insert into payment_provider.ledger (idempotency_key, request_digest, kind, status, reference, charge, order_id, pence)
       values ('x', 'x', 'authorisation', 'authorised', 'au_x', 'au_x', '536365', 1)`,
      'captured or voided',
    ],
    [
      'a second capture',
      `insert into payment_provider.ledger (idempotency_key, request_digest, kind, status, reference, charge, order_id, pence)
       values ('x', 'x', 'capture', 'captured', 'ch_x', 'au_x', '536365', 1)`,
      'exactly once',
    ],
    [
      'a parcel that left without the carrier',
      `delete from carrier.parcels where order_id = '536365'`,
      'parcels collected',
    ],
    [
      'a parcel that the carrier took though the order was undone',
      `insert into carrier.parcels values ('GB-x', 'x', 'collected')`,
      'parcels collected',
    ],
    [
      'an order that was shipped though the carrier never came',
      `update carrier.parcels set state = 'ready', missed = true where order_id = '536365'`,
      'the carrier missed',
    ],
    [
      'stock that a failed workflow keeps',
      `update inventory.reservations set state = 'reserved' where state = 'released'`,
      'ended as their order did',
    ],
    [
      'an order that was unpacked and shipped all the same',
      `update fulfilment.orders set state = 'stopped', reason = 'not collected', unpacked = true where order_id = '536365'`,
      'one final state',
    ],
  ])('%s', async (_, sql, check) => {
    expect(await caught(sql)).toContainEqual(expect.stringContaining(check));
  });
});
