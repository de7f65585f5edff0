import { describe, expect, test } from 'vitest';
import type { CompareDirection } from '../compare/comparison.ts';
import { compareAvro } from './compare-avro.ts';

const record = (fields: readonly unknown[], more: object = {}): unknown => ({
  type: 'record',
  name: 'Order',
  namespace: 'shop',
  fields,
  ...more,
});
const field = (name: string, type: unknown, more: object = {}): unknown => ({ name, type, ...more });
const enumOf = (symbols: readonly string[], more: object = {}): unknown => ({
  type: 'enum',
  name: 'Status',
  symbols,
  ...more,
});
const fixed = (size: number, more: object = {}): unknown => ({
  type: 'fixed',
  name: 'Digest',
  size,
  ...more,
});
const decimal = (precision: number, scale: number): unknown => ({
  type: 'bytes',
  logicalType: 'decimal',
  precision,
  scale,
});
const time = (logicalType: string): unknown => ({ type: 'long', logicalType });
const list = (next: unknown, more: object = {}): unknown => ({
  type: 'record',
  name: 'List',
  fields: [field('value', 'int'), field('next', next, more)],
});

const broken = (old: unknown, after: unknown, direction: CompareDirection): string[] => {
  const { compatible, changes } = compareAvro({ old, new: after, direction });
  const breaking = changes.filter(({ severity }) => severity === 'breaking');
  expect(compatible).toBe(breaking.length === 0);
  for (const { breaks, remedy } of breaking) {
    expect(breaks).toBe(direction === 'backward' ? 'readers of old data' : 'readers of new data');
    expect(remedy).toMatch(/\.$/);
  }
  return breaking.map(({ rule, path }) => `${rule} ${path}`);
};

