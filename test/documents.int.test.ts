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
    const options = { cwd: path.join(folder.path, page), env: environment, timeout: 90_000 };
    execFile(process.execPath, [...parameters], options, (error, output, errors) =>
      resolve({ code: error === null ? 0 : 1, output, errors }),
    );
  });

/** What stands below `$ node day-one.ts` in the README. */
const promised = (): string => {
  const readme = documents.find(({ file }) => file === 'README.md');
  const session = readme?.blocks.find(({ text }) => text.startsWith('$ node day-one.ts\n'));
  if (session === undefined) throw new Error('the README shows no `$ node day-one.ts` with its output');
  return `${session.text.split('\n').slice(1).join('\n')}\n`;
};

const vitestConfiguration = `export default {
  ssr: { resolve: { conditions: ['factline-source', 'module', 'node', 'development|production'] } },
  test: { include: ['*.test.ts'], testTimeout: 60_000, maxWorkers: 1, passWithNoTests: false },
}
`;

describe('what the documents show', () => {
  test('the day-one program prints what the README says, the second time too', {
    timeout: 120_000,
  }, async () => {
    for (const time of ['first', 'second']) {
      const ended = await node('README.md', ['--conditions=factline-source', 'day-one.ts'], database.url);
      expect({ time, ...ended }).toEqual({ time, code: 0, output: promised(), errors: '' });
    }
  });

  const pagesWithTests = ['README.md', 'docs/testing.md', 'docs/contracts.md'];
  test.each(pagesWithTests)('the tests in %s pass', { timeout: 180_000 }, async (page) => {
    writeFileSync(path.join(folder.path, page, 'vitest.config.mjs'), vitestConfiguration);
    const vitest = path.join(root, 'node_modules/vitest/vitest.mjs');
    const ended = await node(page, [vitest, 'run', '--root', '.'], inject('databaseUrl'));
    expect({ code: ended.code, said: `${ended.output}${ended.errors}` }).toMatchObject({ code: 0 });
  });
});
