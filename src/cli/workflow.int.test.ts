import { readFileSync } from 'node:fs';
import path from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createProject, type Project, type Ran, runWords } from '../../test/command-line.ts';
import { createTestDatabase, type TestDatabase } from '../../test/database.ts';
import { evaluateAlerts, type ListedAlert, type Verdict } from '../operations/index.ts';
import { createDatabase } from '../postgres/index.ts';

/* The commands of docs/workflows.md on what the real engine writes. */

const shop = `
import { createFactline, defineEvent, defineWorkflow, PermanentError } from 'factline'
import { z } from 'zod'
export const OrderPlaced = defineEvent({
  type: 'shop.order.placed.v1', key: 'orderId', sensitivity: { email: 'personal' },
  schema: z.object({ orderId: z.string(), mode: z.string(), email: z.string() }),
})
export const ParcelScanned = defineEvent({ type: 'parcels.parcel.scanned.v1', key: 'parcelId', schema: z.object({ parcelId: z.string() }) })
globalThis.sagaShop ??= { repaired: new Set(), refunds: [] }
const once = { retry: { attempts: 1 } }
export const fulfil = defineWorkflow({
  name: 'fulfil-order', version: VERSION, on: OrderPlaced, waits: ParcelScanned,
  run: async ({ data }, { step, waitFor, now }) => {
    const reserved = await step('reserve', async () => ({ shelf: 7, for: data.email }), { ...once, undo: async () => {} })
    now()
    const charge = await step('FIRST', async () => ({ id: 'ch-1', pence: 100 }), {
      ...once,
      undo: async (result) => {
        globalThis.sagaShop.refunds.push(result)
        if (data.mode === 'stuck' && !globalThis.sagaShop.repaired.has(data.orderId)) throw new PermanentError('no refund for ' + data.email)
      },
    })
    if (data.mode !== 'fine') await step('ship', async () => { throw new PermanentError('no van for ' + data.email) }, once)
    await waitFor(ParcelScanned, { key: 'P-' + data.orderId, within: '2d' })
    return { shelf: reserved.shelf, charge: charge.id }
  },
})
const roles = { ada: ['operator', 'steward', 'auditor'], vic: ['viewer'] }
export const app = createFactline({ name: 'shop', database: process.env.WORKFLOW_TEST_URL, consumers: [fulfil], handleSignals: false, roles })
`;
const code = (version: number, first = 'charge'): string =>
  shop.replace('VERSION', String(version)).replace('FIRST', first);

interface Shop {
  readonly app: {
    publish(drafts: unknown): Promise<unknown>;
    start(): Promise<void>;
    stop(): Promise<void>;
    status(): Promise<readonly Verdict[]>;
  };
  readonly OrderPlaced: (data: object) => unknown;
  readonly ParcelScanned: (data: object) => unknown;
}
interface Listed {
  readonly id: number;
  readonly key: string;
  readonly state: string;
  readonly problem: string | null;
}

/** What the workflows look at and leave behind; every copy of the app has the same. */
const sagaShop = (): { readonly repaired: Set<string>; readonly refunds: unknown[] } =>
  (globalThis as unknown as { sagaShop: ReturnType<typeof sagaShop> }).sagaShop;

let project: Project;
let own: TestDatabase;
let running: Shop;

const load = async (file: string): Promise<Shop> => {
  const loaded = (await import(path.join(project.directory, file))) as Shop;
  await loaded.app.start();
  return loaded;
};

beforeAll(async () => {
  project = createProject('shop');
  own = await createTestDatabase();
  process.env['WORKFLOW_TEST_URL'] = own.url;
  project.write('factline.config.ts', code(1));
  project.write('renamed.ts', code(1, 'pay'));
  project.write('second.ts', code(2));
  project.write(
    'without.ts',
    code(1).replace('consumers: [fulfil]', 'consumers: [], contracts: [ParcelScanned]'),
  );
  project.write('mend.json', JSON.stringify([{ op: 'replace', path: '/id', value: 'ch-2' }]));
  running = await load('factline.config.ts');
}, 60_000);
afterAll(async () => {
  await running.app.stop();
  project.remove();
  await own.drop();
});

