import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type AmbientUse, watchAmbientUse } from './ambient-use.ts';

const folder = mkdtempSync(path.join(os.tmpdir(), 'factline-ambient-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface UsersCode {
  readonly impure: () => Promise<void>;
  readonly imported: () => Promise<void>;
  readonly pure: (moment: number) => Promise<string>;
}
let code: UsersCode;

beforeAll(async () => {
  const file = path.join(folder, 'code.mjs');
  writeFileSync(
    file,
    `import nodeCrypto, { randomInt, randomUUID } from 'node:crypto'
import { setImmediate as soon, setTimeout as later } from 'node:timers'
import { setTimeout as sleep } from 'node:timers/promises'
export const imported = async () => {
  randomUUID(), nodeCrypto.randomBytes(4)
  clearTimeout(later(() => {}, 1))
  await sleep(1)
  clearImmediate(soon(() => {})), randomInt(9), nodeCrypto.createHash('sha256')
}
export const impure = async () => {
  Date.now()
  await null
  new Date(), Math.random()
  clearTimeout(setTimeout(() => {}, 1)), crypto.randomUUID(), performance.now()
}
export const pure = async (moment) => {
  const date = new Date(moment)
  await null
  return String(date instanceof Date) + date.toISOString() + new Date('2026-01-01').getTime() + Date.parse('2026-01-01')
}
`,
  );
  code = (await import(file)) as UsersCode;
});

test('every use is told with its place, also after an await, and none once the watch is closed', async () => {
  const uses: AmbientUse[] = [];
  const date = Date;
  const watch = watchAmbientUse((use) => uses.push(use));
  await watch.run(() => code.impure());
  expect(uses.map(({ what, where }) => `${what} ${path.basename(where)}`)).toEqual([
    'Date.now() code.mjs:11:8',
    'new Date() code.mjs:13:3',
    'Math.random() code.mjs:13:20',
    'setTimeout() code.mjs:14:16',
    'crypto.randomUUID() code.mjs:14:49',
    'performance.now() code.mjs:14:75',
  ]);
  await code.impure();
  watch.close();
  watch.close();
  await watch.run(() => code.impure());
  expect(uses).toHaveLength(6);
  expect(Date).toBe(date);
});

test('chance and timers that a module imported are told as well, and are as they were once the watch is closed', async () => {
  const uses: AmbientUse[] = [];
  const watch = watchAmbientUse((use) => uses.push(use));
  await watch.run(() => code.imported());
  expect(uses.map(({ what, where }) => `${what} ${path.basename(where)}`)).toEqual([
    'randomUUID() of node:crypto code.mjs:5:3',
    'randomBytes() of node:crypto code.mjs:5:28',
    'setTimeout() of node:timers code.mjs:6:16',
    'setTimeout() of node:timers/promises code.mjs:7:9',
    'setImmediate() of node:timers code.mjs:8:18',
    'randomInt() of node:crypto code.mjs:8:35',
  ]);
  watch.close();
  await watch.run(() => code.imported());
  expect(uses).toHaveLength(6);
});

test('dates made of something, and what Factline itself does, are nobody else’s clock', async () => {
  const uses: AmbientUse[] = [];
  const watch = watchAmbientUse((use) => uses.push(use));
  const other = watchAmbientUse(() => {});
  expect(await watch.run(() => code.pure(0))).toBe('true1970-01-01T00:00:00.000Z17672256000001767225600000');
  other.close();
  watch.run(() => Date.now());
  expect(uses).toEqual([]);
  watch.close();
});
