import type { IncomingMessage, RequestListener } from 'node:http';
import { Readable } from 'node:stream';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { redirectTo, type SchemaServer, startSchemaServer } from '../../../test/contracts/schema-server.ts';
import { FactlineError, type Json } from '../../foundation/index.ts';
import { type CompareRequest, compare } from './compare.ts';
import { compareBatch } from './compare-batch.ts';
import type { Comparison } from './comparison.ts';
import { fetchReferences } from './fetch-references.ts';
import { RemoteDocuments, type RemoteDocumentsOptions } from './remote-documents.ts';

let server: SchemaServer;
beforeAll(async () => {
  server = await startSchemaServer();
});
afterAll(() => server.stop());

const line = (price: Json): Json => ({ type: 'object', properties: { price }, required: ['price'] });
const number = { type: 'number' };
const integer = { type: 'integer' };

/** A schema for an order whose line is described elsewhere. */
const orderOf = (reference: string): Json => ({
  properties: { line: { $ref: reference } },
  required: ['line'],
});
const at = (path: string): string => server.origin + path;

const compared = async (
  old: Json,
  after: Json,
  { options = {}, ...request }: Partial<CompareRequest> & { options?: Partial<RemoteDocumentsOptions> } = {},
): Promise<Comparison> => {
  const documents = new RemoteDocuments({ from: [server.origin], ...options });
  const whole = { format: 'json-schema', mode: 'backward', old, new: after, ...request } as const;
  return compare(await fetchReferences(whole, documents));
};

const breaking = ({ changes }: Comparison): string[] =>
  changes.filter(({ severity }) => severity === 'breaking').map(({ rule, path }) => `${rule} ${path}`);

/** The failure as a person reads it. */
const failure = async (comparing: Promise<Comparison>): Promise<string> => {
  const error = await comparing.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!FactlineError.is(error)) throw error;
  expect([error.exitCode, error.remedy === '']).toEqual([2, false]);
  return `${error.code}: ${error.message}`;
};

