import { execFile } from 'node:child_process';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { lintRules } from '../../src/contracts/index.ts';
import { openDocumentsFolder, readDocuments, root } from '../documents.ts';

// The gate of this repository: the command as a user runs it, on the pipeline's contracts.

const pipeline = path.join(root, 'examples/order-pipeline');
const main = path.join(root, 'src/cli/main.ts');

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

const run = (directory: string, ...words: readonly string[]): Promise<Ran> =>
  new Promise((resolve) => {
    const command = ['--conditions=factline-source', main, 'contracts', ...words, '--app', 'gate-app.ts'];
    const { NO_COLOR, FORCE_COLOR, ...environment } = process.env;
    execFile(process.execPath, command, { cwd: directory, env: environment }, (error, out, err) => {
      resolve({ code: error === null ? 0 : Number(error.code), out, err });
    });
  });

describe('the order pipeline', { timeout: 60_000 }, () => {
  test('keeps the contracts that its lock file holds', async () => {
    const ran = await run(pipeline, 'check');
    expect(ran).toMatchObject({ code: 0, err: '' });
    expect(ran.out).toMatch(/^✓ (\d+) contracts, \1 as in contracts\.lock\.json\n$/);
  });

  test('has nothing that lint would find', async () => {
    const ran = await run(pipeline, 'lint');
    expect(ran).toMatchObject({ code: 0, out: expect.stringMatching(/0 errors, 0 warnings\n$/) });
  });

  test('has schema, example, owner, producer and consumer of each event', async () => {
    const { out } = await run(pipeline, 'catalog', '--json');
    const { events } = JSON.parse(out) as { events: { type: string; gaps: string[]; consumers: object[] }[] };
    expect(events.length).toBeGreaterThan(10);
    expect(events.filter(({ gaps }) => gaps.length > 0)).toEqual([]);
    expect(events.every(({ consumers }) => consumers.length > 0)).toBe(true);
  });
});

describe('a change that breaks somebody', { timeout: 60_000 }, () => {
  const folder = openDocumentsFolder();
  const copy = path.join(folder.path, 'order-pipeline');
  let failed: Ran;

  beforeAll(async () => {
    cpSync(pipeline, copy, { recursive: true, filter: (source) => !/node_modules|[/\\]data$/.test(source) });
    const file = path.join(copy, 'contracts/orders.ts');
    const before = readFileSync(file, 'utf8');
    const after = before.replace(
      '    country: z.string(),\n',
      '    country: z.string(),\n    currency: z.enum(["GBP", "EUR"]),\n',
    );
    expect(after).not.toBe(before);
    writeFileSync(file, after);
    failed = await run(copy, 'check');
  });
  afterAll(() => folder.remove());

  test('fails with a payload that proves it, and everybody who would notice', () => {
    expect([failed.code, failed.err]).toEqual([1, '']);
    expect(failed.out).toContain('✗ orders.order.placed.v1');
    const witness = /witness +(\{.*)/.exec(failed.out)?.[1] ?? '{}';
    expect(witness).not.toContain('currency');
    for (const consumer of [
      'payment',
      'inventory',
      'order-summary',
      'customer-spend',
      'customer-notification',
    ])
      expect(failed.out).toMatch(new RegExp(`^ +${consumer} +\\w+ +[\\w-]+ +reads`, 'm'));
    expect(failed.out).toMatch(/Who can let it pass\n +orders\n/);
    expect(failed.out.split('\n').filter((line) => line.length > 100)).toEqual([]);
  });

  test.each(['README.md', 'docs/contracts.md'])('is shown in %s as it is printed', (file) => {
    const page = readDocuments().find((each) => each.file === file);
    const shown = page?.blocks.find(({ text }) => text.startsWith('$ npx factline contracts check'));
    expect(shown?.text.split('\n').slice(1).join('\n').trim()).toBe(failed.out.trim());
  });

  test('is an annotation in a pull request', async () => {
    const { code, out } = await run(copy, 'check', '--format', 'github');
    expect(code).toBe(1);
    expect(out).toMatch(
      /^::error file=contracts\.lock\.json,line=\d+,title=orders\.order\.placed\.v1%3A required-added/m,
    );
    const line = Number(/line=(\d+)/.exec(out)?.[1]);
    const lock = readFileSync(path.join(copy, 'contracts.lock.json'), 'utf8').split('\n');
    expect(lock[line - 1]).toContain('"orders.order.placed.v1"');
  });

  test('is not accepted, and leaves the lock file as it is', async () => {
    const before = readFileSync(path.join(copy, 'contracts.lock.json'), 'utf8');
    const ran = await run(copy, 'accept');
    expect(ran).toMatchObject({ code: 1, err: expect.stringContaining('Nothing was written') });
    expect(readFileSync(path.join(copy, 'contracts.lock.json'), 'utf8')).toBe(before);
  });
});

test('docs/contracts.md explains every rule of lint, and no other', () => {
  const page = readDocuments().find(({ file }) => file === 'docs/contracts.md');
  const linting = page?.text.split(/^## /m).find((section) => section.startsWith('Linting')) ?? '';
  const explained = [...linting.matchAll(/^\| `([a-z-]+)` \|/gm)].map(([, name]) => name);
  expect(explained).toEqual(lintRules.map(({ name }) => name));
});