const cli = (words: string, actor = 'ada'): Promise<Ran> =>
  runWords(words, {
    directory: project.directory,
    environment: { FACTLINE_ACTOR: actor, DATABASE_URL: own.url },
    width: 140,
  });
const json = async <T>(words: string): Promise<T> => JSON.parse((await cli(`${words} --json`)).out) as T;
const place = (orderId: string, mode: string): Promise<unknown> =>
  running.app.publish(running.OrderPlaced({ orderId, mode, email: 'ada@x.org' }));
const byKey = async (key: string): Promise<Listed | undefined> =>
  (await json<{ instances: Listed[] }>(`workflow list --key ${key}`)).instances[0];
/** The instance of a key, once it is in that state. */
const reached = async (key: string, state: string): Promise<Listed> => {
  let found: Listed | undefined;
  await expect
    .poll(
      async () => {
        found = await byKey(key);
        return found?.state;
      },
      { timeout: 20_000 },
    )
    .toBe(state);
  return found as Listed;
};

const onDatabase = async <T>(work: (pool: pg.Pool) => Promise<T>): Promise<T> => {
  const pool = new pg.Pool({ connectionString: own.url, max: 1 });
  return work(pool).finally(() => pool.end());
};
/** What `alerts list` shows of stuck workflows once somebody has evaluated: nobody waits for the app's own turn. */
const stuckAlerts = async (options = ''): Promise<ListedAlert[]> => {
  await onDatabase(async (pool) => {
    await pool.query("update factline.alert_evaluations set evaluated_at = evaluated_at - interval '10 s'");
    await evaluateAlerts(pool, { app: 'shop', receivers: [], verdicts: () => running.app.status() });
  });
  const { alerts } = await json<{ alerts: ListedAlert[] }>(`alerts list ${options}`.trim());
  return alerts.filter((each) => each.class === 'workflow-stuck');
};

