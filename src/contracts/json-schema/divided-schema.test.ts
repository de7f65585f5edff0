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

/** Where Ajv can't work with a part, nothing is said. */
class Undecided extends Error {}

const dividedBy = (schema: RandomSchema, draft: Draft): DividedSchema | undefined =>
  typeof schema === 'boolean'
    ? undefined
    : new DividedSchema(schema, draft, (part, value) => {
        const verdict = judgeOf(part.schema, draft)(value);
        if (verdict === undefined) throw new Undecided();
        return verdict;
      });

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

const newTally = () => ({ whole: 0, accepted: 0, refused: 0, undecided: 0 });

const check = (seed: number, tally: ReturnType<typeof newTally>): void => {
  const decide = new Decisions(seed);
  const random = new RandomSchemas(decide);
  const schema = strewn(random.schema(), decide, random);
  const draft = decide.pick<Draft>(['2020-12', 'draft-07']);
  const documents = decide.list(6, () =>
    decide.chance(0.8) ? random.documentFor(schema) : random.document(),
  );
  const divided = dividedBy(schema, draft);
  const isAccepted = judgeOf(schema, draft);
  for (const document of documents) {
    const expected = isAccepted(document);
    const actual = attempt(() => divided?.accepts(document) ?? 'whole');
    tally[
      expected === undefined || actual === undefined
        ? 'undecided'
        : actual === 'whole'
          ? 'whole'
          : expected
            ? 'accepted'
            : 'refused'
    ] += 1;
    if (expected !== undefined && typeof actual === 'boolean' && actual !== expected)
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
    expect(tally.whole).toBeLessThan(schemas);
    expect(tally.accepted).toBeGreaterThan(schemas / 2);
    expect(tally.refused).toBeGreaterThan(schemas / 2);
    expect(tally.undecided).toBeLessThan(schemas);
  });

  /** What is asked about, and of which values. Everything is answered with yes. */
  const asked = (schema: RandomSchema, document: Json): Array<[unknown, Json]> => {
    const parts: Array<[unknown, Json]> = [];
    const divided = new DividedSchema(schema as Exclude<RandomSchema, boolean>, '2020-12', (part, value) => {
      parts.push([part.schema, value]);
      return true;
    });
    return divided.accepts(document) === undefined ? [] : parts;
  };

  test('has what is said about each member and item as a part, without what only people read', () => {
    const schema = {
      title: 'Order',
      properties: {
        title: { type: 'string', description: 'What it is called' },
        lines: { items: { $ref: '#/$defs/line' }, minItems: 1 },
        other: { type: 'null' },
      },
      required: ['title'],
      additionalProperties: false,
      $defs: { line: { properties: { count: { type: 'integer' } }, required: ['count'] } },
    };
    const document = { title: 'a', lines: [{ count: 1 }] };
    expect(asked(schema, document)).toEqual([
      [{ type: 'string' }, 'a'],
      [{ type: 'integer' }, 1],
      [{ required: ['count'] }, { count: 1 }],
      [{ minItems: 1 }, document.lines],
      [{ required: ['title'] }, document],
    ]);
    const another = { title: 'a', more: 1 };
    expect(asked(schema, another).at(-1)).toEqual([
      { properties: { title: true }, required: ['title'], additionalProperties: false },
      another,
    ]);
  });

  test('has each branch as a part, unless something beside it depends on which of them match', () => {
    const branches = { anyOf: [{ type: 'null' }, { minimum: 1 }], not: { maximum: 0 } };
    expect(asked(branches, 3)).toEqual([
      [{ type: 'null' }, 3],
      [{ maximum: 0 }, 3],
    ]);
    const beside = { ...branches, unevaluatedProperties: false };
    expect(asked(beside, 3)).toEqual([[beside, 3]]);
  });

  test('asks about a value once, however many documents it is in', () => {
    const parts: Json[] = [];
    const divided = new DividedSchema({ properties: { a: { minItems: 1 } } }, '2020-12', (_part, value) => {
      parts.push(value);
      return true;
    });
    const shared = [1];
    for (const document of [{ a: shared }, { a: shared, b: 2 }]) divided.accepts(document);
    expect(parts).toEqual([shared]);
  });

  test('keeps the definitions that a part leads to, and no others', () => {
    const [first, second] = [{ items: { $ref: '#/$defs/second' } }, { type: 'null' }];
    const schema = { contains: { $ref: '#/$defs/first' }, $defs: { first, second, third: {} } };
    const [[part] = []] = asked(schema, [[]]);
    expect(part).toMatchObject({ $defs: { first, second } });
    expect(JSON.stringify(part)).not.toContain('third');
  });

  test.each([
    ['the root', '#'],
    ['a place', '#/properties/a'],
    ['an anchor', '#here'],
    ['a name', 'https://example.org/a'],
    ['a part of a definition', '#/$defs/one/items'],
  ])('stays whole when a reference leads to %s', (_what, $ref) => {
    const $defs = { one: { items: {} } };
    for (const schema of [
      { properties: { b: { $ref } }, $defs },
      { contains: { $ref }, $defs },
    ])
      expect(asked(schema, 'properties' in schema ? { b: 1 } : [1])).toEqual([]);
  });

  test('stays whole when a part has a name of its own that references could start from', () => {
    const named = { $id: 'https://example.org/inner', minimum: 1, contains: { $ref: '#/$defs/one' } };
    expect(asked({ properties: { a: named }, $defs: { one: {} } }, { a: [1] })).toEqual([]);
    expect(asked({ properties: { a: { $id: '#a', minimum: 1 } } }, { a: 1 })).toEqual([[{ minimum: 1 }, 1]]);
    expect(asked({ properties: { a: { $dynamicRef: '#here' } } }, { a: 1 })).toEqual([]);
  });
});
