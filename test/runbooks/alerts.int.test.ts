import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { OrderCancelled } from '../../examples/order-pipeline/contracts/index.ts';
import { createTelemetry } from '../../src/foundation/index.ts';
import { evaluateAlerts, type ListedAlert, measure, watchQuarantine } from '../../src/operations/index.ts';
import { order, type PipelineAtHand, startPipeline } from './pipeline-at-hand.ts';
import { readRunbooks } from './runbook-page.ts';

/* docs/alerts.md is walked through on the order pipeline: what each class is about is brought about, its alert fires, and the commands of its runbook are run. */

let pipeline: PipelineAtHand;
beforeAll(async () => {
  pipeline = await startPipeline();
}, 60_000);
afterAll(() => pipeline.end());

const query = (text: string): Promise<pg.QueryResult> => pipeline.query(text);
const place = (...orderIds: string[]): Promise<void> => pipeline.place(orderIds);
const quarantined = async (): Promise<number> =>
  (await query("select from factline.parked where state = 'quarantined'")).rowCount ?? 0;

/** The open alert of the class, after an evaluation now; what has to hold for minutes holds for ten. */
const evaluated = async (name: string): Promise<ListedAlert | undefined> => {
  await query("update factline.alerts set met_at = met_at - interval '10 minutes' where state = 'pending'");
  await query("update factline.alerts set clear_since = clear_since - interval '1 minute'");
  await query(
    "update factline.alert_evaluations set evaluated_at = evaluated_at - interval '10 s' where app = 'order-pipeline'",
  );
  await query("update factline.quarantine_groups set watched_at = watched_at - interval '1 minute'");
  const { database } = pipeline;
  await watchQuarantine(database.operations, createTelemetry());
  await evaluateAlerts(database.operations, {
    app: 'order-pipeline',
    receivers: [],
    verdicts: () => measure({ database, app: 'order-pipeline' }),
  });
  const { alerts } = await pipeline.json<{ alerts: ListedAlert[] }>('alerts list');
  return alerts.find((each) => each.class === name);
};
const fires = async (name: string): Promise<ListedAlert> => {
  let alert: ListedAlert | undefined;
  const state = async (): Promise<string | undefined> => {
    alert = await evaluated(name);
    return alert?.state;
  };
  await expect.poll(state, { timeout: 20_000, message: `${name} fires` }).toBe('firing');
  return alert as ListedAlert;
};
const ends = (name: string): Promise<void> =>
  expect.poll(() => evaluated(name), { timeout: 20_000, message: `${name} ends` }).toBeUndefined();

const { text: page, commandsOf } = readRunbooks('alerts');

/** Runs the commands that stand under the name of the class, with the given words for NAME, GROUP, ID and STEP. */
const walk = async (name: string, given: Readonly<Record<string, string | number>> = {}): Promise<string> => {
  const commands = commandsOf(name);
  expect(commands.length, `commands of "${name}"`).toBeGreaterThan(0);
  let output = '';
  for (const command of commands) {
    const words = command.replace(/\b(NAME|GROUP|ID|STEP)\b/g, (word) => String(given[word] ?? word));
    const ran = await pipeline.run(words);
    // A doctor that finds something says so with its exit code.
    expect({ command, ...ran }).toMatchObject({ code: command === 'doctor' ? expect.any(Number) : 0 });
    expect(ran.code, ran.err).toBeLessThan(2);
    output += `${ran.out}\n`;
  }
  return output;
};