describe('documents that schemas refer to', () => {
  test('a change in them is found, with a witness that another validator confirms', async () => {
    const pages = { '/v1/line.json': line(number), '/v2/line.json': line(integer) };
    server.serve(pages);
    const [old, after] = [orderOf(at('/v1/line.json')), orderOf(at('/v2/line.json'))];
    const comparison = await compared(old, after);
    expect(breaking(comparison)).toEqual(['type-narrowed /line/price']);
    const [{ witness } = {}] = comparison.changes;
    expect(witness).toBeDefined();
    const ajv = new Ajv2020({ strictTypes: false });
    for (const [path, page] of Object.entries(pages)) ajv.addSchema(page as object, at(path));
    expect([ajv.validate(old as object, witness), ajv.validate(after as object, witness)]).toEqual([
      true,
      false,
    ]);
  });

  test('may declare a name within them only once, unless it is the same schema', async () => {
    const page = (money: Json): Json => ({
      properties: { price: { $ref: '/money.json' } },
      $defs: { money: { $id: '/money.json', ...(money as object) } },
    });
    const order: Json = { properties: { a: { $ref: at('/a.json') }, b: { $ref: at('/b.json') } } };
    server.serve({ '/a.json': page(number), '/b.json': page(integer) });
    expect(await failure(compared(order, order))).toContain(
      `two different schemas call themselves ${server.origin}/money.json, at #/$defs/`,
    );
    server.serve({ '/a.json': page(integer), '/b.json': page(integer) });
    expect((await compared(order, order)).compatible).toBe(true);
  });

  test('refer to documents in turn, to themselves and to each other; each is fetched once', async () => {
    server.serve({
      '/shop/order.json': {
        properties: { lines: { items: { $ref: 'parts/line.json' } }, parent: { $ref: '#' } },
      },
      '/shop/parts/line.json': {
        $defs: { price: number },
        properties: { price: { $ref: '#/$defs/price' }, order: { $ref: '../order.json' } },
      },
      '/shop/parts/new.json': {
        properties: { price: integer, order: { $ref: '/shop/order.json' } },
      },
    });
    const old = { $ref: at('/shop/order.json#/properties/lines/items') };
    const comparison = await compared(old, { $ref: at('/shop/parts/new.json') });
    expect(breaking(comparison)).toEqual(['type-narrowed /price']);
    expect([...server.asked].sort()).toEqual([
      '/shop/order.json',
      '/shop/parts/line.json',
      '/shop/parts/new.json',
    ]);
  });

  test('are taken from their base: that of the schema, of an embedded resource, of where a redirect leads', async () => {
    server.serve({
      '/a/order.json': orderOf('line.json'),
      '/a/line.json': redirectTo('/b/line.json'),
      '/b/line.json': line({ $ref: 'price.json' }),
      '/b/price.json': integer,
    });
    const old = { $id: at('/a/mine.json'), $ref: 'order.json' };
    const after = { $defs: { mine: { $id: at('/a/mine.json'), $ref: 'order.json' } }, $ref: '#/$defs/mine' };
    expect(await compared(old, after)).toEqual({ compatible: true, changes: [] });
    const before = { properties: { line: line(number) }, required: ['line'] };
    expect(breaking(await compared(before, old))).toEqual(['type-narrowed /line/price']);
  });

  test('may call themselves otherwise than by their address', async () => {
    server.serve({
      '/cdn/line.json': { ...(line({ $ref: 'price.json' }) as object), $id: at('/names/line.json#') },
      '/names/price.json': number,
      '/names/v2.json': {
        $id: 'urn:example:line',
        ...(line({ $ref: '#price' }) as object),
        $defs: { p: { $anchor: 'price', ...integer } },
      },
    });
    const old = orderOf(at('/cdn/line.json'));
    const comparison = await compared(old, orderOf(at('/names/v2.json#')));
    expect(breaking(comparison)).toEqual(['type-narrowed /line/price']);
    expect(comparison.changes[0]?.witness).toBeDefined();
    // What was handed in stays as it was.
    expect(old).toEqual(orderOf(at('/cdn/line.json')));
  });

  test.each([
    ['draft-04', 'id'],
    ['draft-07', '$id'],
  ])('of %s are read by its rules: beside $ref nothing counts', async (draft, id) => {
    const $schema = `http://json-schema.org/${draft}/schema#`;
    const typed = (definition: Json): Json => ({
      $schema,
      [id]: 'https://example.org/elsewhere.json',
      $ref: '#/definitions/Line',
      type: 'null',
      definitions: { Line: line(definition) },
    });
    server.serve({
      '/v1.json': typed(number),
      '/v2.json': typed({ $ref: 'int.json', items: { $ref: 'gone.json' } }),
      '/int.json': integer,
    });
    const order = (path: string): Json => ({ $schema, ...(orderOf(at(path)) as object) });
    const comparison = await compared(order('/v1.json'), order('/v2.json'));
    expect(breaking(comparison)).toEqual(['type-narrowed /line/price']);
    expect(comparison.changes[0]?.witness).toBeDefined();
  });

  test('may be true or false', async () => {
    server.serve({ '/any.json': true, '/none.json': false });
    const { changes } = await compared(orderOf(at('/any.json')), orderOf(at('/none.json')));
    expect(changes[0]).toMatchObject({ severity: 'breaking', path: '/line' });
  });

  test('are found through dynamic anchors', async () => {
    const tree = (leaf: Json): Json => ({
      $ref: at('/tree.json'),
      $defs: { leaf: { $dynamicAnchor: 'leaf', ...(leaf as object) } },
    });
    server.serve({
      '/tree.json': {
        $defs: { leaf: { $dynamicAnchor: 'leaf' } },
        properties: { leaf: { $dynamicRef: '#leaf' } },
      },
      '/number.json': number,
      '/integer.json': integer,
    });
    const comparison = await compared(
      tree({ $ref: at('/number.json') }),
      tree({ $ref: at('/integer.json') }),
    );
    expect(breaking(comparison)).toEqual(['type-narrowed /leaf']);
  });

  test('are left alone where nothing leans on them', async () => {
    server.serve({
      '/v1.json': { $defs: { other: { $ref: 'gone.json' } }, ...number },
      '/v2.json': { $defs: { other: { $ref: 'https://example.org/gone.json' } }, ...integer },
    });
    const { changes } = await compared(orderOf(at('/v1.json')), orderOf(at('/v2.json')));
    expect(changes[0]).toMatchObject({ rule: 'type-narrowed', path: '/line' });
    expect(changes[0]?.witness).toBeDefined();
    expect(server.asked).toEqual(['/v1.json', '/v2.json']);
  });

  test('of earlier versions are fetched for transitive modes only', async () => {
    server.serve({ '/v1.json': number });
    const history = [{ $ref: at('/v1.json') }];
    expect((await compared(integer, integer, { history })).compatible).toBe(true);
    expect(server.asked).toEqual([]);
    const transitive = await compared(integer, integer, { mode: 'backward-transitive', history });
    expect(transitive.changes[0]).toMatchObject({ rule: 'type-narrowed', version: 1 });
  });

  test('do not take the place of definitions, whatever these are called', async () => {
    server.serve({ '/line.json': integer });
    const name = at('/line.json');
    const schema = (mine: Json): Json => ({
      $defs: { [name]: mine },
      properties: { mine: { $ref: `#/$defs/${name.replaceAll('/', '~1')}` }, other: { $ref: name } },
    });
    expect(breaking(await compared(schema(number), schema({ type: 'string' })))).toEqual([
      'type-narrowed /mine',
    ]);
  });
});

