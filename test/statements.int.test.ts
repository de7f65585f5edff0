import { globSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { expect, it, onTestFinished } from 'vitest';
import { createDatabase, loadQueries, type NamedQuery } from '../src/postgres/index.ts';
import { createTestDatabase } from './database.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

/** What PREPARE takes; the rest (LISTEN, SET, LOCK, savepoints, DDL) is run as it is by the tests of its file. */
const preparable = /^\s*(--[^\n]*\n\s*)*(select|with|insert|update|delete)\b/i;

const namesIn = (queries: Readonly<Record<string, NamedQuery>>): string[] => Object.keys(queries);

/*
 * Every statement is parsed, with all its tables, columns and types, by the server of this run: so PostgreSQL 15 knows all of them,
 * whichever tests run there.
 */
it('the server understands every named statement', async () => {
  const test_ = await createTestDatabase({ migrated: true });
  const database = createDatabase({ url: test_.url, applicationName: 'statements' });
  onTestFinished(async () => {
    await database.stop();
    await test_.drop();
  });
  // What the explorer of crashes makes for its own statement.
  const saving = loadQueries<'prepare'>(new URL('../src/testing/exploring/saving.sql', import.meta.url));
  await database.operations.query(saving.prepare.text);
  const refused: string[] = [];
  let understood = 0;
  for (const file of globSync('src/**/*.sql', { cwd: root }).filter((each) => !each.includes('migrations'))) {
    const queries = loadQueries<string>(pathToFileURL(path.join(root, file)));
    for (const name of namesIn(queries)) {
      const { text } = queries[name] as NamedQuery;
      if (!preparable.test(text)) continue;
      try {
        await database.operations.query(`prepare s_${name} as ${text}`);
        await database.operations.query(`deallocate s_${name}`);
        understood += 1;
      } catch (error) {
        refused.push(`${file}, ${name}: ${(error as Error).message}`);
      }
    }
  }
  expect(refused).toEqual([]);
  expect(understood).toBeGreaterThan(350);
});