describe('what instances do', () => {
  it('is listed by state, key and time, page by page, and shown as a timeline without what contracts hide', async () => {
    await place('A1', 'fine');
    const { id } = await reached('A1', 'waiting');
    await place('A2', 'fine');
    await place('A3', 'fail');
    await reached('A2', 'waiting');
    await reached('A3', 'failed');
    const { instances, next } = await json<{ instances: Listed[]; next: number }>('workflow list --limit 1');
    expect(instances.map(({ key }) => key)).toEqual(['A2']);
    const page = await json<{ instances: Listed[]; next: null }>(`workflow list --limit 1 --before ${next}`);
    expect(page).toMatchObject({ instances: [{ key: 'A1' }], next: null });
    expect(await json('workflow list --state failed --since 1h')).toMatchObject({
      instances: [
        { key: 'A3', problem: 'no van for (personal)', startedBy: { type: 'shop.order.placed.v1' } },
      ],
    });
    expect(await json('workflow list --since 2999-01-01 --all')).toMatchObject({ instances: [] });
    expect(
      (await json<{ instances: Listed[] }>('workflow list --all --workflow fulfil-order')).instances,
    ).toHaveLength(3);
    const shown = (await cli(`workflow show ${id}`)).out;
    for (const part of [
      'fulfil-order v1',
      'step reserve',
      '{"for":"(personal)","shelf":7}',
      'now 1',
      'step charge',
      'waits for P-A1, for another 1 d',
      '"email":"(personal)"',
    ])
      expect(shown.replaceAll(/\n\s*/g, ''), shown).toContain(part);
    const { id: failed } = await reached('A3', 'failed');
    expect((await cli(`workflow show ${failed}`)).out).toContain('Compensation');
    for (const words of [
      'list --all',
      'list --all --json',
      `show ${id}`,
      `show ${failed}`,
      `show ${failed} --json`,
      `export ${failed}`,
    ])
      expect((await cli(`workflow ${words}`)).out, words).not.toContain('ada@x.org');
    expect((await cli(`workflow show ${id} --reveal --reason audit`)).out).toContain('ada@x.org');
    await running.app.publish(running.ParcelScanned({ parcelId: 'P-A2' }));
    const done = await reached('A2', 'completed');
    expect(await json(`workflow show ${done.id}`)).toMatchObject({
      result: { value: { shelf: 7, charge: 'ch-1' } },
      calls: [{ name: 'reserve' }, { name: 'now 1' }, { name: 'charge' }, { kind: 'wait', state: 'done' }],
      undos: [],
      requests: [],
    });
  }, 60_000);

  it('is cancelled with a reason: what it did is taken back', async () => {
    const { id } = await reached('A1', 'waiting');
    expect((await cli(`workflow cancel ${id}`)).err).toContain('--reason');
    expect(await cli(`workflow cancel ${id} --reason "the customer called"`)).toMatchObject({
      code: 0,
      out: expect.stringContaining(`#${id} is cancelled`),
    });
    await reached('A1', 'cancelled');
    const detail = await json<{ undos: unknown[]; repairs: unknown[] }>(`workflow show ${id}`);
    expect(detail.undos).toMatchObject([
      { name: 'charge', state: 'done' },
      { name: 'reserve', state: 'done' },
    ]);
    expect(detail.repairs).toMatchObject([{ verb: 'cancel', actor: 'ada', reason: 'the customer called' }]);
    expect((await cli(`workflow show ${id}`)).out).toMatch(
      /… +wait parcels\.parcel\.scanned\.v1 1 .* given up/,
    );
    expect((await cli(`workflow cancel ${id} --reason again`)).err).toMatch(
      new RegExp(
        `instance ${id} cannot be changed that way: it is cancelled\\n[^]*factline workflow show ${id}`,
      ),
    );
  }, 60_000);
});

