import { execFile } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createProject, type Project, type Ran, runWords } from '../../test/command-line.ts';

// The gate's commands in a user's project, the first ones as processes: no database, no app that is started.

let project: Project;
let first: Ran;

const main = path.resolve('src/cli/main.ts');

const processOf = (...words: readonly string[]): Promise<Ran> =>
  new Promise((resolve) => {
    const { NO_COLOR, FORCE_COLOR, DATABASE_URL, ...environment } = process.env;
    const options = { cwd: project.directory, env: environment };
    const command = ['--conditions=factline-source', main, 'contracts', ...words];
    execFile(process.execPath, command, options, (error, out, err) => {
      resolve({ code: error === null ? 0 : Number(error.code), out, err });
    });
  });

const run = (...words: readonly string[]): Promise<Ran> =>
  runWords(['contracts', ...words].map((word) => (/\s/.test(word) ? `"${word}"` : word)).join(' '), {
    environment: {},
    directory: project.directory,
  });

const app = (placed: string, terms = ''): string =>
  `import { createFactline, defineEvent, defineHandler } from 'factline'
   import { z } from 'zod'
   const placed = defineEvent({ type: 'shop.order.placed.v1', key: 'orderId', owner: 'orders', schema: z.object({ orderId: z.string(), ${placed} }), ${terms} })
   const paid = defineEvent({ type: 'shop.order.created.v1', key: 'orderId', owner: 'orders', schema: z.object({ orderId: z.string(), pence: z.int() }), highImpact: true, sla: { handledWithin: '1m' } })
   const payment = defineHandler({ name: 'payment', owner: 'payments', on: placed, reads: ['pence'], handle: async () => {} })
   export const app = createFactline({ name: 'shop', database: 'postgres://nowhere.invalid/none', consumers: [payment], contracts: [paid] })`;

const lockFile = (): string => path.join(project.directory, 'contracts.lock.json');

beforeAll(async () => {
  project = createProject('cli-gate');
  project.write('factline.config.ts', app('pence: z.int()'));
  project.write('changed.ts', app("pence: z.int(), country: z.string(), note: z.string().default('')"));
  project.write('grown.ts', app('pence: z.int(), note: z.string().optional()'));
  project.write(
    'leaving.ts',
    app('pence: z.int()', "deprecated: { since: '2031-01-01', until: '2031-02-01' }"),
  );
  first = await processOf('accept');
});
afterAll(() => project.remove());

