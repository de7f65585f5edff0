import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { rules, wording } from './rules.ts';

const page = readFileSync(new URL('../../../docs/compare.md', import.meta.url), 'utf8');

test('docs/compare.md names every rule', () => {
  expect(Object.keys(rules).filter((rule) => !page.includes(`\`${rule}\``))).toEqual([]);
});

test('what a rule has no words for is left out', () => {
  expect(wording('The member {name} is gone ({old} → {new})', { name: 'a' })).toBe('The member a is gone');
  expect(wording('{old} → {new}', { old: 'string' })).toBe('string → anything');
});