describe('a compensation that fails', () => {
  it('stands beside the verdict, and is named where people look', async () => {
    await place('S1', 'stuck');
    await place('S2', 'stuck');
    const { id, problem } = await reached('S1', 'stuck');
    await reached('S2', 'stuck');
    expect(problem).toBe('compensation failed: the undo of step charge failed: no refund for (personal)');
    expect(await json('status')).toMatchObject({
      consumers: [
        { consumer: 'fulfil-order', class: 'workflow', verdict: 'OK', workflow: { instances: { stuck: 2 } } },
      ],
    });
    expect((await cli('status')).out).toContain('2 instances are stuck and need a person');
    expect((await cli('doctor')).out).toContain('2 instances of fulfil-order are stuck');
    expect((await cli('quarantine list')).out).toContain('2 workflow instances are stuck as well');
    expect(await json('quarantine list')).toMatchObject({ stuckInstances: 2 });
    expect((await cli(`workflow show ${id}`)).out).toContain(
      `factline workflow repair skip ${id} --step "charge"`,
    );
    expect(await stuckAlerts()).toMatchObject([
      {
        key: 'workflow-stuck:fulfil-order:',
        state: 'firing',
        summary: expect.stringContaining('fulfil-order has stuck instances: 2 instances are stuck'),
        facts: { stuck: 2 },
      },
    ]);
  }, 60_000);

  it('is repaired by those who may, on record: patched and retried, or skipped with evidence', async () => {
    const { id } = await reached('S1', 'stuck');
    const patched = await cli(
      `workflow repair patch ${id} --step charge --patch @mend.json --reason "wrong charge"`,
    );
    expect(patched).toMatchObject({ code: 0, out: expect.stringContaining('/id: "ch-1" → "ch-2"') });
    sagaShop().repaired.add('S1');
    expect(await cli(`workflow repair retry-step ${id} --step charge --reason "it is back"`)).toMatchObject({
      code: 0,
    });
    await reached('S1', 'failed');
    expect(sagaShop().refunds.at(-1)).toMatchObject({ id: 'ch-2' });
    const { id: other } = await reached('S2', 'stuck');
    const skipped = `workflow repair skip ${other} --step charge --evidence "refund re_77" --reason "by hand"`;
    expect(await cli(skipped)).toMatchObject({ code: 0 });
    await reached('S2', 'failed');
    expect(await json(`workflow show ${other}`)).toMatchObject({
      undos: [
        { name: 'charge', state: 'skipped' },
        { name: 'reserve', state: 'done' },
      ],
      repairs: [{ verb: 'skip', actor: 'ada', detail: { evidence: 'refund re_77' } }],
    });
    expect((await cli(`workflow show ${other}`)).out).toContain('skipped by a person');
    expect(await stuckAlerts()).toMatchObject([{ state: 'firing' }]); // for another minute
    await onDatabase((pool) =>
      pool.query("update factline.alerts set clear_since = clear_since - interval '1 minute'"),
    );
    expect(await stuckAlerts()).toEqual([]);
    expect(await stuckAlerts('--all')).toMatchObject([{ state: 'resolved' }]);
  }, 60_000);

  it('lets others only look, and a denial is on record', async () => {
    await place('V1', 'fine');
    const { id } = await reached('V1', 'waiting');
    for (const act of [
      `workflow cancel ${id} --reason x`,
      `workflow retry ${id}`,
      `workflow repair compensate-from ${id} --step charge --reason x`,
      `workflow repair patch ${id} --step charge --patch @mend.json --reason x`,
      `workflow repair patch ${id} --input --patch @mend.json --reason x --dry-run`,
      `workflow fork ${id} --reason x`,
      `workflow show ${id} --reveal`,
      `workflow export ${id} --reveal`,
    ])
      expect(await cli(act, 'vic'), act).toMatchObject({
        code: 1,
        err: expect.stringContaining('vic may not do workflow.'),
      });
    expect((await cli(`workflow show ${id}`, 'vic')).code).toBe(0);
    const { rows } = await json<{ rows: { act: string; decision: string; actor: string }[] }>(
      'audit list --act workflow',
    );
    expect(rows.map(({ act, decision, actor }) => `${actor} ${act} ${decision}`)).toEqual(
      expect.arrayContaining([
        'ada workflow.cancel done',
        'ada workflow.patch done',
        'ada workflow.retry done',
        'ada workflow.skip done',
        'ada workflow.reveal done',
        'vic workflow.fork denied',
      ]),
    );
    expect(JSON.stringify(rows)).not.toContain('ch-2');
  }, 60_000);
});

