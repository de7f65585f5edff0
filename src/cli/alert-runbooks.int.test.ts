import { readFileSync } from 'node:fs';
import path from 'node:path';
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createProject, type Project, type Ran, runWords } from '../../test/command-line.ts';
import { createTestDatabase, type TestDatabase } from '../../test/database.ts';
import { createTelemetry } from '../foundation/index.ts';
import { evaluateAlerts, type ListedAlert, measure, watchQuarantine } from '../operations/index.ts';
import { createDatabase, type Database } from '../postgres/index.ts';

/* docs/alerts.md is walked through: what each class is about is brought about, its alert fires, and the commands of its runbook are run. */

const shop = `
import { createFactline, defineEvent, defineHandler, defineWorkflow, PermanentError } from 'factline'
import { z } from 'zod'
const schema = z.object({ orderId: z.string(), mode: z.string() })
export const OrderPlaced = defineEvent({ type: 'shop.order.placed.v1', key: 'orderId', schema, owner: 'checkout' })
export const OrderReturned = defineEvent({ type: 'shop.order.returned.v1', key: 'orderId', schema, owner: 'checkout' })
globalThis.alertShop = { repaired: false, gate: Promise.resolve() }
const payment = defineHandler({
  name: 'payment', on: [OrderPlaced], startAt: 'beginning', slo: { handledWithin: '1s' }, concurrency: 20,
  handle: async ({ data }) => {
    if (data.mode === 'slow') await globalThis.alertShop.gate
    if (data.mode === 'bad' && !globalThis.alertShop.repaired) throw new PermanentError('every order fails')
  },
})
const refund = defineWorkflow({
  name: 'refund', version: 1, on: OrderReturned,
  run: async (event, { step }) => {
    const once = { retry: { attempts: 1 } }
    await step('charge', async () => 1, { ...once, undo: async () => { throw new PermanentError('the bank is closed') } })
    await step('ship', async () => { throw new PermanentError('no van') }, once)
  },
})
export const app = createFactline({ name: 'shop', database: process.env.ALERTS_TEST_URL, consumers: [payment, refund], handleSignals: false })
`;

interface Shop {
  readonly app: {
    publish(drafts: unknown): Promise<unknown>;
    start(): Promise<void>;
    stop(): Promise<void>;
  };
  readonly OrderPlaced: (data: object) => unknown;
  readonly OrderReturned: (data: object) => unknown;
}
interface Controls {
  repaired: boolean;
  gate: Promise<void>;
}

let project: Project;
let own: TestDatabase;
let database: Database;
let running: Shop;

const load = async (version: string): Promise<Shop> => {
  const file = path.join(project.directory, 'factline.config.ts');
  const loaded = (await import(`${file}?${version}`)) as Shop;
  await loaded.app.start();
  return loaded;
};
const controls = (): Controls => (globalThis as unknown as { alertShop: Controls }).alertShop;

beforeAll(async () => {
  project = createProject('shop');
  own = await createTestDatabase();
  process.env['ALERTS_TEST_URL'] = own.url;
  project.write('factline.config.ts', shop);
  running = await load('first');
  database = createDatabase({ url: own.url, applicationName: 'runbooks' });
}, 60_000);
afterAll(async () => {
  await database.stop();
  await running.app.stop();
  project.remove();
  await own.drop();
});

const cli = (words: string): Promise<Ran> =>
  runWords(words, {
    directory: project.directory,
    environment: { DATABASE_URL: own.url, FACTLINE_ACTOR: 'ada' },
  });
const json = async <T>(words: string): Promise<T> => JSON.parse((await cli(`${words} --json`)).out) as T;
const query = (text: string): Promise<pg.QueryResult> => database.operations.query(text);
const place = (mode: string, ...orderIds: string[]): Promise<unknown> =>
  running.app.publish(orderIds.map((orderId) => running.OrderPlaced({ orderId, mode })));

