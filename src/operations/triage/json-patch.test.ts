import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { applyPatch, pointerParts, readPatch } from './json-patch.ts';

const patched = (document: unknown, ...patch: unknown[]): unknown => applyPatch(document, readPatch(patch));

describe('a JSON Patch', () => {
  it.each([
    ['adds a member', { a: 1 }, [{ op: 'add', path: '/b', value: 2 }], { a: 1, b: 2 }],
    ['adds over a member', { a: 1 }, [{ op: 'add', path: '/a', value: 2 }], { a: 2 }],
    ['adds into a list', { a: [1, 3] }, [{ op: 'add', path: '/a/1', value: 2 }], { a: [1, 2, 3] }],
    ['adds at the end of a list', { a: [1] }, [{ op: 'add', path: '/a/-', value: 2 }], { a: [1, 2] }],
    ['adds right behind a list', { a: [1] }, [{ op: 'add', path: '/a/1', value: 2 }], { a: [1, 2] }],
    ['adds a list as one item', { a: [1] }, [{ op: 'add', path: '/a/-', value: [2] }], { a: [1, [2]] }],
    ['removes a member', { a: 1, b: 2 }, [{ op: 'remove', path: '/a' }], { b: 2 }],
    ['removes from a list', { a: [1, 2, 3] }, [{ op: 'remove', path: '/a/1' }], { a: [1, 3] }],
    ['replaces', { a: { b: 1 } }, [{ op: 'replace', path: '/a/b', value: null }], { a: { b: null } }],
    ['replaces the whole', { a: 1 }, [{ op: 'replace', path: '', value: [] }], []],
    ['moves', { a: { b: 1 }, c: {} }, [{ op: 'move', from: '/a/b', path: '/c/d' }], { a: {}, c: { d: 1 } }],
    ['moves within a list', { a: [1, 2, 3] }, [{ op: 'move', from: '/a/0', path: '/a/2' }], { a: [2, 3, 1] }],
    ['copies', { a: [1] }, [{ op: 'copy', from: '/a', path: '/b' }], { a: [1], b: [1] }],
    [
      'tests',
      { a: [1, { b: 'x' }] },
      [{ op: 'test', path: '/a', value: [1, { b: 'x' }] }],
      { a: [1, { b: 'x' }] },
    ],
    [
      'reads escaped names',
      { 'a/b': 1, '~m': 2 },
      [
        { op: 'remove', path: '/a~1b' },
        { op: 'remove', path: '/~0m' },
      ],
      {},
    ],
    ['reads "~01" as "~1"', { '~1': 1 }, [{ op: 'replace', path: '/~01', value: 2 }], { '~1': 2 }],
    ['knows an empty name', { '': 1 }, [{ op: 'replace', path: '/', value: 2 }], { '': 2 }],
    ['ignores members it does not know', {}, [{ op: 'add', path: '/a', value: 1, xyz: 2 }], { a: 1 }],
  ])('%s', (_what, document, patch, expected) => {
    expect(patched(document, ...patch)).toEqual(expected);
  });

  it.each([
    ['a missing parent', { op: 'add', path: '/b/c', value: 1 }],
    ['a missing member', { op: 'remove', path: '/b' }],
    ['a replaced member that is not there', { op: 'replace', path: '/b', value: 1 }],
    ['an index beyond the list', { op: 'add', path: '/list/3', value: 1 }],
    ['an index with a leading zero', { op: 'replace', path: '/list/01', value: 1 }],
    ['a negative index', { op: 'remove', path: '/list/-1' }],
    ['the end of a list as something to remove', { op: 'remove', path: '/list/-' }],
    ['a test that fails', { op: 'test', path: '/text', value: 10 }],
    ['a test of a text against a number', { op: 'test', path: '/a', value: '1' }],
    ['a move into itself', { op: 'move', from: '/list', path: '/list/0' }],
    ['a member of a text', { op: 'add', path: '/text/0', value: 'x' }],
    ['an inherited member', { op: 'test', path: '/toString', value: 1 }],
    ['the length of a list', { op: 'replace', path: '/list/length', value: 0 }],
    ['the removal of everything', { op: 'remove', path: '' }],
    ['__proto__', { op: 'add', path: '/__proto__/polluted', value: true }],
    ['__proto__ as the last name', { op: 'add', path: '/__proto__', value: { polluted: true } }],
    ['constructor', { op: 'add', path: '/constructor/prototype/polluted', value: true }],
    ['__proto__ to copy from', { op: 'copy', from: '/__proto__', path: '/b' }],
    ['a path without a slash', { op: 'add', path: 'b', value: 1 }],
    ['a wrong escape', { op: 'add', path: '/a~2', value: 1 }],
    ['an unknown operation', { op: 'increment', path: '/a' }],
    ['no value', { op: 'add', path: '/b' }],
    ['no from', { op: 'move', path: '/b' }],
    ['no path', { op: 'remove' }],
    ['null', null],
  ])('refuses %s and changes nothing', (_what, operation) => {
    const document = { a: 1, text: 'abc', list: [1, 2] };
    const patch = [{ op: 'add', path: '/first', value: 1 }, operation];
    expect(() => patched(document, ...patch)).toThrow(expect.objectContaining({ code: 'PATCH_INVALID' }));
    expect(document).toEqual({ a: 1, text: 'abc', list: [1, 2] });
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });

  it('is a list, not empty and not endless', () => {
    for (const given of [undefined, {}, 'x', [], Array(101).fill({ op: 'remove', path: '/a' })])
      expect(() => readPatch(given)).toThrow(expect.objectContaining({ code: 'PATCH_INVALID' }));
  });

  it('shares nothing with the document or with the patch', () => {
    const document = { a: { b: [1] } };
    const value = { c: 1 };
    const result = patched(
      document,
      { op: 'add', path: '/d', value },
      { op: 'copy', from: '/a', path: '/e' },
    ) as {
      a: { b: number[] };
      d: { c: number };
      e: { b: number[] };
    };
    result.a.b.push(2);
    result.d.c = 2;
    expect({ document, value, e: result.e }).toEqual({
      document: { a: { b: [1] } },
      value: { c: 1 },
      e: { b: [1] },
    });
  });

  it('puts any value under any name and gets it back', () => {
    const names = fc
      .string({ unit: 'grapheme' })
      .filter((name) => !['__proto__', 'constructor', 'prototype'].includes(name));
    fc.assert(
      fc.property(names, fc.jsonValue(), (name, value) => {
        const path = `/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`;
        expect(pointerParts(path)).toEqual([name]);
        const result = patched({}, { op: 'add', path, value }, { op: 'test', path, value });
        expect(Object.entries(result as object)).toEqual([[name, value]]);
        expect(patched(result, { op: 'remove', path })).toEqual({});
      }),
    );
  });
});
