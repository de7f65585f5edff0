import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { refusedStatement } from './guarded-client.ts';

const refused = [
  'BEGIN',
  'START TRANSACTION',
  'COMMIT',
  'END',
  'ROLLBACK',
  'ABORT',
  'SAVEPOINT a',
  'RELEASE a',
  "PREPARE TRANSACTION 'x'",
];

describe('the guard of a transaction', () => {
  it.each(refused)('refuses %s', (statement) => {
    expect(refusedStatement(statement)).not.toBeNull();
  });

  it('refuses them in any case, behind any comments, white space and semicolons', () => {
    const noise = fc.array(
      fc.constantFrom(
        ' ',
        '\n',
        '\t',
        ';',
        '-- a line; select\n',
        '/* block */',
        '/* nested /* deeper */ still */',
        '/**/',
      ),
    );
    const scramble = (text: string, upper: readonly boolean[]): string =>
      [...text]
        .map((letter, index) => (upper[index % upper.length] ? letter.toUpperCase() : letter.toLowerCase()))
        .join('');
    fc.assert(
      fc.property(
        fc.constantFrom(...refused),
        noise,
        fc.array(fc.boolean(), { minLength: 1 }),
        (statement, parts, upper) => {
          expect(refusedStatement(parts.join('') + scramble(statement, upper))).not.toBeNull();
        },
      ),
    );
  });

  it.each([
    'select 1',
    'insert into begin_log values (1)',
    'prepare name as select 1',
    '-- commit\nselect 1',
    '/* commit */ update t set a = 1',
    'with commit as (select 1) select * from commit',
    'ended',
    '',
    '/* never closed commit',
  ])('lets %j pass', (statement) => {
    expect(refusedStatement(statement)).toBeNull();
  });
});