describe('repairs of what is under way', () => {
  it('takes back from a step on, and forks with the journal up to a step', async () => {
    const { id } = await reached('V1', 'waiting');
    const forked = await json<{ answer: { instance: number } }>(
      `workflow fork ${id} --after-step reserve --key V1b --reason "try again"`,
    );
    const copy = await reached('V1b', 'waiting');
    expect(copy.id).toBe(forked.answer.instance);
    expect(await json(`workflow show ${copy.id}`)).toMatchObject({ forkedFrom: id, startedBy: null });
    expect((await cli(`workflow show ${copy.id}`)).out).toContain(`forked from #${id}`);
    expect((await cli(`workflow list --key V1b --json`)).out).not.toContain('ada@x.org');
    const back = await cli(
      `workflow repair compensate-from ${id} --step reserve --reason "charge was refunded"`,
    );
    expect(back).toMatchObject({ code: 0 });
    await reached('V1', 'failed');
    expect(await json(`workflow show ${id}`)).toMatchObject({
      undos: [
        { name: 'charge', state: 'skipped' },
        { name: 'reserve', state: 'done' },
      ],
    });
  }, 60_000);

  it('pauses with its workflow, whatever the version, and goes on with it', async () => {
    const { id } = await reached('V1b', 'waiting');
    expect((await cli('consumers pause fulfil-order --reason "the bank is closed"')).code).toBe(0);
    expect(await json('status')).toMatchObject({ consumers: [{ verdict: 'PAUSED' }] });
    const paused = async (): Promise<boolean> => {
      const [status] = await (
        running.app as unknown as { status(): Promise<{ reasons: object[] }[]> }
      ).status();
      return JSON.stringify(status).includes('the bank is closed');
    };
    await expect.poll(paused).toBe(true);
    // The executor hears of it with its next heartbeat.
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    expect((await cli(`workflow fork ${id} --key P1 --reason "while it is paused"`)).code).toBe(0);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    expect(await byKey('P1')).toMatchObject({ state: 'running', held: false });
    expect((await cli('consumers resume fulfil-order')).code).toBe(0);
    await reached('P1', 'waiting');
    expect((await cli(`workflow cancel ${(await byKey('P1'))?.id} --reason done`)).code).toBe(0);
  }, 60_000);

  it('refuses what makes no sense before anything happens', async () => {
    const { id } = await reached('V1b', 'waiting');
    for (const [words, said] of [
      ['workflow list --state sleeping', 'one of queued, running'],
      ['workflow list --since yesterday', 'a length of time like 2h'],
      ['workflow list --workflow fulfill', 'fulfil-order'],
      ['workflow list --limit 0', 'a whole number from 1'],
      ['workflow show x', 'a number from `workflow list`'],
      ['workflow show 999', 'no such instance'],
      ['workflow export 999', 'no such instance'],
      ['workflow retry', 'ID'],
      [`workflow repair skip ${id} --step charge --reason x`, '--evidence'],
      [`workflow repair skip ${id} --step charge --evidence x`, '--reason'],
      [`workflow repair skip ${id} --step charge --evidence x --reason x`, 'no step charge of it is failing'],
      [`workflow repair skip ${id} --step charge --evidence x --reason x --result {`, '--result'],
      [`workflow repair retry-step ${id} --reason x`, '--step'],
      [`workflow repair patch ${id} --reason x`, 'exactly one of --step and --input'],
      [`workflow repair patch ${id} --step x --patch [] --reason x`, 'a list of 1 to 100 operations'],
      [`workflow repair patch ${id} --step x --patch @mend.json --reason x`, 'no step x'],
      [
        `workflow repair patch ${id} --step charge --patch @missing.json --reason x`,
        'a file that can be read',
      ],
      [`workflow fork ${id} --after-step chrage --key F1 --reason x`, 'no finished step chrage; finished'],
      ['workflow verify nowhere', 'folders and files that exist'],
      ['workflow verify', 'no journal in journals'],
    ])
      expect(await cli(words ?? ''), words).toMatchObject({ err: expect.stringContaining(said ?? '') });
    expect(
      (
        await json<{ changes: unknown[] }>(
          `workflow repair patch ${id} --step charge --patch @mend.json --reason x --dry-run`,
        )
      ).changes,
    ).toMatchObject([{ path: '/id', before: 'ch-1', after: 'ch-2' }]);
    expect(await json(`workflow show ${id}`)).toMatchObject({
      repairs: [{ verb: 'fork' }],
      state: 'waiting',
    });
  }, 60_000);
});

