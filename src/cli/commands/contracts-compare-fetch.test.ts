import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Ran, runWords } from '../../../test/command-line.ts';
import { type SchemaServer, startSchemaServer } from '../../../test/contracts/schema-server.ts';

let directory: string;
let server: SchemaServer;

beforeAll(async () => {
  server = await startSchemaServer();
  directory = mkdtempSync(path.join(os.tmpdir(), 'factline-compare-'));
  const write = (file: string, schema: unknown): void =>
    writeFileSync(path.join(directory, file), JSON.stringify(schema));
  write('v1.json', { $ref: `${server.origin}/v1.json` });
  write('v2.json', { $ref: `${server.origin}/v2.json` });
  write('int.avsc', 'int');
});
afterAll(async () => {
  rmSync(directory, { recursive: true, force: true });
  await server.stop();
});
beforeEach(() =>
  server.serve({
    '/v1.json': { type: 'object', properties: { price: { $ref: 'price.json' } } },
    '/v2.json': {
      type: 'object',
      properties: { price: { allOf: [{ $ref: 'price.json' }, { type: 'integer' }] } },
    },
    '/price.json': { type: 'number' },
  }),
);

const run = async (words: string, input: readonly unknown[] = []): Promise<Ran> => {
  const lines = input.map((line) => Buffer.from(`${JSON.stringify(line)}\n`));
  const ran = await runWords(`contracts compare ${words}`, { environment: {}, directory, input: lines });
  return { ...ran, err: ran.err.replace(/\s+/g, ' ') };
};
const pair = '--format json-schema --mode backward v1.json v2.json';

describe('factline contracts compare --fetch', () => {
  test('without it nothing is fetched, and the failure names it', async () => {
    const ran = await run(pair);
    expect([ran.code, ran.out, server.asked]).toEqual([2, '', []]);
    expect(ran.err).toContain('never fetched unless `factline contracts compare --fetch PREFIX` allows it');
    const reference = { $ref: `${server.origin}/v1.json` };
    const lines = [{ format: 'json-schema', mode: 'full', old: reference, new: reference }];
    expect(JSON.parse((await run('--batch -', lines)).out)).toMatchObject({ error: 'bad-input' });
    expect(server.asked).toEqual([]);
  });

  test('compares with all that the schemas refer to', async () => {
    const ran = await run(`--fetch https://example.org/ --fetch ${server.origin} ${pair}`);
    expect([ran.code, ran.err]).toEqual([1, '']);
    const { changes } = JSON.parse(ran.out) as { changes: { witness: { price: number } }[] };
    expect(changes[0]).toMatchObject({ rule: 'type-narrowed', path: '/price' });
    expect(Number.isInteger(changes[0]?.witness.price)).toBe(false);
    expect([...server.asked].sort()).toEqual(['/price.json', '/v1.json', '/v2.json']);
  });

  test.each([
    [`--fetch https://example.org/ ${pair}`, 'allowed is https://example.org/'],
    [`--fetch example.org ${pair}`, 'got example.org'],
    ['--fetch https://example.org --format avro --mode full int.avsc int.avsc', 'only JSON Schema'],
  ])('%s ends with 2, and says why on standard error', async (words, text) => {
    const ran = await run(words);
    expect([ran.code, ran.out, server.asked]).toEqual([2, '', []]);
    expect(ran.err).toContain(text);
    expect(ran.err).toContain('next ');
  });

  test('of a batch only the pair fails whose documents do, and each is asked for once', async () => {
    const line = (id: number, from: string, to: string): unknown => ({
      id,
      format: 'json-schema',
      mode: 'backward',
      old: { $ref: server.origin + from },
      new: { $ref: server.origin + to },
    });
    const avro = { id: 5, format: 'avro', mode: 'full', old: 'int', new: 'int' };
    const ran = await run(`--batch - --fetch ${server.origin}`, [
      line(1, '/v2.json', '/v1.json'),
      line(2, '/v1.json', '/gone.json'),
      line(3, '/v1.json', '/v2.json'),
      line(4, '/v1.json', '/gone.json'),
      avro,
    ]);
    expect([ran.code, ran.err]).toEqual([0, '']);
    const answers = ran.out.split('\n').map((text) => JSON.parse(text) as unknown);
    const failed = {
      error: 'bad-input',
      message: expect.stringContaining('/gone.json cannot be used') as string,
    };
    expect(answers).toMatchObject([
      { id: 1, compatible: true },
      { id: 2, ...failed },
      { id: 3, compatible: false },
      { id: 4, ...failed },
      { id: 5, compatible: true },
    ]);
    expect([...server.asked].sort()).toEqual(['/gone.json', '/price.json', '/v1.json', '/v2.json']);
  });
});