/** The open alert of the class, after an evaluation now; what has to hold for minutes holds for ten. */
const evaluated = async (name: string): Promise<ListedAlert | undefined> => {
  await query("update factline.alerts set met_at = met_at - interval '10 minutes' where state = 'pending'");
  await query("update factline.alerts set clear_since = clear_since - interval '1 minute'");
  await query(
    "update factline.alert_evaluations set evaluated_at = evaluated_at - interval '10 s' where app = 'shop'",
  );
  await query("update factline.quarantine_groups set watched_at = watched_at - interval '1 minute'");
  await watchQuarantine(database.operations, createTelemetry());
  await evaluateAlerts(database.operations, {
    app: 'shop',
    receivers: [],
    verdicts: () => measure({ database, app: 'shop' }),
  });
  const { alerts } = await json<{ alerts: ListedAlert[] }>('alerts list');
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

const page = readFileSync(new URL('../../docs/alerts.md', import.meta.url), 'utf8');
const commandsOf = (name: string): readonly string[] => {
  const section = page.split(/^#+ /m).find((each) => each.startsWith(`${name}\n`)) ?? '';
  return [...section.matchAll(/^```sh\n([\s\S]*?)^```/gm)]
    .flatMap(([, text = '']) => text.trim().split('\n'))
    .map((line) => line.replace(/^factline /, ''));
};

/** Runs the commands that stand under the name of the class, with the given words for NAME, GROUP, ID and STEP. */
const walk = async (name: string, given: Readonly<Record<string, string | number>> = {}): Promise<string> => {
  const commands = commandsOf(name);
  expect(commands.length, `commands of "${name}"`).toBeGreaterThan(0);
  let output = '';
  for (const command of commands) {
    const words = command.replace(/\b(NAME|GROUP|ID|STEP)\b/g, (word) => String(given[word] ?? word));
    const ran = await cli(words);
    // A doctor that finds something says so with its exit code.
    expect({ command, ...ran }).toMatchObject({ code: command === 'doctor' ? expect.any(Number) : 0 });
    expect(ran.code, ran.err).toBeLessThan(2);
    output += `${ran.out}\n`;
  }
  return output;
};

describe('the runbook of', () => {
  it('measurement-blind', async () => {
    await query(
      'insert into factline.clock_jumps (by_ms, head) select 3600000, coalesce(max(position), 0) from factline.events',
    );
    await fires('measurement-blind');
    expect(await walk('measurement-blind')).toContain("database's clock jumped by 1 h");
    await query('delete from factline.clock_jumps');
    await ends('measurement-blind');
  }, 60_000);

  it('consumer-stopped', async () => {
    await running.app.stop();
    await query("update factline.processes set beaten_at = beaten_at - interval '1 hour'");
    await query(
      "update factline.lanes set taken_at = taken_at - interval '1 hour', released_at = released_at - interval '1 hour'",
    );
    await query("update factline.checkpoints set moved_at = moved_at - interval '1 hour'");
    await query("update factline.consumers set registered_at = registered_at - interval '1 hour'");
    expect(await fires('consumer-stopped')).toMatchObject({ severity: 'page' });
    expect(await walk('consumer-stopped')).toContain('no process works it');
    running = await load('second');
    await ends('consumer-stopped');
  }, 60_000);

  it('falling-behind', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    controls().gate = promise;
    try {
      await place('slow', 'S1');
      await fires('falling-behind');
      expect(await walk('falling-behind')).toContain('LATE');
    } finally {
      resolve();
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
    await query(`insert into factline.breakers (consumer_id, state, kind, reason, code_version, probe_at)
      select id, 'open', 'transient', 'the provider is down', '1', factline.clock() + interval '1 hour' from factline.consumers where name = 'payment'`);
    await fires('dependency-down');
    expect(await walk('dependency-down', { NAME: 'payment' })).toContain('the provider is down');
    await ends('dependency-down');
  }, 60_000);

  it('quarantine-growth and quarantine-age', async () => {
    const quarantined = async (): Promise<number> =>
      (await query("select from factline.parked where state = 'quarantined'")).rowCount ?? 0;
    await place('bad', ...Array.from({ length: 12 }, (_, n) => `B${n}`));
    await expect.poll(quarantined, { timeout: 20_000 }).toBe(12);
    const { facts } = await fires('quarantine-growth');
    const GROUP = Number(facts['group']);
    controls().repaired = true;
    await walk('quarantine-growth', { GROUP });
    await expect.poll(quarantined, { timeout: 20_000 }).toBe(0);
    await ends('quarantine-growth');

    controls().repaired = false;
    await place('bad', 'old');
    await expect.poll(quarantined, { timeout: 20_000 }).toBe(1);
    await query("update factline.parked set parked_at = parked_at - interval '30 days'");
    await query(
      "update factline.parked_events set first_failed_at = first_failed_at - interval '30 days', last_failed_at = last_failed_at - interval '30 days'",
    );
    const { facts: old } = await fires('quarantine-age');
    const { events } = await json<{ events: { id: number }[] }>(`quarantine list --group ${old['group']}`);
    await walk('quarantine-age', { GROUP: Number(old['group']), ID: events[0]?.id ?? 0 });
    await ends('quarantine-age');
  }, 90_000);

  it('pause-exceeded', async () => {
    await cli('consumers pause payment --buffer 1 --reason deploy');
    await place('fine', 'P1', 'P2');
    await fires('pause-exceeded');
    expect(await walk('pause-exceeded', { NAME: 'payment' })).toContain('2 events have come, 1 may');
    await ends('pause-exceeded');
  }, 60_000);

  it('workflow-stuck', async () => {
    await running.app.publish(running.OrderReturned({ orderId: 'R1', mode: 'fine' }));
    await fires('workflow-stuck');
    const { instances } = await json<{ instances: { id: number }[] }>('workflow list --state stuck');
    await walk('workflow-stuck', { ID: instances[0]?.id ?? 0, STEP: 'charge' });
    await ends('workflow-stuck');
  }, 60_000);

  it('every class is on the page', () => {
    const table = page.split('## Classes')[1]?.split('###')[0] ?? '';
    const classes = [...table.matchAll(/^\| `([a-z-]+)` \|/gm)].map(([, name = '']) => name);
    expect(classes).toHaveLength(9);
    for (const name of classes) expect(commandsOf(name).length, name).toBeGreaterThan(0);
  });
});
