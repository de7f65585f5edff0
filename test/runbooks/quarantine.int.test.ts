import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { createFactline, defineEvent, defineHandler } from 'factline';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { bookPayment } from '../../examples/order-pipeline/boxes/payment/bookings.ts';
import { createProviderClient } from '../../examples/order-pipeline/boxes/payment/provider-client.ts';
import { OrderCancelled, OrderPlaced, OrderStopped } from '../../examples/order-pipeline/contracts/index.ts';
import { type PipelineAtHand, startPipeline } from './pipeline-at-hand.ts';
import { readRunbooks } from './runbook-page.ts';

/*
 * The runbooks of docs/quarantine.md are walked through on the order pipeline: its payment fails for what each is about, what is wrong is
 * put right, and the commands of the runbook are run. The rest of the page: src/cli/quarantine.int.test.ts.
 */

const { commandsOf } = readRunbooks('quarantine');

let pipeline: PipelineAtHand;
beforeAll(async () => {
  // A statement of the app waits a second for a lock at most.
  pipeline = await startPipeline({ connection: 'options=-c%20lock_timeout%3D1s' });
  writeFileSync(
    path.join(pipeline.directory, 'mend.json'),
    JSON.stringify([{ op: 'replace', path: '/totalPence', value: 1530 }]),
  );
}, 60_000);
afterAll(() => pipeline.end());

interface Group {
  readonly id: number;
  readonly disposition: string;
  readonly events: number;
}
/** The group of payment with so many events in quarantine; retries that are due later are due now, and the last ones. */
const quarantined = async (events: number): Promise<Group> => {
  let found: Group | undefined;
  const count = async (): Promise<number | undefined> => {
    await pipeline.query(
      "update factline.parked_events e set attempts = 11 from factline.parked p where p.position = e.position and p.consumer_id = e.consumer_id and p.state = 'retrying' and e.failure_class = 'transient'",
    );
    await pipeline.query("update factline.parked set next_at = factline.clock() where state = 'retrying'");
    const { groups } = await pipeline.json<{ groups: Group[] }>('quarantine groups --consumer payment');
    found = groups.find((each) => each.events === events);
    return found?.events;
  };
  await expect.poll(count, { timeout: 30_000 }).toBe(events);
  return found as Group;
};

/** Runs the commands of the runbook; before the first that tries again, what was wrong is put right. */
const walk = async (disposition: string, group: Group, repair: () => Promise<unknown>): Promise<string> => {
  expect(group.disposition).toBe(disposition);
  const { events } = await pipeline.json<{ events: { id: number }[] }>(`quarantine list --group ${group.id}`);
  const commands = commandsOf(disposition);
  expect(commands.length).toBeGreaterThan(0);
  let output = '';
  let repaired = false;
  for (const command of commands) {
    if (!repaired && command.startsWith('quarantine release')) {
      await repair();
      repaired = true;
    }
    const words = command.replace('GROUP', String(group.id)).replace(' ID', ` ${events[0]?.id}`);
    const ran = await pipeline.run(words);
    expect({ command, ...ran }).toMatchObject({ code: 0 });
    output += `${ran.out}\n${ran.err}\n`;
  }
  return output;
};
const paid = async (orderIds: readonly string[]): Promise<void> =>
  expect
    .poll(
      async () =>
        (await pipeline.query('select from payment.payments where order_id = any ($1)', [orderIds])).rowCount,
      { timeout: 20_000 },
    )
    .toBe(orderIds.length);

const numbered = (name: string, count: number): string[] =>
  Array.from({ length: count }, (_, n) => `${name}${n}`);