/** [what, old, new, what is broken backward, what is broken forward] */
const rows: readonly [string, unknown, unknown, readonly string[], readonly string[]][] = [
  ['the same primitive', 'int', { type: 'int', doc: 'x' }, [], []],
  ['int to long', 'int', 'long', [], ['type-mismatch int']],
  ['int to float', 'int', 'float', [], ['type-mismatch int']],
  ['int to double', 'int', 'double', [], ['type-mismatch int']],
  ['long to float', 'long', 'float', [], ['type-mismatch long']],
  ['long to double', 'long', 'double', [], ['type-mismatch long']],
  ['float to double', 'float', 'double', [], ['type-mismatch float']],
  ['string to bytes and back', 'string', 'bytes', [], []],
  ['boolean to int', 'boolean', 'int', ['type-mismatch boolean'], ['type-mismatch boolean']],
  ['int to string', 'int', 'string', ['type-mismatch int'], ['type-mismatch int']],
  [
    'items of a list',
    { type: 'array', items: 'int' },
    { type: 'array', items: 'long' },
    [],
    ['type-mismatch array of int[]'],
  ],
  [
    'values of a map',
    { type: 'map', values: 'int' },
    { type: 'map', values: 'long' },
    [],
    ['type-mismatch map of int{}'],
  ],
  [
    'a list to a map',
    { type: 'array', items: 'int' },
    { type: 'map', values: 'int' },
    ['type-mismatch array of int'],
    ['type-mismatch array of int'],
  ],
  [
    'a field with a default added',
    record([field('id', 'int')]),
    record([field('id', 'int'), field('note', 'string', { default: '' })]),
    [],
    [],
  ],
  [
    'a field with a default removed',
    record([field('id', 'int'), field('note', 'string', { default: '' })]),
    record([field('id', 'int')]),
    [],
    [],
  ],
  [
    'a field without a default added',
    record([field('id', 'int')]),
    record([field('id', 'int'), field('note', 'string')]),
    ['reader-field-missing-default shop.Order.note'],
    [],
  ],
  [
    'a field without a default removed',
    record([field('id', 'int'), field('note', 'string')]),
    record([field('id', 'int')]),
    [],
    ['reader-field-missing-default shop.Order.note'],
  ],
  ['a default of null counts', record([]), record([field('a', ['null', 'int'], { default: null })]), [], []],
  [
    'a field renamed with an alias',
    record([field('a', 'int')]),
    record([field('b', 'int', { aliases: ['a'] })]),
    [],
    ['reader-field-missing-default shop.Order.a'],
  ],
  [
    'an alias of a field that is still there',
    record([field('a', 'int'), field('b', 'int')]),
    record([field('b', 'int', { aliases: ['a'] })]),
    ['ambiguous-alias shop.Order.b'],
    ['reader-field-missing-default shop.Order.a'],
  ],
  [
    'fields in another order',
    record([field('a', 'int'), field('b', 'int')]),
    record([field('b', 'int'), field('a', 'int')]),
    [],
    [],
  ],
  [
    'another namespace',
    record([field('a', 'int')]),
    record([field('a', 'int')], { namespace: 'other' }),
    [],
    [],
  ],
  [
    'a record renamed',
    record([]),
    record([], { name: 'Purchase' }),
    ['name-mismatch shop.Order'],
    ['name-mismatch shop.Order'],
  ],
  [
    'a record renamed with an alias',
    record([]),
    record([], { name: 'Purchase', aliases: ['Order'] }),
    [],
    ['name-mismatch shop.Order'],
  ],
  [
    'an alias in the wrong namespace',
    record([]),
    record([], { name: 'Purchase', aliases: ['other.Order'] }),
    ['name-mismatch shop.Order'],
    ['name-mismatch shop.Order'],
  ],
  ['an enum that grows', enumOf(['A']), enumOf(['A', 'B']), [], ['missing-enum-symbols Status']],
  ['an enum that shrinks', enumOf(['A', 'B']), enumOf(['A']), ['missing-enum-symbols Status'], []],
  ['an enum that shrinks onto a default', enumOf(['A', 'B']), enumOf(['A'], { default: 'A' }), [], []],
  [
    'a field default does not help for unknown symbols',
    record([field('s', enumOf(['A', 'B']))]),
    record([field('s', enumOf(['A']), { default: 'A' })]),
    ['missing-enum-symbols shop.Order.s'],
    [],
  ],
  ['a fixed of the same size', fixed(4), fixed(4), [], []],
  [
    'a fixed of another size',
    fixed(4),
    fixed(8),
    ['fixed-size-mismatch Digest'],
    ['fixed-size-mismatch Digest'],
  ],
  ['a fixed to bytes', fixed(4), 'bytes', ['type-mismatch Digest'], ['type-mismatch Digest']],
  [
    'a union that grows',
    ['null', 'int'],
    ['null', 'int', 'string'],
    [],
    ['missing-union-branch null or int'],
  ],
  ['a union that shrinks', ['null', 'int'], ['int'], ['missing-union-branch null or int'], []],
  ['a type that becomes a union with it', 'int', ['null', 'int'], [], ['missing-union-branch int']],
  [
    'a union whose branch promotes',
    ['int'],
    ['long', 'string'],
    [],
    ['missing-union-branch int', 'missing-union-branch int'],
  ],
  ['an empty union as the writer', [], 'int', [], ['missing-union-branch empty union']],
  [
    'nested in a union',
    [record([field('a', 'int')])],
    [record([field('a', 'string')])],
    ['type-mismatch shop.Order.a'],
    ['type-mismatch shop.Order.a'],
  ],
  ['a recursive record', list(['null', 'List']), list(['null', 'List']), [], []],
  [
    'a recursive record whose end changes',
    list(['null', 'List']),
    list(['string', 'List']),
    ['missing-union-branch List.next'],
    ['missing-union-branch List.next'],
  ],
  [
    'decimal of another scale',
    decimal(10, 2),
    decimal(10, 3),
    ['logical-type bytes (decimal 10, 2)'],
    ['logical-type bytes (decimal 10, 2)'],
  ],
  [
    'another unit of time',
    time('timestamp-millis'),
    time('timestamp-micros'),
    ['logical-type long (timestamp-millis)'],
    ['logical-type long (timestamp-millis)'],
  ],
  ['the same decimal', decimal(10, 2), decimal(10, 2), [], []],
  ['a decimal that cannot be is none', decimal(2, 3), decimal(2, 2), [], []],
  ['a logical type that is not valid is none', { type: 'string', logicalType: 'date' }, 'string', [], []],
  ['a logical type on one side', time('timestamp-millis'), 'long', [], []],
];

