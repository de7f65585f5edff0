import { Ajv2020 } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Decisions, type RandomSchema, RandomSchemas } from '../../../test/contracts/random-schemas.ts';
import type { Json } from '../../foundation/index.ts';
import { compareJsonSchema } from './compare-json-schema.ts';

/**
 * The long form: `SOUNDNESS_PAIRS=100000 SOUNDNESS_SEED=2 npx vitest run --project unit src/contracts/json-schema/soundness`. The short one
 * has the same pairs each time, so that it fails for what a change has done.
 */
const pairs = Number(process.env['SOUNDNESS_PAIRS'] ?? 300);
const seed = Number(process.env['SOUNDNESS_SEED'] ?? 1);
const documentsPerPair = 40;
const longTimeout = 60_000 + pairs * 100;

const backward = { direction: 'backward', policy: 'strict' } as const;

/** Ajv, with nothing of our own in between. */
const judgeOf = (schema: RandomSchema): ((document: Json) => boolean | undefined) => {
  const validate = new Ajv2020({
    strict: false,
    logger: false,
    meta: false,
    validateSchema: false,
    multipleOfPrecision: 9,
  }).compile(schema);
  return (document) => {
    try {
      return validate(document) === true;
    } catch {
      // What Ajv generates for some `unevaluatedProperties` throws.
      return undefined;
    }
  };
};

const run = (property: fc.IProperty<[number]>, runs: number): void => {
  fc.assert(property, { numRuns: runs, endOnFailure: true, seed });
};

const seeds = fc.integer();

interface Tally {
  pairs: number;
  compatible: number;
  broken: number;
  witnessed: number;
  /** Witnesses that nobody but us can judge: Ajv's code for the whole schema throws. */
  unjudged: number;
}

const newTally = (): Tally => ({ pairs: 0, compatible: 0, broken: 0, witnessed: 0, unjudged: 0 });

const checkPair = (from: number, tally: Tally): void => {
  const decisions = new Decisions(from);
  const random = new RandomSchemas(decisions);
  const old = random.schema();
  const after = decisions.chance(0.7) ? random.mutated(old) : random.schema();
  const { compatible, changes } = compareJsonSchema({ old, new: after, ...backward });
  const [isOld, isNew] = [judgeOf(old), judgeOf(after)];
  const witnesses = changes.flatMap(({ witness }) => (witness === undefined ? [] : [witness]));
  tally.pairs += 1;
  if (tally.pairs % 5000 === 0) process.stdout.write(`${JSON.stringify(tally)}\n`);
  tally[compatible ? 'compatible' : 'broken'] += 1;
  if (witnesses.length > 0) tally.witnessed += 1;
  for (const witness of witnesses) {
    const judged = [isOld(witness), isNew(witness)];
    if (judged.includes(undefined)) tally.unjudged += 1;
    expect(judged.map((verdict, index) => verdict ?? index === 0)).toEqual([true, false]);
  }
  if (!compatible) return;
  for (let count = 0; count < documentsPerPair; count += 1) {
    const document = decisions.chance(0.8)
      ? random.documentFor(decisions.chance(0.6) ? old : after)
      : random.document();
    if (isOld(document) === true && isNew(document) === false)
      expect.fail(
        `called compatible, but ${JSON.stringify(document)} disproves it\nold ${JSON.stringify(old)}\nnew ${JSON.stringify(after)}`,
      );
  }
};

describe('whatever the schemas', () => {
  test('no document disproves a "compatible", and each witness is one', { timeout: longTimeout }, () => {
    const tally = newTally();
    run(
      fc.property(seeds, (from) => checkPair(from, tally)),
      pairs,
    );
    // Of schemas at random, too: nine of ten breaks have a witness.
    expect(tally.witnessed).toBeGreaterThanOrEqual(tally.broken * 0.9);
    expect(tally.broken).toBeGreaterThan(pairs / 10);
    expect(tally.unjudged).toBeLessThanOrEqual(Math.ceil(tally.broken / 1_000));
  });

  test('a schema is compatible with itself, said in other words', { timeout: longTimeout }, () => {
    let undecided = 0;
    const same = (from: number): void => {
      const random = new RandomSchemas(new Decisions(from));
      const schema = random.schema();
      const other = random.schema();
      const { next, ...recursive } = { next: { $ref: '#/$defs/first' }, first: schema };
      const pairsOfSame: Array<[unknown, unknown]> = [
        [schema, structuredClone(schema)],
        [
          { allOf: [schemaAlone(schema), schemaAlone(other)] },
          { allOf: [schemaAlone(other), schemaAlone(schema)] },
        ],
        [schemaAlone(schema), { anyOf: [schemaAlone(schema)] }],
        [schemaAlone(schema), { oneOf: [schemaAlone(schema)] }],
        [
          { $defs: { first: recursive.first }, ...next },
          { $defs: { another: recursive.first }, $ref: '#/$defs/another' },
        ],
      ];
      for (const [old, after] of pairsOfSame) {
        const forth = compareJsonSchema({ old, new: after, ...backward });
        const back = compareJsonSchema({ old: after, new: old, ...backward });
        const reasons = [...forth.changes, ...back.changes].filter(({ severity }) => severity === 'breaking');
        // Said openly: `unevaluatedItems` beside `contains` is compared as it is written, and its words differ here.
        const isVague = reasons.every(({ message }) => message.includes('depends on which branches match'));
        if (reasons.length > 0 && isVague) undecided += 1;
        else expect({ old, after, reasons }).toEqual({ old, after, reasons: [] });
      }
    };
    run(fc.property(seeds, same), Math.ceil(pairs / 3));
    expect(undecided).toBeLessThanOrEqual(Math.ceil(pairs / 3_000));
  });
});

/** Without references to the document's root, which would mean another root when the schema is put into one. */
const schemaAlone = (schema: RandomSchema): unknown =>
  JSON.parse(JSON.stringify(schema).replaceAll('{"$ref":"#"}', '{"type":"object"}'));
