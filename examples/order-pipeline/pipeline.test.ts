import { execFile } from 'node:child_process';
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import type { ParityCheck } from './parity/index.ts';
import { checkParity, type ParityOptions } from './parity/parity.ts';
import type { Report } from './report/report.ts';
import type { Screen } from './screen/screen.ts';
import { casesPath, samplePath } from './test/data.ts';
import { prepareWholeRun, type WholeRun } from './test/whole-run.ts';

const said: string[] = [];
const screen: Screen = {
  say: (line) => void said.push(typeof line === 'string' ? line : line.map(({ text }) => text).join('')),
  show: () => {},
  settle: () => {},
};

let whole: WholeRun;
beforeAll(async () => {
  whole = await prepareWholeRun('run', screen);
});
afterAll(() => whole.drop());

const run = (...args: string[]): Promise<Report> => whole.run(...args);

/** Names and types, of lists those of the first item. */
const shapeOf = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.slice(0, 1).map(shapeOf);
  if (typeof value !== 'object' || value === null) return typeof value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, shapeOf(member)]));
};

const [text, number] = ['string', 'number'];
/** What scripts rely on: members are added, never renamed. */
const shape = {
  ok: 'boolean',
  mode: text,
  input: {
    rows: number,
    invoices: number,
    cancellations: number,
    refused: [{ reason: text, count: number }],
  },
  events: [{ type: text, count: number }],
  consumers: [
    {
      ...{ name: text, class: text, handled: number, duplicatesSuppressed: number, attempts: number },
      ...{ quarantined: number, lagSeconds: number, verdict: text },
    },
  ],
  latency: [{ consumer: text, p50: number, p95: number, p99: number }],
  throughput: { ordersPerSecond: number, eventsPerSecond: number },
  workflows: [],
  kills: number,
  parity: [{ check: text, expected: number, actual: number, ok: 'boolean' }],
  durationSeconds: number,
};

const wrong = (report: Report): ParityCheck[] => report.parity.filter(({ ok }) => !ok);

describe('the pipeline', () => {
  it('takes the cases, however odd, and every one of them ends somewhere', { timeout: 90_000 }, async () => {
    const report = await run('--input', casesPath, '--rate', 'max', '--until-drained');
    expect(wrong(report)).toEqual([]);
    expect(report.ok).toBe(true);
    expect(report.input).toMatchObject({ rows: 212, invoices: 29, cancellations: 9 });
    expect(report.input.refused).toEqual([
      { reason: 'accounting-adjustment', count: 3 },
      { reason: 'cancellation-matches-no-order', count: 4 },
      { reason: 'cancellation-without-customer', count: 3 },
      { reason: 'negative-quantity', count: 3 },
      { reason: 'price-finer-than-a-penny', count: 1 },
    ]);
  });

  it('drains the sample to the penny, with nine keys in quarantine', { timeout: 90_000 }, async () => {
    const file = join(whole.stateDirectory, 'report.json');
    const report = await run('--rate', 'max', '--until-drained', '--report', file);
    expect(wrong(report)).toEqual([]);
    expect(JSON.parse(await readFile(file, 'utf8'))).toEqual(report);
    expect(shapeOf(report)).toEqual(shape);
    expect(report).toMatchObject({
      ok: true,
      kills: 0,
      input: { rows: 3053, invoices: 138, cancellations: 6 },
    });
    const payment = report.consumers.find((consumer) => consumer.name === 'payment');
    expect(payment).toMatchObject({ class: 'operational', quarantined: 9, verdict: 'OK' });
    expect(report.events).toContainEqual({ type: 'orders.order.placed.v1', count: 131 });
    expect(report.latency.every(({ p50 }) => p50 !== null)).toBe(true);
  });

  it('goes on with the same database, and a repeated feed changes nothing', { timeout: 90_000 }, async () => {
    const report = await run('--keep', '--rate', 'max', '--until-drained');
    expect(wrong(report)).toEqual([]);
    expect(report.events).toContainEqual({ type: 'orders.order.placed.v1', count: 131 });
    await expect(run('--keep', '--input', casesPath, '--rate', 'max', '--until-drained')).rejects.toThrow(
      /--keep goes on/,
    );
  });
});

