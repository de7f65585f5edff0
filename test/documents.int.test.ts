import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from './database.ts';
import { openDocumentsFolder, readDocuments, root, writeBlocks } from './documents.ts';

/* What the documents show is run as it stands, on a real database. */

const documents = readDocuments();
let folder: ReturnType<typeof openDocumentsFolder>;
let database: TestDatabase;

beforeAll(async () => {
  folder = openDocumentsFolder();
  writeBlocks(folder.path, documents);
  database = await createTestDatabase();
});
afterAll(async () => {
  folder.remove();
  await database.drop();
});

interface Ended {
  readonly code: number;
  readonly output: string;
  readonly errors: string;
}

const node = (page: string, parameters: readonly string[], databaseUrl: string): Promise<Ended> =>
  new Promise((resolve) => {
    const environment = { ...process.env, DATABASE_URL: databaseUrl, NO_COLOR: '1', NODE_ENV: 'test' };
    const options = { cwd: path.join(folder.path, page), env: environment, timeout: 380_000 };
    execFile(process.execPath, [...parameters], options, (error, output, errors) =>
      resolve({ code: error === null ? 0 : 1, output, errors }),
    );
  });

/** What stands below `$ node day-one.ts` on the page. */
const promised = (page: string): string => {
  const found = documents.find(({ file }) => file === page);
  const session = found?.blocks.find(({ text }) => text.startsWith('$ node day-one.ts\n'));
  if (session === undefined) throw new Error(`${page} shows no \`$ node day-one.ts\` with its output`);
  return `${session.text.split('\n').slice(1).join('\n')}\n`;
};

const vitestConfiguration = `export default {
  ssr: { resolve: { conditions: ['factline-source', 'module', 'node', 'development|production'] } },
  test: { include: ['**/*.test.ts'], testTimeout: 60_000, maxWorkers: 1, isolate: false, passWithNoTests: false },
}
`;

/** Ids, times and fingerprints are others each time. */
const withoutParticulars = (text: string): string =>
  text
    .replaceAll(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, 'ID')
    .replaceAll(/\d{4}-\d\d-\d\dT\d\d:\d\dZ/g, 'TIME')
    .replaceAll(/fingerprint\s+[0-9a-f]{16}/g, 'fingerprint');

describe('what the documents show', () => {
  test('the day-one program prints what the README says, the second time too', {
    timeout: 120_000,
  }, async () => {
    for (const time of ['first', 'second']) {
      const ended = await node('README.md', ['--conditions=factline-source', 'day-one.ts'], database.url);
      expect({ time, ...ended }).toEqual({ time, code: 0, output: promised('README.md'), errors: '' });
    }
  });

  test('the first workflow prints what its page says', { timeout: 120_000 }, async () => {
    const own = await createTestDatabase();
    const page = 'docs/workflows.md';
    const ended = await node(page, ['--conditions=factline-source', 'day-one.ts'], own.url);
    expect(ended).toEqual({ code: 0, output: promised(page), errors: '' });
    await own.drop();
  });

  test('docs/contracts.md shows what the check says about the log', { timeout: 120_000 }, async () => {
    const page = documents.find(({ file }) => file === 'docs/contracts.md');
    const session = page?.blocks.find(({ text }) =>
      text.startsWith('$ npx factline contracts check --against-log'),
    );
    const [line = '', ...shown] = session?.text.split('\n') ?? [];
    const own = await createTestDatabase();
    const program = (...words: string[]): Promise<Ended> =>
      node('docs/contracts.md/evidence', ['--conditions=factline-source', ...words], own.url);
    const factline = (words: string): Promise<Ended> =>
      program(path.join(root, 'src/cli/main.ts'), ...words.split(' '));
    expect(await program('yesterday.ts')).toEqual({ code: 0, output: '', errors: '' });
    expect(await factline('contracts accept')).toMatchObject({ code: 0 });
    expect(await factline('contracts check')).toMatchObject({ code: 0 });
    const ended = await factline(line.replace('$ npx factline ', ''));
    expect({ code: ended.code, errors: ended.errors }).toEqual({ code: 1, errors: '' });
    expect(withoutParticulars(ended.output)).toBe(withoutParticulars(`${shown.join('\n')}\n`));
    await own.drop();
  });

  const pagesWithTests = [
    'README.md',
    'docs/testing.md',
    'docs/contracts.md',
    'docs/workflows.md',
    'docs/commands.md',
  ];
  // In one run, and one after the other in one process: the modules of Factline are read once.
  test('the tests of the pages pass', { timeout: 400_000 }, async () => {
    writeFileSync(path.join(folder.path, 'vitest.config.mjs'), vitestConfiguration);
    const vitest = path.join(root, 'node_modules/vitest/vitest.mjs');
    const ended = await node('.', [vitest, 'run', '--root', '.'], inject('databaseUrl'));
    expect({ code: ended.code, said: `${ended.output}${ended.errors}` }).toMatchObject({ code: 0 });
    for (const page of pagesWithTests) expect(ended.output).toContain(`✓ ${page}/`);
  });
});