describe('the runbook of', () => {
  it('measurement-blind', async () => {
    // The database's clock is put ahead by an hour and a half; what the app measures next shows it.
    const moveClock = async (hours: number): Promise<void> => {
      await query(`create or replace function factline.clock() returns timestamptz language sql volatile parallel safe
        as $$ select clock_timestamp() + interval '${hours} hours' $$`);
      await pipeline.app.status();
    };
    await moveClock(0);
    try {
      await moveClock(1.5);
      await fires('measurement-blind');
      expect(await walk('measurement-blind')).toContain("database's clock jumped by 1 h");
    } finally {
      await moveClock(0);
    }
    // Back where it was it has to be steady for a minute.
    expect(
      (await query("update factline.clock_jumps set noticed_at = noticed_at - interval '2 hours'")).rowCount,
    ).toBe(2);
    await ends('measurement-blind');
  }, 60_000);

  it('consumer-stopped', async () => {
    await pipeline.stop();
    await query("update factline.processes set beaten_at = beaten_at - interval '1 hour'");
    await query(
      "update factline.lanes set taken_at = taken_at - interval '1 hour', released_at = released_at - interval '1 hour'",
    );
    await query("update factline.checkpoints set moved_at = moved_at - interval '1 hour'");
    await query("update factline.consumers set registered_at = registered_at - interval '1 hour'");
    expect(await fires('consumer-stopped')).toMatchObject({ severity: 'page' });
    expect(await walk('consumer-stopped')).toContain('no process works it');
    await pipeline.start();
    await ends('consumer-stopped');
  }, 60_000);

  it('falling-behind', async () => {
    await pipeline.behave({ outage: true });
    try {
      await place('late');
      // Half an hour of an outage that only one order has met.
      await query(
        "update factline.events set recorded_at = recorded_at - interval '30 minutes' where key = 'orderId=late'",
      );
      await fires('falling-behind');
      expect(await walk('falling-behind')).toContain('LATE');
    } finally {
      await pipeline.behave({ outage: false });
    }
    await ends('falling-behind');
  }, 60_000);

  it('burn-rate', async () => {
    await query(`insert into factline.objective_minutes (consumer_id, sampled_at, covered_ms, events, late, quarantined, lag_ms, unhandled, behind)
      select c.id, factline.clock() - make_interval(mins => n, secs => 1), 60000, 100, 50, 0, 0, 0, 0
        from factline.consumers c cross join generate_series(0, 62) n where c.name = 'payment'
      on conflict do nothing`);
    expect(await fires('burn-rate')).toMatchObject({ consumer: 'payment', severity: 'page' });
    const shown = await walk('burn-rate');
    expect(shown).toContain('"state":"BURNING"');
    await query('delete from factline.objective_minutes');
    await query('delete from factline.objective_hours');
  }, 60_000);

  it('dependency-down', async () => {
    await pipeline.behave({ outage: true });
    try {
      await place(...Array.from({ length: 40 }, (_, n) => `D${n}`));
      await fires('dependency-down');
    } finally {
      await pipeline.behave({ outage: false });
    }
    expect(await walk('dependency-down', { NAME: 'payment' })).toContain('payment-provider: outage');
    await ends('dependency-down');
    const paid = async (): Promise<number> =>
      (await query("select from payment.payments where order_id like 'D%'")).rowCount ?? 0;
    await expect.poll(paid, { timeout: 30_000 }).toBe(40);
  }, 60_000);

  it('quarantine-growth and quarantine-age', async () => {
    await pipeline.behave({ suspended: true });
    await place(...Array.from({ length: 12 }, (_, n) => `B${n}`));
    await expect.poll(quarantined, { timeout: 20_000 }).toBe(12);
    const { facts } = await fires('quarantine-growth');
    await pipeline.behave({ suspended: false });
    await walk('quarantine-growth', { GROUP: Number(facts['group']) });
    await expect.poll(quarantined, { timeout: 20_000 }).toBe(0);
    await ends('quarantine-growth');

    await pipeline.behave({ suspended: true });
    await place('old');
    await expect.poll(quarantined, { timeout: 20_000 }).toBe(1);
    await pipeline.behave({ suspended: false });
    await query("update factline.parked set parked_at = parked_at - interval '30 days'");
    await query(
      "update factline.parked_events set first_failed_at = first_failed_at - interval '30 days', last_failed_at = last_failed_at - interval '30 days'",
    );
    const { facts: old } = await fires('quarantine-age');
    const { events } = await pipeline.json<{ events: { id: number }[] }>(
      `quarantine list --group ${old['group']}`,
    );
    await walk('quarantine-age', { GROUP: Number(old['group']), ID: events[0]?.id ?? 0 });
    await ends('quarantine-age');
  }, 90_000);

  it('pause-exceeded', async () => {
    await pipeline.run('consumers pause payment --buffer 1 --reason deploy');
    await place('P1', 'P2');
    await fires('pause-exceeded');
    expect(await walk('pause-exceeded', { NAME: 'payment' })).toContain('2 events have come, 1 may');
    await ends('pause-exceeded');
  }, 60_000);

  it('workflow-stuck', async () => {
    const choreography = pipeline;
    // One workflow an order; the van never comes.
    pipeline = await startPipeline({
      orchestrated: { carrier: { latencyMs: [0, 0], missesPercent: 100 }, collectedWithin: '1h' },
    });
    try {
      await place('R1');
      const waits = async (): Promise<number> =>
        (await query("select from carrier.parcels where order_id = 'R1'")).rowCount ?? 0;
      await expect.poll(waits, { timeout: 20_000 }).toBe(1);
      await pipeline.behave({ suspended: true });
      const { lines, customerId, country } = order;
      await pipeline.app.publish(
        OrderCancelled({
          orderId: 'R1',
          cancellationId: 'C1',
          customerId,
          country,
          lines,
          pence: 1530,
          whole: true,
        }),
      );
      await fires('workflow-stuck');
      await pipeline.behave({ suspended: false });
      const { instances } = await pipeline.json<{ instances: { id: number }[] }>(
        'workflow list --state stuck',
      );
      await walk('workflow-stuck', { ID: instances[0]?.id ?? 0, STEP: 'capture' });
      await ends('workflow-stuck');
    } finally {
      await pipeline.end();
      pipeline = choreography;
    }
  }, 90_000);

  it('every class is on the page', () => {
    const table = page.split('## Classes')[1]?.split('###')[0] ?? '';
    const classes = [...table.matchAll(/^\| `([a-z-]+)` \|/gm)].map(([, name = '']) => name);
    expect(classes).toHaveLength(9);
    for (const name of classes) expect(commandsOf(name).length, name).toBeGreaterThan(0);
  });
});
