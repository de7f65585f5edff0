import { Ajv } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  Decisions,
  placesIn,
  type RandomSchema,
  RandomSchemas,
} from '../../../test/contracts/random-schemas.ts';
import type { Json } from '../../foundation/index.ts';
import { DividedSchema } from './divided-schema.ts';
import type { JsonSchemaDraft } from './drafts.ts';

type Draft = JsonSchemaDraft & ('2020-12' | 'draft-07');

const options = {
  strict: false,
  logger: false,
  meta: false,
  validateSchema: false,
  ownProperties: true,
} as const;

const validators: Readonly<Record<Draft, InstanceType<typeof Ajv>>> = {
  '2020-12': new Ajv2020(options),
  'draft-07': new Ajv({ ...options, ignoreKeywordsWithRef: true }),
};

/** Undefined where Ajv overflows on a schema that leads back into itself, or its code throws, as for some `unevaluated…`. */
const judgeOf = (schema: unknown, draft: Draft): ((value: Json) => boolean | undefined) => {
  const validate = attempt(() => validators[draft].compile(schema as object));
  validators[draft].removeSchema();
  return (value) => attempt(() => validate?.(value) as boolean | undefined);
};

const attempt = <Result>(run: () => Result): Result | undefined => {
  try {
    return run();
  } catch {
    return undefined;
  }
};

const judgeInParts = (divided: DividedSchema, document: Json, draft: Draft): boolean | undefined => {
  const verdicts = [...divided.partsFor(document)].map(({ schema, value }) => judgeOf(schema, draft)(value));
  return verdicts.includes(false) ? false : verdicts.includes(undefined) ? undefined : true;
};

/** What a division must not get wrong: references of all kinds, names, things to read. */
const strewn = (schema: RandomSchema, decide: Decisions, random: RandomSchemas): RandomSchema => {
  if (typeof schema === 'boolean') return schema;
  const keyword = decide.pick(['$defs', 'definitions']);
  const definitions = { one: random.schema(), two: random.schema() };
  const strange = decide.chance(0.1);
  for (const place of [schema, ...Object.values(definitions)].flatMap((part) => placesIn(part))) {
    if (decide.chance(0.15))
      Object.assign(place, { title: 'a', description: 'b', default: 1, examples: [{ $ref: '#' }] });
    if (decide.chance(0.1)) place['$ref'] = `#/${keyword}/${decide.pick(['one', 'two'])}`;
    if (decide.chance(0.1) && decide.chance(0.5)) {
      for (const name of Object.keys(place)) delete place[name];
      place['$ref'] = `#/${keyword}/${decide.pick(['one', 'two'])}`;
    }
    if (strange && decide.chance(0.1))
      place['$ref'] = decide.pick(['#', '#/properties/a', '#here', '#/properties/a/items']);
    // Ajv heeds a type beside a reference, which draft-07 does not.
    if (place['$ref'] !== undefined) delete place['type'];
    if (strange && decide.chance(0.05)) place['$anchor'] = 'here';
    if (strange && decide.chance(0.05)) place['$id'] = 'https://example.org/inner';
  }
  if (decide.chance(0.2)) schema['$id'] = 'https://example.org/outer';
  schema[keyword] = definitions;
  return schema;
};

const newTally = () => ({ divided: 0, whole: 0, accepted: 0, refused: 0, undecided: 0 });

const check = (seed: number, tally: ReturnType<typeof newTally>): void => {
  const decide = new Decisions(seed);
  const random = new RandomSchemas(decide);
  const schema = strewn(random.schema(), decide, random);
  const draft = decide.pick<Draft>(['2020-12', 'draft-07']);
  const documents = decide.list(6, () =>
    decide.chance(0.8) ? random.documentFor(schema) : random.document(),
  );
  const divided = DividedSchema.of(schema, draft, documents);
  tally[divided === undefined ? 'whole' : 'divided'] += 1;
  if (divided === undefined) return;
  const isAccepted = judgeOf(schema, draft);
  for (const document of documents) {
    const expected = isAccepted(document);
    const actual = judgeInParts(divided, document, draft);
    tally[expected === undefined || actual === undefined ? 'undecided' : expected ? 'accepted' : 'refused'] +=
      1;
    if (expected !== undefined && actual !== undefined && actual !== expected)
      expect.fail(`${actual} instead of ${expected}: ${JSON.stringify({ draft, schema, document })}`);
  }
};

describe('a divided schema', () => {
  /** The long form: `DIVIDED_SCHEMAS=5000 npx vitest run --project unit src/contracts/json-schema/divided-schema`. */
  const schemas = Number(process.env['DIVIDED_SCHEMAS'] ?? 100);

  test('accepts in parts what it accepts as a whole', { timeout: 60_000 + schemas * 50 }, () => {
    const tally = newTally();
    fc.assert(
      fc.property(fc.integer(), (seed) => check(seed, tally)),
      { numRuns: schemas, endOnFailure: true },
    );
    expect(tally.divided).toBeGreaterThan(schemas / 2);
    expect(tally.accepted).toBeGreaterThan(schemas / 2);
    expect(tally.refused).toBeGreaterThan(schemas / 2);
    expect(tally.undecided).toBeLessThan(schemas);
  });

  const partsOf = (schema: unknown, document: Json): unknown[] =>
    [...(DividedSchema.of(schema, '2020-12', [document])?.partsFor(document) ?? [])].map(
      (part) => part.schema,
    );

  test('has what is said about each member as a part, without what only people read', () => {
    const schema = {
      title: 'Order',
      properties: {
        title: { type: 'string', description: 'What it is called' },
        line: { $ref: '#/$defs/line' },
        other: { type: 'null' },
      },
      required: ['title'],
      additionalProperties: false,
      $defs: {
        line: { properties: { count: { type: 'integer' }, next: { $ref: '#/$defs/line' } } },
        other: {},
      },
    };
    const members = (...names: string[]) => ({
      properties: Object.fromEntries(names.map((name) => [name, true])),
    });
    expect(partsOf(schema, { title: 'a', line: { count: 1 } })).toEqual([
      { type: 'string' },
      { type: 'integer' },
      members('count'),
      { ...members('title', 'line'), required: ['title'], additionalProperties: false },
    ]);
  });

  test('keeps the definitions that a part leads to, and no others', () => {
    const [first, second] = [{ items: { $ref: '#/$defs/second' } }, { type: 'null' }];
    const schema = {
      properties: { a: { items: { $ref: '#/$defs/first' } } },
      $defs: { first, second, third: {} },
    };
    expect(partsOf(schema, { a: [] })[0]).toMatchObject({ $defs: { first, second } });
    expect(JSON.stringify(partsOf(schema, { a: [] }))).not.toContain('third');
  });

  test.each([
    ['the root', '#'],
    ['a place', '#/properties/a'],
    ['an anchor', '#here'],
    ['a name', 'https://example.org/a'],
    ['a part of a definition', '#/$defs/one/items'],
  ])('stays whole when a reference leads to %s', (_what, $ref) => {
    const schema = { properties: { a: {}, b: { $ref } }, $defs: { one: { items: {} } } };
    expect(DividedSchema.of(schema, '2020-12', [])).toBeUndefined();
  });

  test.each(['$id', 'id', '$anchor', '$dynamicAnchor', '$dynamicRef'])(
    'stays whole when a part has %s',
    (keyword) => {
      expect(DividedSchema.of({ properties: { a: { [keyword]: 'here' } } }, '2020-12', [])).toBeUndefined();
    },
  );
});
