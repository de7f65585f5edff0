import { parseArgs } from 'node:util';
import { compareBatch } from '../src/contracts/index.ts';

/**
 * How long one pair of JSON Schemas takes in `factline contracts compare --batch -`: made-up events of several sizes, no two alike, so that
 * nothing that is kept from one pair helps the next. `node --conditions=factline-source scripts/time-comparisons.ts [--pairs N] [--sizes 20,40]`
 */
const { values: options } = parseArgs({
  options: {
    pairs: { type: 'string', default: '150' },
    sizes: { type: 'string', default: '10,20,40,60' },
  },
});
const pairs = Number(options.pairs);
const sizes = options.sizes.split(',').map(Number);

type Schema = Record<string, unknown>;

const words = ['order', 'customer', 'price', 'street', 'parcel', 'state', 'reason', 'channel', 'currency'];

/** The kinds of fields that events have, each with a description of its own. */
const fieldOf = (index: number, event: number): Schema => {
  const description = `The ${words[index % words.length]} of event ${event}, field ${index}.`;
  switch (index % 8) {
    case 0:
      return { type: 'string', minLength: 1, maxLength: 40 + ((event + index) % 17), description };
    case 1:
      return { type: 'integer', minimum: 0, maximum: 1_000 + event, description };
    case 2:
      return { type: 'string', enum: ['new', 'paid', `state-${event}`], description };
    case 3:
      return { type: ['string', 'null'], format: 'date-time', description };
    case 4:
      return {
        type: 'object',
        description,
        properties: { street: { type: 'string' }, [`number${event}`]: { type: 'integer' } },
        required: ['street'],
        additionalProperties: false,
      };
    case 5:
      return { type: 'array', items: { $ref: '#/$defs/line' }, minItems: 1, description };
    case 6:
      return { type: 'string', pattern: `^[A-Z]{2}${event % 10}`, description };
    default:
      return { type: 'number', exclusiveMinimum: 0, description };
  }
};

/** Three of five fields are required. */
const eventOf = (size: number, event: number): Schema => {
  const names = Array.from({ length: size }, (_, index) => `${words[index % words.length]}${event}x${index}`);
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: `Event ${event}`,
    type: 'object',
    properties: Object.fromEntries(names.map((name, index) => [name, fieldOf(index, event)])),
    required: names.filter((_, index) => index % 5 < 3),
    additionalProperties: false,
    $defs: {
      line: {
        type: 'object',
        properties: { product: { type: 'string' }, quantity: { type: 'integer', minimum: 1 } },
        required: ['product', 'quantity'],
        additionalProperties: false,
      },
    },
  };
};

const propertyOf = (schema: Schema, index: number): [string, Schema] => {
  const members = Object.entries(schema['properties'] as Record<string, Schema>);
  return members[index % members.length] as [string, Schema];
};

const kinds: Record<string, (schema: Schema, event: number) => Schema> = {
  'a field more': (schema, event) => ({
    ...schema,
    properties: { ...(schema['properties'] as Schema), [`added${event}`]: { type: 'string' } },
  }),
  'words only': (schema, event) => ({ ...schema, title: `Another title ${event}` }),
  'another type': (schema, event) => {
    const [name, field] = propertyOf(schema, event);
    const { enum: _, ...others } = field;
    return {
      ...schema,
      properties: { ...(schema['properties'] as Schema), [name]: { ...others, type: 'boolean' } },
    };
  },
  'a field less': (schema, event) => {
    const [gone] = propertyOf(schema, event);
    const { [gone]: _, ...kept } = schema['properties'] as Schema;
    const required = (schema['required'] as string[]).filter((name) => name !== gone);
    return { ...schema, properties: kept, required };
  },
  'three things': (schema, event) => {
    const properties = { ...(schema['properties'] as Record<string, Schema>) };
    for (const offset of [0, 8, 16]) {
      const [name, field] = propertyOf(schema, offset);
      properties[name] = { ...field, maxLength: 5 };
    }
    return { ...schema, properties, required: [...(schema['required'] as string[]), `more${event}`] };
  },
};

const encoder = new TextEncoder();
const median = (numbers: readonly number[]): string =>
  (numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN).toFixed(2);

const processorMs = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
};

interface Timed {
  /** Of each pair; the first third is left out, since a batch is long and its beginning is not what counts. */
  readonly elapsed: number[];
  /** On average: of the whole process, so collecting garbage and compiling are in it, and other programs are not. */
  readonly processor: number;
  readonly compatible: number;
}

const timed = async (lines: readonly string[]): Promise<Timed> => {
  const leftOut = Math.floor(lines.length / 3);
  const elapsed: number[] = [];
  let compatible = 0;
  const feed = async function* () {
    for (const line of lines) yield encoder.encode(`${line}\n`);
  };
  let since = performance.now();
  let processorSince = 0;
  for await (const answer of compareBatch(feed())) {
    elapsed.push(performance.now() - since);
    if (answer.includes('"compatible":true')) compatible += 1;
    if (elapsed.length === leftOut) processorSince = processorMs();
    since = performance.now();
  }
  const processor = (processorMs() - processorSince) / (lines.length - leftOut);
  return { elapsed: elapsed.slice(leftOut), processor, compatible };
};

let event = 0;
const print = (...cells: string[]): void => {
  process.stdout.write(
    `${cells.map((cell, index) => (index === 1 ? cell.padEnd(14) : cell.padStart(12))).join('  ')}\n`,
  );
};

print('properties', 'change', 'compatible', 'median ms', 'processor ms');
for (const size of sizes)
  for (const [kind, change] of Object.entries(kinds)) {
    const lines = Array.from({ length: pairs }, () => {
      event += 1;
      const old = eventOf(size, event);
      return JSON.stringify({
        id: event,
        format: 'json-schema',
        mode: 'backward',
        old,
        new: change(old, event),
      });
    });
    const { elapsed, processor, compatible } = await timed(lines);
    print(String(size), kind, `${compatible}/${pairs}`, median(elapsed), processor.toFixed(2));
  }
