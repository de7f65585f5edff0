import { appendFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { type Comparison, compareBatch } from '../src/contracts/index.ts';
import { historyPairs } from './schema-histories.ts';

/**
 * How long one pair of schemas takes in `factline contracts compare --batch -`.
 *
 * `node --conditions=factline-source scripts/time-comparisons.ts [--pairs N] [--sizes 20,40]`: made-up events of several sizes (JSON
 * Schema), no two alike, so that nothing that is kept from one pair helps the next.
 *
 * `… --from FOLDER [--modes backward,full] [--slowest N] [--answers FILE]`: real ones, each version with the next; schema-histories.ts
 * says what the folder holds. Answers are kept to be compared with those of another state of the code.
 */
const { values: options } = parseArgs({
  options: {
    pairs: { type: 'string', default: '150' },
    sizes: { type: 'string', default: '10,20,40,60' },
    from: { type: 'string' },
    modes: { type: 'string', default: 'backward,full' },
    slowest: { type: 'string', default: '5' },
    answers: { type: 'string' },
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

const processorMs = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
};

interface Answered {
  readonly answer: string;
  /** Of the whole process: collecting garbage and compiling are in it, and other programs are not. */
  readonly ms: number;
}

/** Nothing is read ahead of what is taken from the answers, so that what passes between two of them is one pair's. */
async function* answered(lines: Iterable<string>): AsyncGenerator<Answered> {
  const feed = async function* () {
    for (const line of lines) yield encoder.encode(`${line}\n`);
  };
  let since = processorMs();
  for await (const answer of compareBatch(feed())) {
    yield { answer, ms: processorMs() - since };
    since = processorMs();
  }
}

const mean = (numbers: readonly number[]): number =>
  numbers.reduce((sum, number) => sum + number, 0) / numbers.length;

/** The number below which this share of the numbers lies. */
const quantile = (numbers: readonly number[], share: number): number =>
  numbers.toSorted((a, b) => a - b)[Math.min(numbers.length - 1, Math.floor(numbers.length * share))] ??
  Number.NaN;

const print = (...cells: Array<string | number>): void => {
  const texts = cells.map((cell) => (typeof cell === 'number' ? cell.toFixed(2) : cell));
  process.stdout.write(
    `${texts.map((text, index) => (index < 2 ? text.padEnd(19) : text.padStart(10))).join('  ')}\n`,
  );
};

const timeMadeUp = async (): Promise<void> => {
  let event = 0;
  print('properties', 'change', 'compatible', 'mean ms', 'median ms');
  for (const size of sizes) {
    const means: number[] = [];
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
      const times: number[] = [];
      let compatible = 0;
      for await (const { answer, ms } of answered(lines)) {
        times.push(ms);
        if (answer.includes('"compatible":true')) compatible += 1;
      }
      // The first third is left out, since a batch is long and its beginning is not what counts.
      const counted = times.slice(Math.floor(pairs / 3));
      means.push(mean(counted));
      print(String(size), kind, `${compatible}/${pairs}`, mean(counted), quantile(counted, 0.5));
    }
    print(String(size), 'all kinds', '', mean(means));
  }
};

type Answer = Comparison | { readonly error: string; readonly message: string };

interface Timed {
  readonly id: string;
  readonly set: string;
  readonly ms: number;
  readonly answer: Answer;
}

const share = (part: number, whole: number): string =>
  whole === 0 ? '-' : `${((part / whole) * 100).toFixed(1)}%`;

const printSet = (mode: string, set: string, timed: readonly Timed[]): void => {
  const times = timed.map(({ ms }) => ms);
  const answers = timed.flatMap(({ answer }) => ('changes' in answer ? [answer] : []));
  const broken = answers.filter(({ compatible }) => !compatible);
  const has = (test: (change: Comparison['changes'][number]) => boolean): number =>
    broken.filter(({ changes }) => changes.some(test)).length;
  print(
    set,
    mode,
    String(timed.length),
    String(timed.length - answers.length),
    share(answers.length - broken.length, answers.length),
    share(
      has(({ rule }) => rule === 'not-proved'),
      answers.length,
    ),
    share(
      has(({ witness }) => witness !== undefined),
      broken.length,
    ),
    mean(times),
    quantile(times, 0.5),
    quantile(times, 0.95),
    quantile(times, 1),
  );
};

const timeHistories = async (root: string): Promise<void> => {
  const found = [...historyPairs(root)];
  // The engines are loaded when they are first asked, which is not what a batch's time consists of.
  const firsts = Map.groupBy(found, ({ line }) => line['format']).values();
  const loading = [...firsts].flatMap(([first]) =>
    first === undefined ? [] : [JSON.stringify({ mode: 'full', ...first.line })],
  );
  for await (const _ of answered(loading));
  if (options.answers !== undefined) writeFileSync(options.answers, '');
  print(
    'set',
    'mode',
    'pairs',
    'bad input',
    'compatible',
    'not proved',
    'witnessed',
    'mean ms',
    'median',
    '95 %',
    'greatest',
  );
  for (const mode of options.modes.split(',')) {
    const lines = function* () {
      for (const { id, line } of found) yield JSON.stringify({ id, mode, ...line });
    };
    const timed: Timed[] = [];
    for await (const { answer: text, ms } of answered(lines())) {
      const { id = '', set = '' } = found[timed.length] ?? {};
      const answer = JSON.parse(text) as Answer;
      timed.push({ id, set, ms, answer });
      if (options.answers !== undefined)
        appendFileSync(options.answers, `${JSON.stringify({ mode, ...answer })}\n`);
    }
    for (const [set, ofSet] of Map.groupBy(timed, ({ set }) => set)) printSet(mode, set, ofSet);
    printSet(mode, 'all', timed);
    for (const { id, ms } of timed.toSorted((a, b) => b.ms - a.ms).slice(0, Number(options.slowest)))
      print('', mode, ms, `  ${id}`);
  }
};

await (options.from === undefined ? timeMadeUp() : timeHistories(options.from));
