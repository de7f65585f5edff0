import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { FactlineError } from '../../foundation/index.ts';
import { defineEvent } from '../define-event.ts';
import { accept } from './accept.ts';
import { checkLock } from './check-lock.ts';
import { describeContracts } from './describe-contracts.ts';
import type { ContractsLock } from './lock.ts';
import { readLock, writeLock } from './lock-file.ts';
import { parseLock, renderLock } from './lock-text.ts';
import type { GateSubject } from './subject.ts';

const event = (type: 'shop.order.placed.v1' | 'shop.order.paid.v1', schema: z.ZodObject) =>
  defineEvent({ type, key: 'orderId', schema: schema.extend({ orderId: z.string() }) as never });

const subjectOf = (...contracts: GateSubject['contracts']): GateSubject => ({
  app: 'shop',
  contracts,
  upcasters: [],
  consumers: [
    { name: 'payment', class: 'operational', types: ['shop.order.placed.v1'], ordering: 'key', reads: null },
    {
      name: 'newer',
      class: 'operational',
      types: ['shop.order.placed.v1', 'shop.order.placed.v2'],
      upcast: ['shop.order.placed.v1'],
      ordering: 'key',
      reads: null,
    },
    {
      name: 'spend',
      class: 'projection',
      types: ['shop.order.placed.v1'],
      ordering: 'key',
      reads: new Map([['shop.order.placed.v1', ['pence', 'orderId']]]),
    },
  ],
});

const placed = event('shop.order.placed.v1', z.object({ pence: z.int() }));
const paid = event('shop.order.paid.v1', z.object({ chargeId: z.string() }));

const lockOf = (...contracts: GateSubject['contracts']): ContractsLock => ({
  app: 'shop',
  contracts: describeContracts(subjectOf(...contracts)).contracts,
  waivers: [
    {
      contract: 'shop.order.placed.v1',
      rule: 'x',
      path: '',
      owner: 'shop',
      reason: 'r',
      until: '2030-01-01',
    },
    { contract: '*', rule: 'fat-event', path: '/a', owner: 'shop', reason: 'r', until: null },
  ],
});

const text = renderLock(lockOf(placed, paid));
const edited = (edit: (value: Record<string, never>) => void): string => {
  const value = JSON.parse(text) as Record<string, never>;
  edit(value);
  return JSON.stringify(value, null, 2);
};
const failure = (source: string): FactlineError => {
  try {
    parseLock(source, 'contracts.lock.json');
  } catch (error) {
    if (FactlineError.is(error)) return error;
    throw error;
  }
  throw new Error('it was taken');
};

describe('a lock file', () => {
  test('is read as what was written, and written as it was read', () => {
    expect(renderLock(parseLock(text, 'lock'))).toBe(text);
    expect(
      parseLock(text, 'lock').contracts.get('shop.order.placed.v1')?.consumers.get('spend')?.reads,
    ).toEqual(['orderId', 'pence']);
  });

  test('is the same text whatever order the code has', () => {
    expect(renderLock(lockOf(paid, placed))).toBe(text);
    expect(text.indexOf('shop.order.paid.v1')).toBeLessThan(text.indexOf('"shop.order.placed.v1": {'));
    expect(text.endsWith('}\n')).toBe(true);
  });

  test('shows a new field in few lines', () => {
    const grown = renderLock(
      lockOf(event('shop.order.placed.v1', z.object({ pence: z.int(), note: z.string().optional() })), paid),
    );
    const before = text.split('\n');
    const after = grown.split('\n');
    // The field in both forms, and the digests of the contract and of both forms.
    expect(after.length - before.length).toBe(6);
    expect(before.filter((line) => !after.includes(line))).toHaveLength(3);
  });

  test('keeps its digests when only the order of a schema’s members differs', () => {
    const value = JSON.parse(text) as { contracts: Record<string, { schemas: { output: object }[] }> };
    const schema = value.contracts['shop.order.paid.v1']?.schemas[0];
    if (schema) schema.output = Object.fromEntries(Object.entries(schema.output).reverse());
    expect(() => parseLock(JSON.stringify(value), 'lock')).not.toThrow();
  });

  test('holds a field called __proto__ as any other, and changes no prototype', () => {
    const hostile = text.replace('"pence": {', '"__proto__": {');
    expect(failure(hostile).code).toBe('LOCK_EDITED');
    const named = text.replaceAll('shop.order.paid.v1', '__proto__');
    // Its digests still fit: a digest is of what the contract says, and `check` finds that nobody declares it.
    expect([...parseLock(named, 'lock').contracts.keys()]).toContain('__proto__');
    expect(({} as Record<string, unknown>)['digest']).toBeUndefined();
    expect(renderLock(parseLock(named, 'lock'))).toContain('"__proto__": {');
  });
});

