import { describe, expect, test } from 'vitest';
import { compareBatch } from './compare-batch.ts';
import { type Line, splitLines } from './split-lines.ts';

async function* chunksOf(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let start = 0; start < bytes.length; start += size) {
    await Promise.resolve();
    yield bytes.subarray(start, start + size);
  }
}

const answers = async (text: string | Uint8Array, size = 7): Promise<Record<string, unknown>[]> => {
  const bytes = typeof text === 'string' ? new TextEncoder().encode(text) : text;
  const all: Record<string, unknown>[] = [];
  for await (const answer of compareBatch(chunksOf(bytes, size))) {
    expect(answer).not.toContain('\n');
    all.push(JSON.parse(answer) as Record<string, unknown>);
  }
  return all;
};

const line = (more: object): string =>
  JSON.stringify({ format: 'avro', mode: 'backward', old: 'int', new: 'long', ...more });

describe('a batch', () => {
  test('answers each line in order, whatever stands beside it', async () => {
    const lines = [
      line({ id: 1 }),
      line({ id: 'two', mode: 'forward' }),
      line({
        id: { three: 3 },
        format: 'protobuf',
        mode: 'wire',
        old: 'syntax = "proto3";',
        new: 'syntax = "proto3";',
      }),
    ];
    const [one, two, three] = await answers(`${lines.join('\n')}\n`);
    expect(one).toEqual({ id: 1, compatible: true, changes: [] });
    expect(two).toMatchObject({ id: 'two', compatible: false, changes: [{ rule: 'type-mismatch' }] });
    expect(three).toEqual({ id: { three: 3 }, compatible: true, changes: [] });
  });

  test.each<[string, string, unknown, RegExp]>([
    ['broken JSON', '{"id": 1,', null, /line cannot be used/],
    ['an empty line', '', null, /line cannot be used/],
    ['a list', '[]', null, /not a JSON object/],
    ['null', 'null', null, /not a JSON object/],
    ['no id', line({ format: 'xml' }), null, /xml/],
    ['an unknown format', line({ id: 1, format: 'xml' }), 1, /xml/],
    ['an unknown mode', line({ id: 1, mode: 'x' }), 1, /mode/],
    ['a mode that is no text', line({ id: 1, mode: 7 }), 1, /mode must be text/],
    ['a history that is no list', line({ id: 1, old_history: {} }), 1, /old_history must be a JSON list/],
    ['files that are no object', line({ id: 1, old_files: [] }), 1, /old_files must be a JSON object/],
    ['a broken schema', line({ id: 1, old: '{' }), 1, /old avro/],
    [
      'members under __proto__',
      '{"id": 1, "__proto__": {"format": "avro", "mode": "backward"}}',
      1,
      /format/,
    ],
    [
      'a schema that is nested 100,000 times',
      line({ id: 1, old: `${'['.repeat(100_000)}${']'.repeat(100_000)}` }),
      1,
      /nested/,
    ],
  ])('%s is bad input, and the next line is answered', async (_what, bad, id, message) => {
    const [first, next, ...more] = await answers(`${bad}\n${line({ id: 'next' })}`, 65_536);
    expect(first).toEqual({ id, error: 'bad-input', message: expect.stringMatching(message) });
    expect(next).toMatchObject({ id: 'next', compatible: true });
    expect(more).toEqual([]);
  });

  test('bytes that are not UTF-8 are bad input', async () => {
    const bytes = Buffer.concat([Buffer.from([0xff, 0xfe, 0x0a]), Buffer.from(line({ id: 2 }))]);
    expect(await answers(bytes)).toMatchObject([
      { id: null, error: 'bad-input' },
      { id: 2, compatible: true },
    ]);
  });

  test('the newest of a history stands for old when there is none', async () => {
    const [answer] = await answers(line({ old: undefined, old_history: ['string', 'int'] }));
    expect(answer).toMatchObject({ compatible: true });
    const [transitive] = await answers(
      line({ mode: 'backward-transitive', old: undefined, old_history: ['string', 'int'] }),
    );
    expect(transitive).toMatchObject({ compatible: false, changes: [{ version: 1 }] });
  });

  test('members that are null were left out', async () => {
    expect(
      await answers(line({ policy: null, draft: null, old_history: null, old_files: null })),
    ).toMatchObject([{ compatible: true }]);
  });

  test('a line of 10 MB is answered, and nothing is read ahead of the answers', async () => {
    let taken = 0;
    async function* endless(): AsyncGenerator<Uint8Array> {
      for (;;) {
        taken += 1;
        yield Buffer.from(`${line({ doc: 'x'.repeat(taken === 1 ? 10_485_760 : 1) })}\n`);
        await Promise.resolve();
      }
    }
    const batch = compareBatch(endless());
    expect(JSON.parse((await batch.next()).value ?? '')).toMatchObject({ compatible: true });
    await batch.next();
    expect(taken).toBe(2);
    await batch.return();
  });

  test('a pair that would take for ever is given up, and the next line is answered', {
    timeout: 30_000,
  }, async () => {
    const variants = (count: number, name: string): object[] =>
      Array.from({ length: count }, (_, index) => ({
        type: 'record',
        name: `${name}${index}`,
        fields: [{ name: 'next', type: ['null', { type: 'array', items: `${name}${index}` }] }],
      }));
    const nasty = line({ id: 'nasty', old: variants(3_000, 'A'), new: variants(3_000, 'B') });
    const proto = line({
      id: 'proto',
      format: 'protobuf',
      mode: 'full',
      old: 'message A {'.repeat(20_000),
      new: '',
    });
    const found = await answers(`${nasty}\n${proto}\n${line({ id: 'next' })}`, 65_536);
    expect(found).toMatchObject([
      { id: 'nasty', compatible: false },
      { id: 'proto', error: 'bad-input' },
      { id: 'next', compatible: true },
    ]);
  });
});

describe('lines', () => {
  const split = async (text: string, size: number, limit?: number): Promise<string[]> => {
    const all: Line[] = [];
    for await (const each of splitLines(chunksOf(Buffer.from(text), size), limit)) all.push(each);
    return all.map((each) => (each.kind === 'bytes' ? Buffer.from(each.bytes).toString() : 'too long'));
  };

  test.each([1, 2, 3, 100])('are found in pieces of %i bytes', async (size) => {
    expect(await split('one\n\ntwo\nthree', size)).toEqual(['one', '', 'two', 'three']);
    expect(await split('one\n', size)).toEqual(['one']);
    expect(await split('', size)).toEqual([]);
    expect(await split('long line\nok\nanother one', size, 4)).toEqual(['too long', 'ok', 'too long']);
  });
});
