import { createServer } from 'node:net';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createProject, type Project, runWords } from '../../test/command-line.ts';
import { createTestDatabase } from '../../test/database.ts';

let project: Project;
const patience = { timeout: 15_000, interval: 50 };

// A project for each attempt: an app, once imported, is not made again.
beforeEach(() => {
  project = createProject('cli-shop');
  Object.assign(globalThis, { runningShop: { repaired: false } });
});
afterEach(() => project.remove());

const shop = `
import { createFactline, defineEvent, defineHandler, defineProjection, PermanentError } from 'factline'
import { z } from 'zod'
const OrderPlaced = defineEvent({ type: 'shop.order.placed.v1', key: 'orderId', schema: z.object({ orderId: z.string(), pence: z.int() }) })
const orders = defineProjection({ name: 'orders', on: [OrderPlaced], primaryKey: 'orderId', columns: { orderId: 'text', pence: 'int8' }, evolve: (row, event) => ({ pence: event.data.pence }) })
const payment = defineHandler({ name: 'payment', on: [OrderPlaced], startAt: 'beginning', handle: async (event) => { if (event.data.pence === 0 && !globalThis.runningShop.repaired) throw new PermanentError('the amount is zero') } })
export { OrderPlaced }
export const app = createFactline({ name: 'cli-shop', database: process.env.CLI_TEST_URL, consumers: [orders, payment], handleSignals: false })
export default app
`;

describe('with a running app', () => {
  it('start serves health and metrics, people retry, discard, pause and rebuild, and everything drains', async () => {
    const own = await createTestDatabase();
    process.env['CLI_TEST_URL'] = own.url;
    project.write('factline.config.ts', shop);
    const surroundings = { directory: project.directory, environment: {} };
    const controller = new AbortController();
    try {
      expect((await runWords('migrate', surroundings)).out).toContain('payment registered');
      const lines: string[] = [];
      const running = runWords('start --port 0 --host 127.0.0.1', {
        ...surroundings,
        signal: controller.signal,
        onLine: (line) => void lines.push(line),
      });
      const { app, OrderPlaced } = await import(path.join(project.directory, 'factline.config.ts'));
      await app.publish([
        OrderPlaced({ orderId: 'A1', pence: 4200 }),
        OrderPlaced({ orderId: 'A2', pence: 0 }),
        OrderPlaced({ orderId: 'A2', pence: 5 }),
      ]);
      await expect
        .poll(async () => (await runWords('quarantine list --json', surroundings)).out, patience)
        .toContain('the amount is zero');
      const served = await vi.waitUntil(
        () => /health (http:\/\/[\d.:]+)/.exec(lines.join('\n'))?.[1],
        patience,
      );
      const ready = await fetch(`${served}/health/ready`);
      expect([ready.status, await ready.json()]).toMatchObject([
        200,
        { status: 'ready', consumers: [{ consumer: 'orders' }, { consumer: 'payment', verdict: 'OK' }] },
      ]);
      // The read model may still be on its way.
      const metrics = await vi.waitUntil(async () => {
        const told = await (await fetch(`${served}/metrics`)).text();
        return /factline_events_handled_total\{consumer="orders"\} 3/.test(told) ? told : undefined;
      }, patience);
      expect(metrics).toContain('factline_quarantined{consumer="payment"} 1');
      expect(await runWords('quarantine retry 1', surroundings)).toMatchObject({
        code: 1,
        out: expect.stringContaining('#1 failed again: the amount is zero'),
      });
      expect((await runWords('consumers pause payment --reason tea', surroundings)).out).toContain(
        'payment paused',
      );
      expect((await runWords('status', surroundings)).out).toContain('tea');
      expect((await runWords('consumers resume payment', surroundings)).out).toContain('payment goes on');
      expect((await runWords('consumers resume payment', surroundings)).out).toContain('was not paused');
      Object.assign(globalThis, { runningShop: { repaired: true } });
      expect(await runWords('quarantine retry 1', surroundings)).toMatchObject({
        code: 0,
        out: '✓ #1 handled',
      });
      expect((await runWords('projection rebuild orders', surroundings)).out).toContain('build 2 of orders');
      const stageOfBuild = async (build: number): Promise<unknown> => {
        const { out } = await runWords('projection list --json', surroundings);
        const { projections } = JSON.parse(out) as { projections: { build: number; stage: string }[] };
        return projections.find((each) => each.build === build)?.stage;
      };
      await expect.poll(() => stageOfBuild(2), patience).toBe('live');
      expect((await runWords('consumers accept payment --yes', surroundings)).err).toContain(
        'the code declares every type',
      );
      expect((await runWords('restored --yes', surroundings)).err).toContain('cli-shop (pid');
      controller.abort();
      const { code, out } = await running;
      expect(code).toBe(0);
      expect(out).toContain('cli-shop runs 2 consumers · health http://127.0.0.1:');
    } finally {
      controller.abort();
      await own.drop();
    }
  }, 60_000);

  it('a taken port ends it with 1 before anything is handled', async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    const { port } = taken.address() as { port: number };
    const own = await createTestDatabase();
    process.env['CLI_TEST_URL'] = own.url;
    try {
      project.write('taken.ts', shop);
      const ran = await runWords(`start --app taken.ts --port ${port} --host 127.0.0.1`, {
        directory: project.directory,
        environment: {},
      });
      expect(ran.code).toBe(1);
      expect(ran.err).toContain(`Port ${port} on 127.0.0.1 is in use.`);
      expect(ran.err).toContain('--port');
    } finally {
      taken.close();
      await own.drop();
    }
  });
});