describe('what cannot be used', () => {
  const writing =
    (bytes: string | Uint8Array): RequestListener =>
    (_request, response) =>
      void response.end(bytes);
  const beginning =
    (text: string): RequestListener =>
    (_request, response) =>
      void response.write(text);

  interface Row {
    readonly what: string;
    readonly page: unknown;
    readonly message: string;
    readonly options?: Partial<RemoteDocumentsOptions>;
  }

  test.each<Row>([
    {
      what: 'nothing there',
      page: undefined,
      message: 'SCHEMA_FETCH_FAILED: The document {url} cannot be used: the answer is 404 and not 200.',
    },
    { what: 'no JSON', page: writing('<html>'), message: 'it is not JSON: ' },
    { what: 'no UTF-8', page: writing(Buffer.from([0x22, 0xe9, 0x22])), message: 'it is not JSON: ' },
    { what: 'no schema', page: ['a'], message: 'it is no JSON Schema, which is an object, true or false.' },
    {
      what: 'too large, and without an end',
      page: beginning(' '.repeat(51)),
      message: 'it has more than 50 bytes.',
      options: { bytesMax: 50 },
    },
    {
      what: 'an answer that never ends',
      page: beginning('{'),
      message: 'no answer within 0.1 s.',
      options: { timeoutMs: 100 },
    },
    {
      what: 'no answer at all',
      page: () => {},
      message: 'no answer within 0.1 s.',
      options: { timeoutMs: 100 },
    },
    {
      what: 'a connection that is closed',
      page: (request: IncomingMessage) => request.destroy(),
      message: 'cannot be used: ',
    },
    {
      what: 'redirects in a circle',
      page: redirectTo('/page.json'),
      message: 'it is redirected more than 5 times.',
    },
    {
      what: 'a redirect to what is not allowed',
      page: redirectTo('http://localhost:1/x'),
      message:
        'SCHEMA_FETCH_NOT_ALLOWED: The redirect of {url} leads to http://localhost:1/x, which may not be fetched: allowed is {origin}.',
    },
    {
      what: 'another draft',
      page: { $schema: 'http://json-schema.org/draft-07/schema#' },
      message: 'it is written for draft-07, and what leans on it is read by 2020-12; name one draft',
    },
    {
      what: 'the name of another schema',
      page: { $id: '/mine.json' },
      message: 'it calls itself {origin}/mine.json, as another schema does.',
    },
    {
      what: 'a reference to nothing in it',
      page: { $ref: '#/$defs/gone' },
      message: 'SCHEMA_INVALID: The old json-schema schema cannot be used, at #/$defs/',
    },
  ])('$what', async ({ page, message, options = {} }) => {
    server.serve({ '/page.json': page });
    const old = { $id: at('/mine.json'), $ref: 'page.json' };
    const expected = message.replaceAll('{url}', at('/page.json')).replaceAll('{origin}', server.origin);
    expect(await failure(compared(old, true, { options }))).toContain(expected);
  });

  test('more documents than a schema may lean on', async () => {
    server.serve(
      Object.fromEntries(Array.from({ length: 102 }, (_, n) => [`/${n}`, { items: { $ref: `/${n + 1}` } }])),
    );
    expect(await failure(compared({ $ref: at('/0') }, true))).toContain(
      `${at('/100')} cannot be used: a schema may lean on 100 documents, and this is one more.`,
    );
    server.serve({ '/0': { items: { $ref: '/99' } }, '/99': true });
    expect((await compared({ $ref: at('/0') }, true)).compatible).toBe(true);
  });

  test('a draft that was named is that of all documents', async () => {
    server.serve({ '/page.json': { $schema: 'http://json-schema.org/draft-07/schema#', type: 'number' } });
    const comparison = await compared({ $ref: at('/page.json') }, integer, { draft: '2020-12' });
    expect(breaking(comparison)).toEqual(['type-narrowed ']);
  });

  test('a wait that is ended from outside', async () => {
    const stop = new AbortController();
    server.serve({ '/page.json': () => stop.abort() });
    const comparing = compared({ $ref: at('/page.json') }, true, { options: { signal: stop.signal } });
    await expect(comparing).rejects.toMatchObject({ code: 'STOPPED' });
    // Nobody may take this for the fault of a pair.
    const line = { format: 'json-schema', mode: 'full', old: { $ref: at('/page.json') }, new: true };
    const documents = new RemoteDocuments({ from: [server.origin], signal: stop.signal });
    const answers = compareBatch(Readable.from([Buffer.from(JSON.stringify(line))]), documents);
    await expect(answers.next()).rejects.toMatchObject({ code: 'STOPPED' });
  });
});