// Below, the sample has run: its tables are there.
describe('the contract gate, with the log beside it', { timeout: 90_000 }, () => {
  const check = (consumer: string): Promise<{ code: number; report: Evidence }> => {
    const url = new URL(inject('databaseUrl'));
    url.pathname = `/${whole.databaseName}`;
    const words = ['contracts', 'check', '--against-log', '--run', consumer, '--sample', '20', '--json'];
    const places = ['--app', join(import.meta.dirname, 'gate-app.ts'), '--database', url.href];
    const main = join(import.meta.dirname, '../../src/cli/main.ts');
    return new Promise((resolve, reject) => {
      execFile(
        process.execPath,
        ['--conditions=factline-source', main, ...words, ...places],
        { maxBuffer: 1e8 },
        (error, out, errors) => {
          if (out === '') reject(new Error(errors));
          else resolve({ code: error === null ? 0 : Number(error.code), report: JSON.parse(out) });
        },
      );
    });
  };

  it('finds that every event of the log fits, and that a read model takes it again', async () => {
    const { code, report } = await check('order-summary');
    expect(report.log).toMatchObject({ refused: 0, span: { after: 0 } });
    expect(report.log.contracts.map(({ contract }) => contract)).toContain('orders.order.placed.v1');
    expect(report.dryRun.outcomes.error).toBe(0);
    expect(report.dryRun.events).toBeGreaterThan(60);
    expect(code).toBe(0);
  });

  it('lets the handlers handle again what they have handled, which the parity below does not see', async () => {
    const { code, report } = await check('payment');
    // Charges that are on record are not asked for again; those in quarantine got as far as the provider.
    expect(report.dryRun.effects).toEqual({ charge: 9 });
    expect(new Set(report.dryRun.failures.map(({ code }) => code))).toEqual(new Set(['23505']));
    expect(report.findings).toContainEqual(
      expect.objectContaining({ rule: 'dry-run-failed', severity: 'warning' }),
    );
    expect(code).toBe(0);
  });
});

interface Evidence {
  readonly findings: readonly unknown[];
  readonly log: { readonly contracts: readonly { readonly contract: string }[] };
  readonly dryRun: {
    readonly events: number;
    readonly outcomes: Readonly<Record<string, number>>;
    readonly effects: Readonly<Record<string, number>>;
    readonly failures: readonly { readonly code: string }[];
  };
}

