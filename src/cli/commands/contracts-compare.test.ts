import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Ran, runWords } from '../../../test/command-line.ts';

let directory: string;

beforeAll(() => {
  directory = mkdtempSync(path.join(os.tmpdir(), 'factline-compare-'));
  const write = (file: string, text: string | Uint8Array): void => {
    mkdirSync(path.dirname(path.join(directory, file)), { recursive: true });
    writeFileSync(path.join(directory, file), text);
  };
  const order = (...fields: readonly string[]): string =>
    JSON.stringify({ type: 'record', name: 'Order', fields: fields.map((name) => ({ name, type: 'int' })) });
  write('v1.avsc', order('a'));
  write('v2.avsc', order('a', 'b'));
  write('broken.avsc', '{"type":');
  write('latin.avsc', Buffer.from([0x22, 0xe9, 0x22]));
  write('wide.json', '{"type": "number"}');
  write('narrow.json', '{"type": "integer"}');
  write(
    'old/shop/order.proto',
    'syntax = "proto3"; import "shop/line.proto"; message Order { Line line = 1; }',
  );
  write('old/shop/line.proto', 'syntax = "proto3"; message Line { int32 n = 1; string note = 2; }');
  write(
    'new/shop/order.proto',
    'syntax = "proto3"; import "shop/line.proto"; message Order { Line line = 1; }',
  );
  write('new/shop/line.proto', 'syntax = "proto3"; message Line { int32 n = 1; }');
  write('new/readme.txt', 'not Protobuf');
  write('empty/readme.txt', 'not Protobuf');
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const run = (words: string, input?: readonly Uint8Array[]): Promise<Ran> =>
  runWords(`contracts compare ${words}`, { environment: {}, directory, ...(input && { input }) });

describe('factline contracts compare', () => {
  test.each([
    ['--format avro --mode forward v1.avsc v2.avsc', 0, []],
    ['--format avro --mode backward v1.avsc v2.avsc', 1, ['reader-field-missing-default Order.b']],
    [
      '--format avro --mode backward-transitive --history v1.avsc --history v2.avsc v2.avsc v2.avsc',
      1,
      ['reader-field-missing-default Order.b'],
    ],
    ['--format avro --mode backward --history v1.avsc v2.avsc v2.avsc', 0, []],
    ['--format json-schema --mode backward narrow.json wide.json', 0, []],
    ['--format json-schema --mode backward --policy lenient --draft 7 narrow.json wide.json', 0, []],
    ['--format protobuf --mode backward old new', 0, []],
    ['--format protobuf --mode wire old new', 1, ['field-no-delete-unless-number-reserved Line.note']],
    ['--format protobuf --mode buf:FIELD_NO_DELETE old new', 1, ['field-no-delete Line.note']],
  ])('%s', async (words, code, breaking) => {
    const ran = await run(words);
    expect([ran.code, ran.err]).toEqual([code, '']);
    const { compatible, changes } = JSON.parse(ran.out) as {
      compatible: boolean;
      changes: { rule: string; path: string; severity: string }[];
    };
    expect(compatible).toBe(code === 0);
    expect(
      changes.filter(({ severity }) => severity === 'breaking').map(({ rule, path: at }) => `${rule} ${at}`),
    ).toEqual(breaking);
  });

  test.each([
    ['', '--format'],
    ['--format avro v1.avsc v2.avsc', '--mode'],
    ['--format avro --mode backward v1.avsc', 'NEW'],
    ['--format avro --mode backward', 'OLD'],
    ['--format avro --mode backward v1.avsc v2.avsc v3.avsc', 'v3.avsc'],
    ['--format xml --mode backward v1.avsc v2.avsc', 'xml'],
    ['--format avro --mode backwards v1.avsc v2.avsc', 'backwards'],
    ['--format avro --mode wire v1.avsc v2.avsc', 'wire'],
    ['--format json-schema --mode full --policy mild wide.json wide.json', 'mild'],
    ['--format json-schema --mode full --draft 9 wide.json wide.json', 'got 9'],
    ['--format avro --mode backward gone.avsc v2.avsc', 'gone.avsc (ENOENT)'],
    ['--format avro --mode backward-transitive --history gone.avsc v1.avsc v2.avsc', '--history'],
    ['--format avro --mode backward v1.avsc broken.avsc', 'new avro schema'],
    ['--format avro --mode backward latin.avsc v1.avsc', 'UTF-8'],
    ['--format avro --mode backward old v1.avsc', 'the folder old'],
    ['--format protobuf --mode wire empty new', '.proto files'],
    ['--format protobuf --mode wire old/shop/order.proto new', 'shop/line.proto'],
    ['--format protobuf --mode buf:NONE old new', 'FIELD_NO_DELETE'],
    ['--batch gone.jsonl', 'gone.jsonl (ENOENT)'],
    ['--batch - v1.avsc', 'does not take'],
  ])('%s ends with 2, and says why on standard error', async (words, text) => {
    const ran = await run(words);
    expect([ran.code, ran.out]).toEqual([2, '']);
    expect(ran.err.replace(/\s+/g, ' ')).toContain(text);
    expect(ran.err).toContain('next  ');
  });

  test('--json changes nothing but how failures are told', async () => {
    expect(JSON.parse((await run('--json --format avro --mode none v1.avsc v2.avsc')).out)).toEqual({
      compatible: true,
      changes: [],
    });
    const failed = await run('--json --format avro --mode x v1.avsc v2.avsc');
    expect(JSON.parse(failed.err)).toMatchObject({ error: { code: 'OPTION_INVALID' } });
  });

  test('--batch - answers what is piped in', async () => {
    const lines = '{"id":1,"format":"avro","mode":"backward","old":"int","new":"long"}\nnonsense\n';
    const ran = await run('--batch -', [Buffer.from(lines)]);
    expect([ran.code, ran.err]).toEqual([0, '']);
    expect(ran.out.split('\n').map((line) => JSON.parse(line) as unknown)).toMatchObject([
      { id: 1, compatible: true },
      { id: null, error: 'bad-input' },
    ]);
  });
});

describe('as a process', () => {
  const program = path.resolve('bin/factline.js');

  const spawned = (words: readonly string[], input = '', flags: readonly string[] = []): Promise<Ran> =>
    new Promise((resolve) => {
      const command = [...flags, program, 'contracts', 'compare', ...words];
      const child = spawn(process.execPath, command, { cwd: directory });
      const [out, err]: [string[], string[]] = [[], []];
      child.stdout.on('data', (chunk: Buffer) => out.push(chunk.toString()));
      child.stderr.on('data', (chunk: Buffer) => err.push(chunk.toString()));
      child.on('close', (code) => resolve({ code: code ?? -1, out: out.join(''), err: err.join('') }));
      child.stdin.end(input);
    });

  test('writes one line and ends with what it found', async () => {
    const broken = await spawned(['--format', 'avro', '--mode', 'backward', 'v1.avsc', 'v2.avsc']);
    expect([broken.code, broken.err, broken.out.split('\n').length]).toEqual([1, '', 2]);
    expect(JSON.parse(broken.out)).toMatchObject({ compatible: false });
    const bad = await spawned(['--format', 'avro', '--mode', 'backward', 'v1.avsc', 'gone.avsc']);
    expect([bad.code, bad.out]).toEqual([2, '']);
  });

  test('loads neither a database driver nor a library of another format', async () => {
    const told =
      'import module from "node:module"; module.registerHooks({ load: (url, context, next) => { if (url.includes("/node_modules/")) console.error(url); return next(url, context); } })';
    const flags = ['--import', `data:text/javascript,${encodeURIComponent(told)}`];
    const { out, err } = await spawned(
      ['--format', 'avro', '--mode', 'full', 'v1.avsc', 'v1.avsc'],
      '',
      flags,
    );
    expect(JSON.parse(out)).toEqual({ compatible: true, changes: [] });
    expect(err.split('\n').filter((url) => /node_modules\/(pg|ajv|protobufjs|hono)\//.test(url))).toEqual([]);
    const protobuf = await spawned(['--format', 'protobuf', '--mode', 'wire', 'old', 'old'], '', flags);
    expect(protobuf.err).toContain('node_modules/protobufjs/');
  });

  test('a batch is larger than any pipe, in and out', async () => {
    const line = '{"format":"avro","mode":"backward","old":"int","new":"string"}\n';
    const { code, out } = await spawned(['--batch', '-'], line.repeat(5_000));
    expect([code, out.trimEnd().split('\n').length]).toEqual([0, 5_000]);
  });
});
