import { describe, expect, test } from 'vitest';
import { law } from './law.ts';
import type { Rule } from './rule.ts';
import { errorsFromCatalogue, noDefaultExports } from './rules/errors-from-catalogue.ts';
import {
  driversBehindTheSeam,
  importsGoDown,
  noDeepImports,
  noSelfReference,
} from './rules/imports-go-down.ts';
import { namesInKebabCase, namesSayWhat } from './rules/names.ts';
import { noCircles } from './rules/no-circles.ts';
import { nothingAmbient } from './rules/nothing-ambient.ts';
import { fewParameters, filesStayShort, functionsStayShort } from './rules/sizes.ts';
import { sqlInSqlFiles, sqlStaysInItsRoom } from './rules/sql-in-sql-files.ts';
import { testsShareNothing } from './rules/tests-share-nothing.ts';
import { createSourceFile } from './syntax.ts';

type Files = Readonly<Record<string, string>>;

interface Canaries {
  /** Each must be caught. */
  readonly caught: Readonly<Record<string, Files>>;
  /** None may be: a rule that cries at everything would pass the others as well. */
  readonly allowed: Readonly<Record<string, Files>>;
}

const check = (rule: Rule, files: Files): string[] =>
  rule
    .check(Object.entries(files).map(([path, text]) => createSourceFile(path, text)))
    .map(({ path, line }) => `${path}:${line}`);

const lines = (count: number): string => 'export {};\n'.repeat(count);
const functionOf = (count: number): string =>
  `export const long = () => {\n${'  run();\n'.repeat(count - 2)}};\n`;