describe('the runbook of', () => {
  it('authorisation: the provider has suspended the account, and a deploy in between changes nothing', async () => {
    const orders = numbered('suspended', 3);
    await pipeline.behave({ suspended: true });
    await pipeline.place(orders.slice(0, 2));
    expect(await quarantined(2)).toMatchObject({ introducedBy: '0.0.0', lastCodeVersion: '0.0.0' });
    await pipeline.stop();
    const deployed = await pipeline.deploy('2.0.0');
    try {
      await deployed.app.publish(pipeline.drafts(orders.slice(2)));
      const group = await quarantined(3);
      expect(group).toMatchObject({ introducedBy: '0.0.0', lastCodeVersion: '2.0.0' });
      const output = await walk('authorisation', group, () => pipeline.behave({ suspended: false }));
      expect(output).toContain('3 of 3 handled');
    } finally {
      await deployed.stop();
      await pipeline.start();
    }
    await paid(orders);
  }, 120_000);

  it('systemic: it is suspended while a hundred orders come', async () => {
    const orders = numbered('many', 100);
    await pipeline.behave({ suspended: true });
    await pipeline.place(orders);
    const group = await quarantined(100);
    // The runbook pauses payment first, and resumes it when it is repaired: the release is the last command.
    const output = await walk('systemic', group, () => pipeline.behave({ suspended: false }));
    expect(output).toContain('100 of 100 handled');
    await paid(orders);
  }, 120_000);

  it('dependency: the provider was away for longer than the retries last', async () => {
    const orders = numbered('away', 2);
    await pipeline.behave({ outage: true });
    await pipeline.place(orders);
    const group = await quarantined(2);
    expect(await walk('dependency', group, () => pipeline.behave({ outage: false }))).toContain(
      '2 of 2 handled',
    );
    await paid(orders);
  }, 120_000);

  it('timeout: somebody has locked the payments', async () => {
    const orders = numbered('locked', 2);
    const client = new pg.Client({ connectionString: pipeline.databaseUrl });
    await client.connect();
    try {
      await client.query('begin; lock table payment.payments in exclusive mode');
      await pipeline.place(orders);
      const group = await quarantined(2);
      expect(await walk('timeout', group, () => client.query('rollback'))).toContain('2 of 2 handled');
    } finally {
      await client.end();
    }
    await paid(orders);
  }, 120_000);

  it('invariant: an order of nothing, whose total was typed wrong', async () => {
    await pipeline.place(['nothing'], { totalPence: 0 });
    const output = await walk('invariant', await quarantined(1), async () => {});
    expect(output).toContain('/totalPence: 0 → 1530');
    await paid(['nothing']);
  }, 120_000);

  it('poison: the code of a release whose migration was forgotten', async () => {
    const orders = numbered('migrated', 2);
    await pipeline.query('alter table payment.payments rename charge_id to charge');
    await pipeline.place(orders);
    const group = await quarantined(2);
    const repair = (): Promise<unknown> =>
      pipeline.query('alter table payment.payments rename charge to charge_id');
    expect(await walk('poison', group, repair)).toContain('2 of 2 handled');
    await paid(orders);
  }, 120_000);

  it('schema: somebody publishes what the contract does not say; a release reads both', async () => {
    const Placed = defineEvent({
      type: OrderPlaced.type,
      key: 'orderId',
      schema: z.object({ orderId: z.string(), totalPence: z.int().optional() }),
    });
    const stranger = createFactline({
      name: 'order-pipeline',
      database: pipeline.databaseUrl,
      contracts: [Placed],
      consumers: [],
      handleSignals: false,
    });
    await stranger.publish(Placed({ orderId: 'legacy' }));
    await stranger.stop();
    const group = await quarantined(1);
    await pipeline.stop();
    const provider = createProviderClient(pipeline.providerUrl);
    const lenient = defineHandler({
      name: 'payment',
      on: [Placed, OrderCancelled, OrderStopped],
      handle: async (event, { effect, transaction }) => {
        const { orderId } = event.data;
        const answer = await effect('charge', (call) => provider.charge({ orderId, pence: 1530 }, call));
        await transaction((tx) => bookPayment(tx, orderId, answer));
      },
    });
    const release = createFactline({
      name: 'order-pipeline',
      codeVersion: '2',
      database: pipeline.databaseUrl,
      consumers: [lenient],
      handleSignals: false,
    });
    try {
      const output = await walk('schema', group, () => release.start());
      expect(output).toContain('1 of 1 handled');
    } finally {
      await release.stop();
    }
    await paid(['legacy']);
  }, 120_000);
});