// Each fault is planted in a transaction that is rolled back.
describe('parity catches', () => {
  let client: pg.Client;
  let options: ParityOptions;
  const seenToFail = new Set<string>();
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
      mode: 'choreographed',
      quarantinedPayments: 9,
      mails: new Set(mails),
    };
  });
  afterAll(() => client?.end());

  async function caught(plant: string | Partial<ParityOptions>): Promise<string[]> {
    await client.query('begin');
    try {
      if (typeof plant === 'string') expect((await client.query(plant)).rowCount).toBeGreaterThan(0);
      const { checks } = await checkParity({ ...options, ...(typeof plant === 'object' ? plant : {}) });
      const failed = checks.filter(({ ok }) => !ok).map(({ check }) => check);
      for (const check of failed) seenToFail.add(check);
      return failed;
    } finally {
      await client.query('rollback');
    }
  }

  it('nothing where nothing is wrong', async () => {
    expect(await caught({})).toEqual([]);
  });

  it.each([
    [
      'a penny too much',
      "update orders.orders set total_pence = total_pence + 1 where order_id = '536365'",
      'orders',
    ],
    [
      'two errors that cancel each other out',
      `update "customer-spend" set "orderedPence" = "orderedPence" +
       case "customerId" when '17850' then 1 else -1 end where "customerId" in ('17850', '13047')`,
      'customer-spend',
    ],
    [
      'an order that nobody placed',
      `insert into orders.orders (order_id, customer_id, country, placed_at, total_pence)
       values ('x', '17850', 'United Kingdom', now(), 0)`,
      'orders accepted',
    ],
    [
      'a cancellation that the customer is not told of',
      `update "customer-spend" set "cancelledPence" = "cancelledPence" + 1 where "customerId" = '17850'`,
      'pence cancelled',
    ],
    [
      'a cancellation that was rejected all the same',
      `update orders.cancellations set outcome = 'rejected' where outcome = 'accepted'`,
      'cancellations rejected',
    ],
    [
      'a payment that nobody knows of',
      "delete from payment.payments where order_id = '536367'",
      'quarantine',
    ],
    [
      'a penny too much that was taken',
      "update payment.payments set pence = pence + 1 where order_id = '536365'",
      'captured per order',
    ],
    [
      'a payment that the read model missed',
      `update "order-summary" set "paidPence" = 0 where "orderId" = '536365'`,
      'order-summary =',
    ],
    [
      'a notification that was not written',
      "delete from notification.notifications where order_id = '536365'",
      'notifications written',
    ],
    ['a lost line', "delete from orders.order_lines where order_id = '536365' and line = 1", 'lines'],
    [
      'an order that was not shipped',
      "delete from shipping.shipments where order_id = '536365'",
      'one final state',
    ],
    [
      'an order that was shipped and stopped',
      `update fulfilment.orders set state = 'stopped', reason = 'cancelled'
       where order_id = '536365'`,
      'one final state',
    ],
    [
      'a wrong read model',
      `update "order-summary" set status = 'packed' where "orderId" = '536365'`,
      'order-summary tells',
    ],
    [
      'a refund that nobody asked for',
      `insert into payment.refunds (order_id, cause, pence, refund_id)
       values ('536365', 'x', 1, 're_x')`,
      'refunded per order',
    ],
    [
      'money that the provider does not know of',
      `update payment_provider.ledger set pence = pence + 1
       where order_id = '536365'`,
      'provider ledger',
    ],
    [
      'a second charge',
      `insert into payment_provider.ledger (idempotency_key, request_digest, kind, status, reference,
       charge, order_id, pence) values ('x', 'x', 'charge', 'declined', 'ch_x', 'ch_x', '536365', 1)`,
      'exactly once',
    ],
    [
      'stock that went missing',
      `update inventory.stock set on_hand = on_hand - 1 where product = '85123A'`,
      'on hand',
    ],
    [
      'stock that stays reserved',
      `update inventory.stock set reserved = reserved + 1 where product = '85123A'`,
      'reserved',
    ],
    [
      'a notification without a mail',
      `insert into notification.notifications values ('x', '536365', '17850',
       'order received', '<x@shop.example>')`,
      'Message-ID',
    ],
    [
      'a cancellation of nothing',
      `insert into orders.cancelled_units select cancellation_id, 1, '536365', 1, 1, 1
       from orders.cancellations limit 1`,
      'touched by cancellations',
    ],
    [
      'an event that was not exported',
      `update analytics.segments set committed_bytes = 0, events = 0`,
      'exported events',
    ],
  ])('%s', async (_, sql, check) => {
    // The read models are views: what is written must reach the table below.
    expect(await caught(sql)).toContainEqual(expect.stringContaining(check));
  });

  it('a mail that nobody is answerable for, a refusal, and a key in quarantine too few', async () => {
    expect(await caught({ mails: new Set([...options.mails, '<y@shop.example>']) })).toHaveLength(1);
    expect(await caught({ refused: new Map() })).toEqual(['refusals by reason']);
    expect(await caught({ quarantinedPayments: 8 })).toEqual(['keys in quarantine: payment']);
  });

  it('an event that was exported twice, and one that cannot have happened', async () => {
    const copy = await mkdtemp(join(tmpdir(), 'order-pipeline-export-'));
    await cp(options.analyticsDirectory, copy, { recursive: true });
    const { rows } = await client.query('select path from analytics.segments order by segment limit 1');
    const path = join(copy, rows[0].path);
    const lines = (await readFile(path, 'utf8')).split('\n');
    const shipped = lines.findIndex((line) => line.includes('shipping.order.shipped.v1'));
    const faulty = lines.with(shipped, lines[0] ?? '').join('\n');
    await writeFile(path, faulty);
    expect((await readdir(copy)).length).toBeGreaterThan(0);
    const grown = `update analytics.segments set committed_bytes = ${Buffer.byteLength(faulty)} where path = '${rows[0].path}'`;
    const before = options.analyticsDirectory;
    options = { ...options, analyticsDirectory: copy };
    expect(await caught(grown)).toEqual([
      'exported events, each once',
      'exported events by type',
      'impossible transitions',
    ]);
    options = { ...options, analyticsDirectory: before };
    await rm(copy, { recursive: true });
  });

  it('something by each of its checks: none of them is for show', async () => {
    const { checks } = await checkParity(options);
    expect(checks.map(({ check }) => check).filter((check) => !seenToFail.has(check))).toEqual([]);
  });
});