describe('a lock file that cannot be used', () => {
  test.each([
    ['nothing', '', 'LOCK_INVALID', /is not JSON/],
    ['half of it', text.slice(0, 500), 'LOCK_INVALID', /is not JSON/],
    ['a list', '[]', 'LOCK_INVALID', /the file: is not an object/],
    ['null', 'null', 'LOCK_INVALID', /the file: is not an object/],
    ['no version', edited((lock) => delete lock['lockVersion']), 'LOCK_INVALID', /lockVersion/],
    ['version 0', text.replace('"lockVersion": 1', '"lockVersion": 0'), 'LOCK_INVALID', /lockVersion/],
    ['version "1"', text.replace('"lockVersion": 1', '"lockVersion": "1"'), 'LOCK_INVALID', /lockVersion/],
    ['a newer version', text.replace('"lockVersion": 1', '"lockVersion": 2'), 'LOCK_NEWER', /version 2/],
    [
      'another member',
      text.replace('"app": "shop",', '"app": "shop", "extra": 1,'),
      'LOCK_INVALID',
      /one of/,
    ],
    [
      'contracts as a list',
      edited((lock) => Object.assign(lock, { contracts: [] })),
      'LOCK_INVALID',
      /contracts/,
    ],
    [
      'a key of another kind',
      text.replace('"ordering": "key"', '"ordering": "whim"'),
      'LOCK_INVALID',
      /key or global or none/,
    ],
    [
      'a flag as text',
      text.replace('"highImpact": false', '"highImpact": "no"'),
      'LOCK_INVALID',
      /highImpact/,
    ],
    ['a changed schema', text.replace('"integer"', '"number"'), 'LOCK_EDITED', /shop\.order\.placed\.v1/],
    [
      'a changed owner',
      text.replace('"owner": "shop"', '"owner": "mine"'),
      'LOCK_EDITED',
      /shop\.order\.paid\.v1/,
    ],
    ['a changed mode', text.replace('"backward"', '"none"'), 'LOCK_EDITED', /shop\.order\.paid\.v1/],
    ['a changed digest', text.replace(/"digest": "sha256-./, '"digest": "sha256-x'), 'LOCK_EDITED', /paid/],
    ['an unknown mode', text.replace('"backward"', '"sideways"'), 'LOCK_INVALID', /compatibility/],
    ['a waiver until soon', text.replace('2030-01-01', 'soon'), 'LOCK_INVALID', /a day like/],
    ['a merge in progress', text.replace('  "app"', '<<<<<<< ours\n  "app"'), 'LOCK_CONFLICT', /line 3/],
    ['the middle of a conflict', text.replace('  "app"', '=======\n  "app"'), 'LOCK_CONFLICT', /line 3/],
    ['the end, with CRLF', text.replace('  "app"', '>>>>>>> theirs\r\n  "app"'), 'LOCK_CONFLICT', /line 3/],
    [
      'a schema nested 200,000 levels deep',
      text.replace(/"output": \{/, `"output": {"a": ${'['.repeat(200_000)}${']'.repeat(200_000)},`),
      'LOCK_INVALID',
      /nested too deeply|not JSON/,
    ],
  ] as const)('%s', (_, source, code, message) => {
    const error = failure(source);
    expect([error.code, error.message, error.exitCode]).toEqual([code, expect.stringMatching(message), 2]);
    expect(error.remedy).toMatch(/accept|release/);
  });

  test('says everything that is wrong at once', () => {
    const wrong = text.replace('"ordering": "key"', '"ordering": 1').replace('"kind": "domain"', '"kind": 2');
    expect(failure(wrong).details['issues']).toHaveLength(2);
  });

  test('a marker inside a text is no conflict', () => {
    const lock = lockOf(placed);
    const reason = '<<<<<<< is what git writes';
    const [waiver] = lock.waivers;
    const odd = { ...lock, waivers: waiver === undefined ? [] : [{ ...waiver, reason }] };
    expect(parseLock(renderLock(odd), 'lock').waivers[0]?.reason).toBe(reason);
  });
});

describe('the file', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'factline-lock-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));
  const file = (): string => path.join(folder, 'contracts.lock.json');

  test('is null where there is none, and leaves nothing else behind when it is written', async () => {
    expect(await readLock(file())).toBeNull();
    await writeLock(file(), lockOf(placed));
    await writeLock(file(), lockOf(placed, paid));
    expect(readFileSync(file(), 'utf8')).toBe(text);
    expect(readdirSync(folder)).toEqual(['contracts.lock.json']);
  });

  test('that is not UTF-8, or a folder, is refused', async () => {
    writeFileSync(file(), Buffer.from([0x7b, 0xff, 0x7d]));
    await expect(readLock(file())).rejects.toMatchObject({ code: 'LOCK_INVALID' });
    await expect(readLock(folder)).rejects.toMatchObject({ code: 'LOCK_UNREACHABLE' });
    await expect(writeLock(path.join(folder, 'no', 'lock'), lockOf())).rejects.toMatchObject({
      code: 'LOCK_UNREACHABLE',
    });
  });

  const git = (...words: string[]): void => {
    execFileSync('git', ['-c', 'user.name=a', '-c', 'user.email=a@example.org', ...words], {
      cwd: folder,
      stdio: 'pipe',
    });
  };
  const commit = async (branch: string, lock: ContractsLock): Promise<void> => {
    git('checkout', '-q', '-B', branch, 'main');
    await writeLock(file(), lock);
    git('commit', '-q', '-am', branch);
  };
  const begin = async (): Promise<void> => {
    git('init', '-q', '-b', 'main');
    await writeLock(file(), lockOf(placed, paid));
    git('add', '.');
    git('commit', '-q', '-m', 'begin');
  };
  const placedWith = (field: string) =>
    event('shop.order.placed.v1', z.object({ pence: z.int(), [field]: z.string().optional() }));

  test('of two branches that change different contracts merges by itself', async () => {
    await begin();
    await commit('one', lockOf(placedWith('note'), paid));
    await commit(
      'two',
      lockOf(placed, event('shop.order.paid.v1', z.object({ chargeId: z.string(), at: z.string() }))),
    );
    git('merge', '-q', 'one');
    expect((await readLock(file()))?.contracts.size).toBe(2);
  });

  test.each(['ours', 'theirs'])(
    'of two branches that change one contract is a conflict, which is explained, and mended from %s',
    async (side) => {
      await begin();
      await commit('one', lockOf(placedWith('note'), paid));
      await commit('two', lockOf(placedWith('voucher'), paid));
      expect(() => git('merge', '-q', 'one')).toThrow();
      await expect(readLock(file())).rejects.toMatchObject({
        code: 'LOCK_CONFLICT',
        details: { file: file() },
      });
      git('checkout', `--${side}`, '.');
      const merged = subjectOf(
        event(
          'shop.order.placed.v1',
          z.object({ pence: z.int(), note: z.string().optional(), voucher: z.string().optional() }),
        ),
        paid,
      );
      const now = new Date('2026-11-22');
      const { lock } = await accept({
        lock: await readLock(file()),
        subject: merged,
        types: [],
        waivers: [],
        now,
      });
      await writeLock(file(), lock);
      git('commit', '-q', '-am', 'merged');
      const { findings } = await checkLock(await readLock(file()), merged, { now });
      expect(findings.filter(({ severity }) => severity === 'error')).toEqual([]);
    },
  );
});