describe('two Avro schemas', () => {
  test.each(rows)('%s', (_what, old, after, backward, forward) => {
    expect(broken(old, after, 'backward')).toEqual(backward);
    expect(broken(old, after, 'forward')).toEqual(forward);
    // Forward is backward with the sides swapped.
    expect(compareAvro({ old: after, new: old, direction: 'backward' }).compatible).toBe(
      forward.length === 0,
    );
  });

  test('logical types can be left out, as Apache does', () => {
    const pair = { old: decimal(10, 2), new: decimal(10, 3), direction: 'backward' } as const;
    expect(compareAvro({ ...pair, logicalTypes: false })).toEqual({ compatible: true, changes: [] });
  });

  test.each<[string, unknown, unknown, unknown]>([
    ['a value of a type that is not taken', 'long', 'int', 1],
    [
      'a record without the field',
      record([field('a', 'int')]),
      record([field('a', 'int'), field('b', 'int')]),
      { a: 1 },
    ],
    [
      'a branch, within a list',
      record([field('a', { type: 'array', items: ['null', 'int'] })]),
      record([field('a', { type: 'array', items: 'int' })]),
      { a: [null] },
    ],
    [
      'a symbol, within a branch and a map',
      { type: 'map', values: ['null', enumOf(['A', 'B'])] },
      { type: 'map', values: ['null', enumOf(['A'])] },
      { key: { Status: 'B' } },
    ],
    [
      'what ends a recursion',
      list(['null', 'List']),
      record([field('value', 'int'), field('next', ['List'])], { name: 'List', namespace: '' }),
      { value: 1, next: null },
    ],
  ])('a break carries a witness: %s', (_what, old, after, witness) => {
    const { changes } = compareAvro({ old, new: after, direction: 'backward' });
    expect(changes.find(({ severity }) => severity === 'breaking')?.witness).toEqual(witness);
  });

  test('there is no witness where avsc and Apache disagree, nor for a meaning that only we look at', () => {
    const witnessOf = (old: unknown, after: unknown): unknown =>
      compareAvro({ old, new: after, direction: 'backward' }).changes.find(
        ({ severity }) => severity === 'breaking',
      )?.witness;
    expect(witnessOf(decimal(10, 2), decimal(10, 3))).toBeUndefined();
    expect(witnessOf(['int', 'string'], 'int')).toEqual({ string: '' });
  });

  test('what is harmless is told as information', () => {
    const old = record([field('a', 'int', { default: 1 }), field('gone', 'int')]);
    const after = record([field('a', 'int', { default: 2 }), field('new', 'int', { default: 0 })]);
    const { compatible, changes } = compareAvro({ old, new: after, direction: 'backward' });
    expect(compatible).toBe(true);
    expect(changes.map(({ rule, severity }) => `${severity} ${rule}`)).toEqual([
      'info default-changed',
      'info field-added',
      'info field-removed',
    ]);
    expect(changes[0]).toMatchObject({ old: '1', new: '2', path: 'shop.Order.a' });
  });

  test('a guess about a recursive pair that fails does not survive: what leant on it is decided again', () => {
    // While Node is compared, Leaf is met, and fits if Node does. Node does not (`x`), but Spare takes its place in `a`.
    // Leaf, in `b`, must not be taken for readable because of that guess.
    const node = (x: string): unknown => ({
      type: 'record',
      name: 'Node',
      fields: [
        field('leaf', { type: 'record', name: 'Leaf', fields: [field('up', ['null', 'Node'])] }),
        field('x', x),
      ],
    });
    const spare = { type: 'record', name: 'Spare', aliases: ['Node'], fields: [] };
    const root = (a: unknown): unknown => ({
      type: 'record',
      name: 'Root',
      fields: [field('a', a), field('b', 'Leaf')],
    });
    expect(broken(root(node('int')), root([node('string'), spare]), 'backward')).toEqual([
      'type-mismatch Node.x',
    ]);
    expect(broken(root(node('int')), root([node('int'), spare]), 'backward')).toEqual([]);
  });
});

