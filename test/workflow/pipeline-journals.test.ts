import { execFile } from 'node:child_process';
import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { openDocumentsFolder, root } from '../documents.ts';

// Journals that instances of the order pipeline left behind: the code has to go on fitting them, or to become a new version.

const pipeline = path.join(root, 'examples/order-pipeline');
const main = path.join(root, 'src/cli/main.ts');
const journals = readdirSync(path.join(pipeline, 'journals'));

/** As in CI: `factline workflow verify` in the folder of the app. */
const verify = (directory: string): Promise<{ readonly code: number; readonly out: string }> =>
  new Promise((resolve) => {
    const words = ['workflow', 'verify', '--app', 'gate-app.ts'];
    const command = ['--conditions=factline-source', main, ...words];
    const { NO_COLOR, FORCE_COLOR, ...environment } = process.env;
    execFile(process.execPath, command, { cwd: directory, env: environment }, (error, out, err) => {
      resolve({ code: error === null ? 0 : Number(error.code), out: out + err });
    });
  });

describe('the journals of the order pipeline', { timeout: 60_000 }, () => {
  const folder = openDocumentsFolder();
  afterAll(() => folder.remove());

  test('fit the code, whichever way their orders went', async () => {
    expect(await verify(pipeline)).toEqual({ code: 0, out: `✓ ${journals.length} journals fit\n` });
  });

  test('name nobody, and no machine', () => {
    for (const name of journals) {
      const text = readFileSync(path.join(pipeline, 'journals', name), 'utf8');
      expect(text, name).toMatch(/"customerId": "\((personal|guest)\)"/);
      expect(text, name).not.toMatch(/"stack": "[^"]|file:\/\//);
    }
  });

  test.each([
    [
      'a step renamed',
      "return step('capture',",
      "return step('take the money',",
      /step capture +≠ +step take the money/,
    ],
    [
      'a step left out',
      "await step('open the payment', async () => null, undone);",
      '',
      /step open the payment +≠ +step authorise/,
    ],
    [
      'a clock read',
      '  const { orderId, country, lines } = order;',
      "  const { orderId, country, lines } = order;\n  if (Date.now() < 0) throw new PermanentError('early');",
      /uses Date\.now\(\) outside of a step/,
    ],
  ])('no longer fit after %s', async (_change, before, after, said) => {
    const copy = path.join(folder.path, 'order-pipeline');
    cpSync(pipeline, copy, { recursive: true, filter: (source) => !/node_modules|[/\\]data$/.test(source) });
    const file = path.join(copy, 'orchestration/fulfil-order.ts');
    const text = readFileSync(file, 'utf8');
    expect(text).toContain(before);
    writeFileSync(file, text.replace(before, after));
    const { code, out } = await verify(copy);
    expect(code).toBe(1);
    expect(out).toMatch(said);
  });
});