const canaries = new Map<Rule, Canaries>([
  [
    importsGoDown,
    {
      caught: {
        'an upward import': { 'src/log/a.ts': "import { run } from '../consumers/index.ts';" },
        'an upward import of a type': { 'src/log/a.ts': "import type { Run } from '../app/index.ts';" },
        'an upward type written inline': {
          'src/contracts/a.ts': "export type A = import('../log/index.ts').B;",
        },
        'an upward re-export': { 'src/foundation/index.ts': "export * from '../contracts/index.ts';" },
        'a dynamic upward import': {
          'src/app/a.ts': "export const go = () => import('../server/index.ts');",
        },
        'an import of testing': { 'src/cli/a.ts': "import { given } from '../testing/index.ts';" },
        'an import of the front door': { 'src/cli/a.ts': "import { createFactline } from '../index.ts';" },
        'an import from outside src': { 'src/app/a.ts': "import { x } from '../../test/database.ts';" },
        'a folder that is no room': { 'src/shared/a.ts': 'export {};' },
      },
      allowed: {
        'a downward import': { 'src/log/a.ts': "import { run } from '../postgres/index.ts';" },
        'an import within the room': { 'src/log/deep/a.ts': "import { run } from '../b.ts';" },
        'what a test imports': { 'src/log/a.test.ts': "import { x } from '../../test/database.ts';" },
        'what testing imports': { 'src/testing/a.ts': "import { x } from '../app/index.ts';" },
        'the front door': { 'src/index.ts': "export * from './app/index.ts';" },
      },
    },
  ],
  [
    noDeepImports,
    {
      caught: {
        'an import past a public module': { 'src/log/a.ts': "import { run } from '../postgres/queries.ts';" },
        'a type past a public module': { 'src/index.ts': "export type { A } from './app/options.ts';" },
        'an example that reaches into the source': {
          'examples/a/main.ts': "import { x } from '../../src/index.ts';",
        },
      },
      allowed: {
        'the public module': { 'src/log/a.ts': "import { run } from '../postgres/index.ts';" },
        'an example that uses the package': { 'examples/a/main.ts': "import { x } from 'factline';" },
      },
    },
  ],
  [
    noSelfReference,
    {
      caught: {
        'the package by its own name': { 'src/app/a.ts': "import type { A } from 'factline/contracts';" },
      },
      allowed: { 'another package': { 'src/app/a.ts': "import type { A } from 'factline-like';" } },
    },
  ],
  [
    driversBehindTheSeam,
    {
      caught: {
        'a driver past the seam': { 'src/brokers/relay.ts': "import { kafka } from './kafka/client.ts';" },
      },
      allowed: { 'a driver within itself': { 'src/brokers/kafka/a.ts': "import { b } from './b.ts';" } },
    },
  ],
  [
    noCircles,
    {
      caught: {
        'two files': { 'src/app/a.ts': "import './b.ts';", 'src/app/b.ts': "import './a.ts';" },
        'a circle of types through three files': {
          'src/app/a.ts': "import type { B } from './b.ts';",
          'src/app/b.ts': "export type { C } from './c.ts';",
          'src/app/c.ts': "export type C = import('./a.ts').A;",
        },
        'a file that imports itself': { 'src/app/a.ts': "import './a.ts';" },
      },
      allowed: {
        'two ways to one file': {
          'src/app/a.ts': "import './b.ts'; import './c.ts';",
          'src/app/b.ts': "import './c.ts';",
          'src/app/c.ts': '',
        },
      },
    },
  ],
  [
    filesStayShort,
    {
      caught: {
        '501 lines': { 'src/app/a.ts': lines(501) },
        '901 lines of test': { 'src/app/a.test.ts': lines(901) },
      },
      allowed: {
        '500 lines': { 'src/app/a.ts': lines(500) },
        '501 lines of test': { 'test/a.test.ts': lines(501) },
      },
    },
  ],
  [
    functionsStayShort,
    {
      caught: {
        '71 lines': { 'src/app/a.ts': functionOf(71) },
        'a method of 71 lines': {
          'src/app/a.ts': `export class A {\n  long() {\n${'run();\n'.repeat(69)}  }\n}`,
        },
      },
      allowed: { '70 lines': { 'src/app/a.ts': functionOf(70) } },
    },
  ],
  [
    fewParameters,
    {
      caught: {
        'four parameters': { 'src/app/a.ts': 'export function run(a: A, b: B, c: C, d?: D) {}' },
        'four parameters of an arrow': { 'src/app/a.ts': 'export const run = (a, b, c, ...d) => {};' },
        'four parameters in an interface': {
          'src/app/a.ts': 'export interface A { run(a: A, b: B, c: C, d: D): void }',
        },
        'four parameters of a constructor': {
          'src/app/a.ts': 'export class A { constructor(a, b, c, d) {} }',
        },
      },
      allowed: {
        'three and `this`': { 'src/app/a.ts': 'export function run(this: A, a: A, b: B, c: C) {}' },
      },
    },
  ],
  [
    sqlInSqlFiles,
    {
      caught: {
        'a SELECT': { 'src/log/a.ts': "run('select position from factline.events');" },
        'a SELECT over lines, behind a comment': {
          'src/log/a.ts': 'run(`\n  -- newest\n  SELECT max(position)\n  FROM x`);',
        },
        'a call of a function': { 'src/log/a.ts': "run('select pg_notify($1, $2)');" },
        'an INSERT with an inserted name': { 'src/log/a.ts': 'run(`insert into ${table} values (1)`);' },
        'an UPDATE': { 'src/log/a.ts': "run('update factline.lanes set token = token + 1');" },
        'a DELETE': { 'src/postgres/a.ts': "run('delete from factline.lanes');" },
        'a WITH': { 'src/log/a.ts': "run('with old as (delete from x returning *) select 1');" },
        'a CREATE': { 'src/log/a.ts': "run('create unique index a on b (c)');" },
        'a SET': { 'src/log/a.ts': "run('set local lock_timeout = 100');" },
        'a LISTEN': { 'src/log/a.ts': "run('listen factline_log');" },
        'a transaction opened elsewhere': { 'src/log/a.ts': "client.query('BEGIN');" },
      },
      allowed: {
        'a sentence': {
          'src/log/a.ts': "say('Select a topic; update your code and set the URL from the list');",
        },
        'a statement in a test': { 'src/log/a.int.test.ts': "run('select position from factline.events');" },
        'the file that builds a projection': {
          'src/consumers/projection/statements.ts': 'run(`select ${a} from b`);',
        },
        'a transaction opened by postgres': { 'src/postgres/a.ts': "client.query('BEGIN');" },
        'a word': { 'src/log/a.ts': "assertOpen('COMMIT'); check('vacuum');" },
        'a savepoint': { 'src/log/a.ts': "client.query('ROLLBACK TO SAVEPOINT one');" },
      },
    },
  ],
  [
    sqlStaysInItsRoom,
    {
      caught: {
        'a foreign .sql file': { 'src/log/a.ts': "load(new URL('../postgres/a.sql', import.meta.url));" },
      },
      allowed: {
        'an own .sql file': { 'src/log/a.ts': "load(new URL('./a.sql', import.meta.url));" },
        'the manifest': { 'src/cli/a.ts': "read(new URL('../../package.json', import.meta.url));" },
      },
    },
  ],
  [
    nothingAmbient,
    {
      caught: {
        'Date.now': { 'src/log/a.ts': 'export const now = Date.now();' },
        'Date.now handed on': { 'src/log/a.ts': 'start({ now: Date.now });' },
        'new Date()': { 'src/log/a.ts': 'export const now = new Date();' },
        'Math.random': { 'src/log/a.ts': 'export const dice = Math.random();' },
        'performance.now': { 'src/log/a.ts': 'export const now = performance.now();' },
        setTimeout: { 'src/log/a.ts': 'setTimeout(() => {}, 10);' },
        'setTimeout handed on': { 'src/log/a.ts': 'start({ timer: setTimeout });' },
        fetch: { 'src/log/a.ts': "await fetch('http://localhost');" },
        'a timers module': { 'src/log/a.ts': "import { setTimeout as sleep } from 'node:timers/promises';" },
      },
      allowed: {
        'the clock itself': { 'src/foundation/clock.ts': 'export const now = () => Date.now();' },
        'a date of something': { 'src/log/a.ts': 'export const at = new Date(row.time);' },
        'a method of that name': { 'src/log/a.ts': 'api.fetch(request); const x = { fetch: own };' },
        'a test': { 'src/log/a.test.ts': 'setTimeout(() => {}, Date.now());' },
      },
    },
  ],
  [
    errorsFromCatalogue,
    {
      caught: {
        'a bare error': { 'src/log/a.ts': "throw new Error('no');" },
        'a bare error without new': { 'src/log/a.ts': "reject(TypeError('no'));" },
        'a thrown text': { 'src/log/a.ts': "throw 'no';" },
      },
      allowed: {
        'an error of the catalogue': { 'src/log/a.ts': "throw new FactlineError('STOPPED');" },
        'looking at an error': { 'src/log/a.ts': 'if (error instanceof Error) throw error;' },
      },
    },
  ],
  [
    noDefaultExports,
    {
      caught: {
        'a default export': { 'src/log/a.ts': 'export default 1;' },
        'a default by renaming': { 'src/log/a.ts': 'const a = 1; export { a as default };' },
      },
      allowed: { 'a named one': { 'src/log/a.ts': 'export const a = 1;' } },
    },
  ],
  [
    namesSayWhat,
    {
      caught: {
        utils: { 'src/log/utils.ts': '' },
        'helpers among tests': { 'test/helpers.ts': '' },
        'a folder called common': { 'src/log/common/a.ts': '' },
        'types.d.ts': { 'src/types.d.ts': '' },
        'misc.sql': { 'src/log/misc.sql': '' },
      },
      allowed: { 'a name with such a word in it': { 'src/contracts/payload-types.ts': '' } },
    },
  ],
  [
    namesInKebabCase,
    {
      caught: {
        camelCase: { 'src/log/safeReader.ts': '' },
        PascalCase: { 'src/log/Reader.ts': '' },
        'snake_case SQL': { 'src/log/safe_reader.sql': '' },
        'a folder': { 'src/log/SafeReading/a.ts': '' },
      },
      allowed: {
        'kebab-case': { 'src/log/safe-reader.int.test.ts': '' },
        'a migration': { 'src/postgres/migrations/0001_first.sql': '' },
        'a configuration': { 'tools/adapters/prisma.config.ts': '' },
      },
    },
  ],
  [
    testsShareNothing,
    {
      caught: {
        'one global name of two': {
          'src/cli/a.int.test.ts': 'const app = `globalThis.repaired = new Set()`;',
          'src/cli/b.int.test.ts': 'const app = `if (!globalThis.repaired) throw error`;',
        },
        'one variable of two': {
          'src/cli/a.int.test.ts': "process.env['SHOP_URL'] = own.url;",
          'src/cli/b.int.test.ts': 'process.env.SHOP_URL ??= own.url;',
        },
      },
      allowed: {
        'names of their own': {
          'src/cli/a.int.test.ts': "globalThis.shop = {}; process.env['SHOP_URL'] = own.url;",
          'src/cli/b.int.test.ts': "globalThis.depot = {}; process.env['DEPOT_URL'] = own.url;",
        },
        'a variable that both read': {
          'src/cli/a.int.test.ts': "if (process.env['CI'] === '1') skip();",
          'src/cli/b.int.test.ts': "if (process.env['CI'] === '1') skip();",
        },
      },
    },
  ],
]);

for (const rule of law) {
  const { caught = {}, allowed = {} } = canaries.get(rule) ?? {};
  describe(rule.law, () => {
    test('has canaries', () => {
      expect(Object.keys(caught)).not.toHaveLength(0);
      expect(Object.keys(allowed)).not.toHaveLength(0);
    });
    for (const [name, files] of Object.entries(caught)) {
      test(`catches: ${name}`, () => {
        expect(check(rule, files)).not.toEqual([]);
      });
    }
    for (const [name, files] of Object.entries(allowed)) {
      test(`allows: ${name}`, () => {
        expect(check(rule, files)).toEqual([]);
      });
    }
  });
}