describe('an Avro schema that is not one', () => {
  const deep = (levels: number): unknown => {
    let type: unknown = 'int';
    for (let level = 0; level < levels; level += 1) type = { type: 'array', items: type };
    return type;
  };

  test.each<[string, unknown, string, RegExp]>([
    ['null', null, '(root)', /expected a type/],
    ['a number', 7, '(root)', /expected a type/],
    ['an unknown name', 'Order', '(root)', /"Order" is not defined/],
    ['an object without a type', {}, '(root)', /expected a type's name, got undefined/],
    [
      'a prototype for a type',
      JSON.parse('{"__proto__": {"type": "int"}}'),
      '(root)',
      /expected a type's name/,
    ],
    ['a record without a name', { type: 'record', fields: [] }, '(root)', /record has no name/],
    ['a record without fields', { type: 'record', name: 'R' }, 'R', /list of fields/],
    ['a name that is none', { type: 'record', name: '9', fields: [] }, '(root)', /"9" is not a name/],
    ['a name of a primitive', { type: 'record', name: 'int', fields: [] }, '(root)', /"int" is not a name/],
    ['a namespace that is none', record([], { namespace: 'a..b' }), '(root)', /is not a name/],
    [
      'two fields of one name',
      record([field('a', 'int'), field('a', 'int')]),
      'shop.Order',
      /two fields called a/,
    ],
    ['a field without a name', record([{ type: 'int' }]), 'shop.Order', /is not a field's name/],
    ['a field without a type', record([{ name: 'a' }]), 'shop.Order.a', /expected a type, got undefined/],
    ['a sort order that is none', record([field('a', 'int', { order: 'up' })]), 'shop.Order.a', /order/],
    [
      'a default of another type',
      record([field('a', 'int', { default: 'x' })]),
      'shop.Order.a',
      /"x" is not a value/,
    ],
    [
      'a default outside its range',
      record([field('a', 'int', { default: 2 ** 31 })]),
      'shop.Order.a',
      /not a value/,
    ],
    [
      'a default of an unknown symbol',
      record([field('a', enumOf(['A']), { default: 'B' })]),
      'shop.Order.a',
      /not a value/,
    ],
    [
      'an enum default that is no symbol',
      enumOf(['A'], { default: 'B' }),
      'Status',
      /not one of the symbols/,
    ],
    ['a symbol twice', enumOf(['A', 'A']), 'Status', /twice/],
    ['a symbol that is none', enumOf(['A-B']), 'Status', /"A-B" is not a symbol/],
    ['a fixed without a size', { type: 'fixed', name: 'F' }, 'F', /size in bytes/],
    ['a union in a union', [['int']], '(root)', /directly in a union/],
    ['a union with a type twice', ['int', 'int'], '(root)', /holds int twice/],
    [
      'a type defined twice',
      record([field('a', fixed(1)), field('b', fixed(1))]),
      'shop.Digest',
      /defined twice/,
    ],
    ['a list nested too deeply', deep(600), '', /nested deeper/],
  ])('%s is refused with its place', (_what, schema, path, reason) => {
    const failing = (): unknown => compareAvro({ old: schema, new: 'int', direction: 'backward' });
    expect(failing).toThrow(reason);
    expect(failing).toThrow(expect.objectContaining({ code: 'SCHEMA_INVALID' }));
    if (path !== '')
      expect(failing).toThrow(
        expect.objectContaining({ details: expect.objectContaining({ path, side: 'old' }) }),
      );
  });

  test('names are found by namespace: their own, that of what is around them, and none', () => {
    const schema = record([
      field('line', { type: 'record', name: 'Line', fields: [field('n', 'int')] }),
      field('other', { type: 'record', name: 'far.Away', fields: [field('near', 'Near2', {})] }),
    ]);
    expect(() => compareAvro({ old: schema, new: schema, direction: 'backward' })).toThrow(
      /"Near2" is not defined/,
    );
    const good = record([
      field('line', { type: 'record', name: 'Line', fields: [field('n', 'int')] }),
      field('same', 'Line'),
      field('full', 'shop.Line'),
      field('far', { type: 'fixed', name: 'far.Away', size: 2 }),
      field('again', 'far.Away'),
    ]);
    expect(broken(good, good, 'backward')).toEqual([]);
    const plain = {
      type: 'record',
      name: 'Plain',
      fields: [field('inner', record([field('up', ['null', 'Plain'])]))],
    };
    expect(broken(plain, plain, 'backward')).toEqual([]);
  });

  test('names of Object.prototype are names like others', () => {
    const odd = (type: string): unknown =>
      record([field('constructor', type), field('__proto__', type), field('toString', type)]);
    expect(broken(odd('int'), odd('int'), 'backward')).toEqual([]);
    expect(broken(odd('int'), odd('string'), 'backward')).toHaveLength(3);
  });
});

describe('bounds', () => {
  test('an enum of 100,000 symbols, and a union of 2,000 records', () => {
    const symbols = Array.from({ length: 100_000 }, (_, index) => `S${index}`);
    expect(broken(enumOf(symbols), enumOf(symbols.slice(1)), 'backward')).toEqual([
      'missing-enum-symbols Status',
    ]);
    const union = (type: string): unknown =>
      Array.from({ length: 2_000 }, (_, index) => ({
        type: 'record',
        name: `R${index}`,
        fields: [field('a', type)],
      }));
    expect(broken(union('int'), union('long'), 'backward')).toEqual([]);
  });

  test('records that refer to each other in a long chain are not proved, which is said', () => {
    const chain = Array.from({ length: 5_000 }, (_, index) =>
      field(`f${index}`, {
        type: 'record',
        name: `R${index}`,
        fields: index === 0 ? [] : [field('next', `R${index - 1}`)],
      }),
    ).reverse();
    const schema = record([...chain].reverse());
    const backwards = {
      type: 'record',
      name: 'Top',
      fields: [field('all', schema), field('last', 'shop.R4999')],
    };
    const { compatible, changes } = compareAvro({ old: backwards, new: backwards, direction: 'backward' });
    expect(compatible || changes.some(({ rule }) => rule === 'not-proved')).toBe(true);
  });
});
