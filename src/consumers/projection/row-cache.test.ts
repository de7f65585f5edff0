import { expect, test } from 'vitest';
import { RowCache } from './row-cache.ts';

const key = (id: string) => ({ id, key: { id } });

test('forgets rows that were not used for long, and never those used since the last change of generations', () => {
  const cache = new RowCache({ rowsMax: 10, bytesMax: 1e9 });
  for (let n = 0; n < 200; n++) {
    cache.get(key('hot')) ?? cache.put(key('hot'), { id: 'hot' });
    cache.put(key(`r${n}`), { id: `r${n}` });
    cache.grow(1);
    expect(cache.get(key('hot'))?.row).toEqual({ id: 'hot' });
    expect(cache.get(key(`r${n}`))?.row).toEqual({ id: `r${n}` });
    expect(cache.size).toBeLessThanOrEqual(14);
  }
  expect(cache.get(key('r1'))).toBeUndefined();
});

test('is bounded by bytes as well', () => {
  const cache = new RowCache({ rowsMax: 1e6, bytesMax: 1000 });
  for (let n = 0; n < 100; n++) {
    cache.put(key(`r${n}`), { id: `r${n}` });
    cache.grow(100);
  }
  expect(cache.size).toBeLessThanOrEqual(14);
});

test('a table known to be empty needs no reads until rows were forgotten', () => {
  const cache = new RowCache({ rowsMax: 4, bytesMax: 1e9 });
  cache.startEmpty();
  expect(cache.get(key('a'))?.row).toBeNull();
  for (let n = 0; n < 20; n++) {
    cache.put(key(`r${n}`), { id: `r${n}` });
    cache.grow(1);
  }
  expect(cache.get(key('b'))).toBeUndefined();
});