describe('what is allowed', () => {
  const refused = async (from: readonly string[], url: string): Promise<string> => {
    server.serve({});
    const message = await failure(compared({ $ref: url }, true, { options: { from } }));
    expect(server.asked).toEqual([]);
    return message;
  };

  test.each([
    ['https://schemas.example.com', 'https://schemas.example.com.evil.org/x.json'],
    ['https://schemas.example.com/', 'https://schemas.example.com:444/x.json'],
    ['https://schemas.example.com/', 'http://schemas.example.com/x.json'],
    ['https://schemas.example.com/', 'https://other.example.com/schemas.example.com/'],
    ['https://schemas.example.com/', 'https://schemas.example.com@evil.org/x.json'],
    ['https://schemas.example.com/orders', 'https://schemas.example.com/orders-of-others/x.json'],
    ['https://schemas.example.com/orders/', 'https://schemas.example.com/orders/../x.json'],
    ['https://schemas.example.com/orders/', 'https://schemas.example.com/orders/%2e%2e/x.json'],
  ])('%s is not the beginning of %s', async (prefix, url) => {
    const message = await refused([prefix, 'https://example.org/'], url);
    expect(message).toBe(
      `SCHEMA_FETCH_NOT_ALLOWED: A reference leads to ${new URL(url).href}, which may not be fetched: allowed is ${prefix}, https://example.org/.`,
    );
  });

  test.each(['', '/', '/a', '/a/', '/a/x.json'])('everything below %s', async (prefix) => {
    server.serve({ '/a/x.json': true });
    const options = { from: ['https://example.org/', at(prefix)] };
    expect((await compared({ $ref: at('/a/x.json') }, true, { options })).compatible).toBe(true);
  });

  test.each([
    'schemas.example.com',
    'http://schemas.example.com/',
    'http://127.0.0.1.example.com/',
    'file:///etc/',
    'https://user@example.com/',
    'https://example.com/?a=1',
    'https://example.com/#a',
  ])('no prefix is %s', (prefix) => {
    expect(() => new RemoteDocuments({ from: [prefix] })).toThrow(
      `localhost), such as https://schemas.example.com/, got ${prefix}`,
    );
  });

  test('no other formats', async () => {
    const comparing = compared('int', 'int', { format: 'avro' });
    expect(await failure(comparing)).toContain(
      'OPTION_INVALID: The option --fetch is not valid: expected nothing',
    );
  });
});