describe('code that changes', () => {
  it('is held against journals that were kept, and against what lives', async () => {
    const { id } = await reached('V1b', 'waiting');
    const { out } = await cli(`workflow export ${id}`);
    const file = project.write('fixture.json', out);
    expect(await cli(`workflow verify ${file}`)).toMatchObject({ code: 0, out: '✓ 1 journal fits' });
    expect((await cli('workflow verify --live')).code).toBe(0);
    const changed = await cli(`workflow verify ${file} --live --app renamed.ts`);
    expect(changed).toMatchObject({ code: 1, out: expect.stringContaining('the code calls step pay') });
    expect(changed.out).toMatch(/step charge +≠ +step pay/);
    const later = await json<{ failed: number; journals: { reason: string }[] }>(
      `workflow verify ${file} --app second.ts`,
    );
    expect(later).toMatchObject({
      failed: 1,
      journals: [{ reason: 'no code declares this version, only 2' }],
    });
    expect(readFileSync(path.join(project.directory, file), 'utf8')).not.toContain('ada@x.org');
  }, 60_000);

  it('parks an instance that no longer fits, and shows journal and code side by side', async () => {
    await running.app.stop();
    running = await load('renamed.ts');
    await running.app.publish(running.ParcelScanned({ parcelId: 'P-V1' }));
    const { id } = await reached('V1b', 'stuck');
    const shown = (await cli(`workflow show ${id}`)).out;
    expect(shown).toContain('nondeterministic');
    expect(shown).toMatch(/step charge +≠ +step pay/);
    await running.app.stop();
    running = await load('factline.config.ts');
    expect(await cli(`workflow retry ${id} --reason "the old code is back"`)).toMatchObject({ code: 0 });
    await reached('V1b', 'completed');
  }, 60_000);

  it('names a version that instances have begun on and nobody declares', async () => {
    await place('O1', 'fine');
    await reached('O1', 'waiting');
    await running.app.stop();
    running = await load('second.ts');
    await place('O2', 'fine');
    await reached('O2', 'waiting');
    const found = await cli('doctor --app second.ts');
    expect(found.out.replaceAll(/\s+/g, ' ')).toContain(
      '1 instance of fulfil-order has begun on version 1, which neither this app nor any process declares',
    );
    expect(found.code).toBe(1);
    await expect
      .poll(async () => (await json<{ consumers: { verdict: string }[] }>('status')).consumers[0]?.verdict, {
        timeout: 30_000,
        interval: 500,
      })
      .toBe('STALLED');
    const status = await cli('status');
    expect(status.out).toContain('no process has the code of version 1: 1 instance waits for it');
    expect(status.out).not.toContain('fulfil-order@');
  }, 90_000);

  it('goes on where a process still has it, and otherwise waits for it, named by doctor', async () => {
    const scan = (orderId: string): Promise<unknown> =>
      running.app.publish(running.ParcelScanned({ parcelId: `P-${orderId}` }));
    const old = await load('factline.config.ts');
    await scan('O1');
    await reached('O1', 'completed');
    await old.app.stop();
    await running.app.stop();
    running = await load('without.ts');
    await scan('O2');
    const found = await cli('doctor --app without.ts');
    expect(found.out.replaceAll(/\s+/g, ' ')).toContain(
      '1 instance of fulfil-order has begun on version 2, which neither this app nor any process declares',
    );
    expect(found.code).toBe(1);
    expect(await byKey('O2')).toMatchObject({ state: 'waiting', problem: null });
    await running.app.stop();
    running = await load('second.ts');
    await reached('O2', 'completed');
  }, 60_000);

  it('shows nothing of an instance where nobody says what its event hides', async () => {
    await place('O3', 'fine');
    const { id } = await reached('O3', 'waiting');
    const database = createDatabase({ url: own.url, applicationName: 'forgetful' });
    await database.operations.query('delete from factline.contract_terms');
    await database.stop();
    const stranger = createProject('stranger');
    const ask = (words: string): Promise<Ran> =>
      runWords(`${words} --database ${own.url}`, { directory: stranger.directory, environment: {} });
    const shown = JSON.parse((await ask(`workflow show ${id} --json`)).out);
    const unknown = '(no contract known)';
    expect(shown).toMatchObject({ key: unknown, input: { data: unknown, key: unknown } });
    expect(shown.calls[0]).toMatchObject({ value: unknown });
    for (const words of [`show ${id}`, 'list', `export ${id}`])
      expect((await ask(`workflow ${words}`)).out, words).not.toMatch(/ada@x\.org|O3/);
    stranger.remove();
  }, 60_000);
});