describe('the gate, day by day', { timeout: 60_000 }, () => {
  it('begins with a lock file that the code makes, and asks the owner of what has high impact', async () => {
    expect(first).toMatchObject({ code: 0, err: '', out: expect.stringContaining('+ shop.order.placed.v1') });
    expect(first.out).toContain('npx factline contracts approve shop.order.created.v1 --by orders/NAME\n');
    const before = await processOf('check');
    expect([before.code, before.out]).toEqual([1, expect.stringContaining('approval-missing')]);
    expect(await run('approve', 'shop.order.created.v1', '--by', 'payments/bob')).toMatchObject({
      code: 1,
      out: '',
    });
    expect(await run('approve', 'shop.order.created.v1', '--by', 'orders/ada')).toMatchObject({
      code: 0,
      err: '',
    });
    expect(await run('check')).toEqual({
      code: 0,
      err: '',
      out: '✓ 2 contracts, 2 as in contracts.lock.json',
    });
  });

  it('fails for a break, says it in three forms, and lets the owner take it on record', async () => {
    const lock = ['--lock', path.join(project.directory, 'other.lock.json')];
    writeFileSync(path.join(project.directory, 'other.lock.json'), readFileSync(lockFile()));
    const words = ['--app', 'changed.ts', ...lock];
    const [text, json, github, diff] = await Promise.all([
      run('check', ...words),
      run('check', '--json', ...words),
      run('check', '--format', 'github', ...words),
      run('diff', ...words),
    ]);
    expect([text.code, json.code, github.code, diff.code]).toEqual([1, 1, 1, 0]);
    expect(text.out).toMatch(/required-added at \/country\n/);
    const report = JSON.parse(json.out) as { ok: boolean; findings: { rule: string; affected: object[] }[] };
    expect(report).toMatchObject({
      ok: false,
      app: 'shop',
      lock: 'other.lock.json',
      contracts: 2,
      unchanged: 1,
    });
    expect(report.findings[0]).toMatchObject({
      rule: 'required-added',
      contract: 'shop.order.placed.v1',
      approver: 'orders',
      affected: [{ name: 'payment', owner: 'payments', reads: ['pence'], uses: 'no' }],
    });
    expect(github.out).toMatch(
      /^::error file=other\.lock\.json,line=\d+,title=shop\.order\.placed\.v1%3A required-added at \/country::/,
    );
    expect(diff.out.length).toBeGreaterThan(text.out.length);

    const waive = [
      '--waive',
      'required-added',
      '--path',
      '/country',
      '--by',
      'orders',
      '--reason',
      'never published',
    ];
    const accepted = await run('accept', 'shop.order.placed.v1', ...waive, '--until', '2999-12-31', ...words);
    expect(accepted).toMatchObject({
      code: 0,
      err: '',
      out: expect.stringContaining('waiver required-added'),
    });
    expect(await run('check', ...words)).toMatchObject({ code: 0 });
  });

  it('asks to accept what is harmless', async () => {
    const { code, out } = await run('check', '--app', 'grown.ts');
    expect([code, out]).toEqual([
      1,
      expect.stringMatching(
        /differs from the lock file in: schema\.[\s\S]*next +npx factline contracts accept$/,
      ),
    ]);
  });

  it('lints, and switches a rule off with a reason in the lock file', async () => {
    const before = await run('lint');
    expect([before.code, before.out]).toEqual([
      1,
      expect.stringMatching(/shop\.order\.created\.v1\n +✗ crud-word\n/),
    ]);
    expect(await run('lint', '--without', 'crud-word')).toMatchObject({ code: 0 });
    expect(JSON.parse((await run('lint', '--rule', 'crud-word', '--json')).out).findings).toHaveLength(1);
    const waive = ['--waive', 'crud-word', '--by', 'orders', '--reason', 'it was published so'];
    expect(await run('accept', 'shop.order.created.v1', ...waive)).toMatchObject({ code: 0, err: '' });
    expect((await run('lint')).out).not.toContain('crud-word');
    expect(await run('check')).toMatchObject({ code: 0 });
  });

  it('says what a deprecation takes, and who has to move', async () => {
    const words = ['deprecate', 'shop.order.placed.v1', '--since', '2031-01-01', '--until', '2031-02-01'];
    const [asked, said] = await Promise.all([run(...words), run(...words, '--app', 'leaving.ts')]);
    expect([asked.code, asked.out]).toEqual([
      1,
      expect.stringContaining("deprecated: { since: '2031-01-01', until: '2031-02-01' },"),
    ]);
    expect(asked.out).toContain('payment (payments)');
    expect(said.out).toContain('The code says so. Then: npx factline contracts accept shop.order.placed.v1');
  });

  it('shows the catalogue, and who is ready', async () => {
    const [text, json, ready] = await Promise.all([
      run('catalog', 'shop.order.placed.v1'),
      run('catalog', '--json'),
      run('readiness', 'shop.order.placed.v1'),
    ]);
    expect(text.out).toMatch(/payment \(operational, payments\) reads pence/);
    expect(text.out).toMatch(/\n1 event with schema, example, owner, producer and consumer\.$/);
    expect(JSON.parse(json.out).events).toMatchObject([
      { type: 'shop.order.created.v1', gaps: ['consumer'] },
      { accepted: true },
    ]);
    expect([ready.code, ready.out]).toEqual([
      0,
      expect.stringContaining('Everybody takes shop.order.placed.v1.'),
    ]);
  });
});

describe('what is typed wrong', { timeout: 60_000 }, () => {
  it.each([
    ['check --format xml', 'expected text, json, github'],
    ['check --app nowhere.ts', 'nowhere.ts'],
    ['lint --rule fat-evnt', 'Did you mean "fat-event"?'],
    ['accept --waive all --by orders', '--reason, --until, the TYPE are missing'],
    ['accept shop.order.placed.v1 --by orders', '--by goes with --waive RULE'],
    ['approve shop.order.placed.v1', 'needs --by NAME'],
    ['deprecate shop.order.placed.v1', 'needs --until DAY'],
    ['readiness', 'needs TYPE'],
    ['chekc', 'Did you mean "check"?'],
  ])('%s ends with 2 and says what to do', async (words, text) => {
    const { code, out, err } = await runWords(`contracts ${words}`, {
      environment: {},
      directory: project.directory,
    });
    expect([code, out]).toEqual([2, '']);
    expect(err.replaceAll(/\s+/g, ' ')).toContain(text);
  });

  it('a contract that nobody knows ends with 2, and names those that may be meant', async () => {
    const { code, out, err } = await run('accept', 'shop.order.placd.v1');
    expect([code, out]).toEqual([2, '']);
    expect(err.replaceAll(/\s+/g, ' ')).toContain('there are: shop.order.placed.v1');
  });

  it('a lock file in the middle of a merge ends with 2, and says how to go on', async () => {
    project.write('merged.lock.json', '{\n<<<<<<< ours\n}');
    const { code, out, err } = await run('check', '--lock', 'merged.lock.json');
    expect([code, out]).toEqual([2, '']);
    expect(err.replaceAll(/\s+/g, ' ')).toMatch(
      /conflict markers of a merge, from line 2 on.*contracts accept/,
    );
    expect(existsSync(lockFile())).toBe(true);
  });
});
