import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { inject, it, expect } from 'vitest';
import { createTables } from './database.ts';
import { createTestDatabase } from './test/database.ts';
import { orderApi } from './api/order-api.ts';
import { serveApi } from './api/serve-api.ts';
import { feed, newProgress } from './feeder/feed.ts';
import { inventory } from './boxes/inventory/inventory.ts';
import { payment } from './boxes/payment/payment.ts';
import { fulfilment } from './boxes/fulfilment/fulfilment.ts';
import { shipping } from './boxes/shipping/shipping.ts';
import { customerNotification } from './boxes/notification/customer-notification.ts';
import { analyticsExport } from './analytics/analytics-export.ts';
import { SegmentWriter } from './analytics/segment-writer.ts';
import { startProvider } from './provider/start-provider.ts';
import { startSmtpSink } from './mail/smtp-sink.ts';
import { createMailer } from './mail/mailer.ts';
import { checkParity } from './parity/index.ts';
import { refusalsOf } from './report/report.ts';
import { orderSummary } from './read-models/order-summary.ts';
import { customerSpend } from './read-models/customer-spend.ts';
import { randomUUID } from 'node:crypto';

it('simulates', async () => {
  const input = process.env['SIM_INPUT']!;
  const db = await createTestDatabase('sim');
  await createTables(db.url);
  const pool = new pg.Pool({ connectionString: db.url, max: 30 });
  await pool.query(`create table order_summary ("orderId" text primary key, "customerId" text, country text, "placedAt" timestamptz, status text, reserved bool, "cancelledWhole" bool, "totalPence" int8, "cancelledPence" int8, "paidPence" int8, "refundedPence" int8)`);
  await pool.query(`create table customer_spend ("customerId" text, country text, orders int4, "orderedPence" int8, "cancelledPence" int8, primary key ("customerId", country))`);
  const log: any[] = [];
  const transaction = async (fn: any) => {
    const c = await pool.connect();
    const drafts: any[] = [];
    try {
      await c.query('begin');
      const value = await fn({ query: (s: string, v: any) => c.query(s, v), publish: (...d: any[]) => drafts.push(...d) });
      await c.query('commit');
      for (const d of drafts) log.push({ id: randomUUID(), type: d.type, key: d.key, data: JSON.parse(d.dataText), time: d.time ?? new Date().toISOString(), recordedAt: new Date().toISOString(), position: log.length + 1 });
      return { value, token: 't' };
    } catch (e) { await c.query('rollback'); throw e; } finally { c.release(); }
  };
  const app: any = { transaction };
  const provider = await startProvider(db.url, {});
  const sink = await startSmtpSink({});
  const mailer = createMailer(`smtp://127.0.0.1:${sink.port}`);
  const directory = await mkdtemp(join(tmpdir(), 'sim-'));
  const writer = new SegmentWriter(directory);
  const handlers: any[] = [inventory(), payment({ providerUrl: provider.url }), fulfilment(), shipping(), customerNotification({ mailer }), analyticsExport({ writer })];
  const api = await serveApi(orderApi(app), null);
  const progress = newProgress();
  let t = performance.now();
  await feed({ path: input, apiUrl: api.url, rate: 'max', limit: Infinity, signal: new AbortController().signal }, progress);
  console.log('fed', Math.round(performance.now() - t), 'ms', progress.ordersAccepted, progress.refused, 'events', log.length);
  // run each handler in log order with concurrency by key
  const cursors = handlers.map(() => 0);
  const parked = new Map<string, Set<string>>();
  const summary = new Map<string, any>(); const spend = new Map<string, any>();
  t = performance.now();
  const spent: Record<string, number> = {};
  for (;;) {
    let moved = false;
    for (const [i, h] of handlers.entries()) {
      const batch = log.slice(cursors[i]).filter((e) => h.types.has(e.type));
      cursors[i] = log.length;
      if (batch.length === 0) continue;
      moved = true;
      const t0 = performance.now();
      const byKey = h.ordering === 'global' ? new Map([['*', batch]]) : Map.groupBy(batch, (e: any) => e.key);
      const queues = [...byKey.entries()];
      await Promise.all(Array.from({ length: h.concurrency }, async () => {
        for (let q = queues.shift(); q; q = queues.shift()) {
          for (const event of q[1]) {
            const bad = parked.get(h.name) ?? new Set(); parked.set(h.name, bad);
            if (bad.has(event.key)) continue;
            try {
              await h.handle(event, { attempt: 1, signal: new AbortController().signal, replay: null, idempotencyKey: h.name + event.id, db: pool,
                effect: (name: string, fn: any) => fn({ idempotencyKey: `${h.name}/${event.id}/${name}`, signal: AbortSignal.timeout(10000), repeated: false }),
                transaction: async (fn: any) => (await transaction(fn)).value });
            } catch (e: any) { if (e.name !== 'PermanentError') console.log(h.name, event.type, e); bad.add(event.key); }
          }
        }
      }));
      spent[h.name] = (spent[h.name] ?? 0) + performance.now() - t0;
    }
    if (!moved) break;
  }
  console.log('drained', Math.round(performance.now() - t), 'ms', 'events', log.length, spent);
  for (const e of log) {
    for (const [p, rows] of [[orderSummary, summary], [customerSpend, spend]] as any) {
      if (!p.types.has(e.type)) continue;
      const k = p === orderSummary ? { orderId: e.data.orderId } : { customerId: e.data.customerId, country: e.data.country };
      const row = rows.get(JSON.stringify(k)) ?? null;
      const next = p.evolve(row, e, k);
      rows.set(JSON.stringify(k), { ...next, ...k });
    }
  }
  for (const [table, rows] of [['order_summary', summary], ['customer_spend', spend]] as const) await pool.query(`insert into ${table} select * from jsonb_populate_recordset(null::${table}, $1::jsonb)`, [JSON.stringify([...rows.values()])]);
  t = performance.now();
  const parity = await checkParity({ pool, inputPath: input, limit: Infinity, analyticsDirectory: directory, refused: refusalsOf(progress), quarantinedPayments: parked.get('payment')!.size, mails: new Set(sink.received.keys()) });
  console.log('parity', Math.round(performance.now() - t), 'ms');
  for (const c of parity.checks) console.log(c.ok ? 'ok ' : 'BAD', c.check, c.expected, c.actual);
  console.log(parity.events);
  await writer.close(); mailer.stop(); await sink.stop(); await provider.stop(); await api.stop(); await pool.end(); await db.drop();
  expect(parity.checks.every((c) => c.ok)).toBe(true);
});
