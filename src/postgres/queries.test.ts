import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import { loadQueries, type NamedQuery } from './queries.ts';

const load = (text: string): Readonly<Record<string, NamedQuery>> => {
  const directory = mkdtempSync(path.join(tmpdir(), 'factline-queries-'));
  try {
    writeFileSync(path.join(directory, 'shop.sql'), text);
    return loadQueries<string>(pathToFileURL(path.join(directory, 'shop.sql')));
  } finally {
    rmSync(directory, { recursive: true });
  }
};

test('what statements begin with stands once', () => {
  const queries = load(`-- About orders.

-- part: open
with open as (select 1)

-- name: count
-- How many.
-- include: open
select count(*) from open;

-- name: read
-- include: open
select * from open
`);
  expect(queries['count']).toEqual({
    name: 'factline.shop.count',
    text: '-- How many.\nwith open as (select 1)\nselect count(*) from open',
  });
  expect(queries['read']?.text).toBe('with open as (select 1)\nselect * from open');
  expect(() => queries['open']).toThrow(/shop.sql/);
});

test('a part that does not stand above is missing', () => {
  expect(() => load('-- name: read\n-- include: open\nselect 1\n')).toThrow(/shop.sql/);
});
