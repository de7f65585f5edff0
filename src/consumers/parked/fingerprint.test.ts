import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { describeFailure } from './index.ts';

interface Thrown {
  readonly message?: string;
  readonly name?: string;
  readonly trace: readonly string[];
  readonly cause?: Error;
}

const thrown = ({ message = 'no stock', name = 'Error', trace, cause }: Thrown): Error => {
  const error = new Error(message, cause === undefined ? {} : { cause });
  error.name = name;
  error.stack = [`${name}: ${message}`, ...trace.map((line) => `    at ${line}`)].join('\n');
  return error;
};

const print = (given: Thrown): string => describeFailure(thrown(given)).fingerprint;

const trace = ['reserve (/app/src/stock.ts:10:3)', 'handle (/app/src/orders.ts:5:1)'] as const;
const usual = print({ trace });

const number = fc.integer({ min: 1, max: 99_999 });
const folder = fc.stringMatching(/^[a-zA-Z0-9_]{1,12}$/);
const root = fc.array(folder, { minLength: 1, maxLength: 4 }).map((parts) => `/${parts.join('/')}`);

describe('a fingerprint', () => {
  it('does not change with inserted lines, moved folders, file URLs and other orders', () => {
    const orders = fc.oneof(
      fc.uuid(),
      fc.integer({ min: 0 }).map((id) => `A${id}`),
      fc.stringMatching(/^[a-z]{1,8}@[a-z]{1,8}\.org$/),
      root.map((path) => `${path}/upload/file.txt`),
      fc.stringMatching(/^[ -~]{0,20}$/).map((text) => JSON.stringify(text.replace(/["'`\\]/g, ''))),
    );
    const of = (order: string, places: readonly string[]): string =>
      print({ message: `no stock for order ${order} of the customer`, trace: places });
    const expected = of('A1', trace);
    fc.assert(
      fc.property(
        orders,
        root,
        fc.tuple(number, number, number),
        fc.boolean(),
        (order, base, [a, b, c], url) => {
          const at = `${url ? 'file://' : ''}${base}`;
          const places = [
            `reserve (${at}/stock.ts:${a}:${b})`,
            `async handle (${at}/dist/orders.ts:${c}:${a})`,
          ];
          expect(of(order, places)).toBe(expected);
        },
      ),
    );
  });

  it('looks at the frames of the app only', () => {
    const foreign = [
      'Socket.emit (node:events:518:28)',
      'Pool.query (/app/node_modules/pg/lib/client.js:12:3)',
      'Array.map (<anonymous>)',
      'async Promise.all (index 0)',
      'native',
      'eval (eval at run (/app/src/x.ts:1:1), <anonymous>:1:1)',
      `Attempt.run (${new URL('../operational/attempt.ts', import.meta.url).pathname}:90:3)`,
    ];
    fc.assert(
      fc.property(fc.shuffledSubarray(foreign), fc.shuffledSubarray(foreign), (before, between) => {
        expect(print({ trace: [...before, trace[0], ...between, trace[1]] })).toBe(usual);
      }),
    );
  });

  it.each([
    [
      'a digest in the name of a bundle',
      'reserve (/app/dist/chunk-4YHDQ2ZK.js:1:2)',
      'reserve (/app/dist/chunk-7TTBQ91X.js:9:9)',
    ],
    [
      'a query of a loader',
      'reserve (file:///app/stock.ts?t=1:1:2)',
      'reserve (file:///app/stock.ts?t=22:8:8)',
    ],
    ['a receiver and an alias', 'Object.reserve [as run] (/app/stock.ts:1:2)', 'reserve (/app/stock.ts:1:2)'],
    ['a suffix of a bundler', 'reserve$1 (/app/stock.ts:1:2)', 'reserve (/app/stock.ts:1:2)'],
    ['the letters of a minifier', 'aB (/app/main.js:1:2)', 'cd (/app/main.js:1:999)'],
    ['a function without a name', '/app/stock.ts:1:2', '<anonymous> (/app/stock.ts:7:7)'],
    ['folders of Windows', 'reserve (C:\\build\\1\\stock.ts:1:2)', 'reserve (D:\\agent\\stock.ts:4:2)'],
  ])('is tolerant of %s', (_what, one, other) => {
    expect(print({ trace: [one] })).toBe(print({ trace: [other] }));
  });

  it('differs at another function, file, caller, class, code, sentence and cause', () => {
    const denied = Object.assign(new Error('x'), { code: 'EACCES' });
    const prints = [
      usual,
      print({ trace: ['release (/app/src/stock.ts:10:3)', trace[1]] }),
      print({ trace: ['reserve (/app/src/shelf.ts:10:3)', trace[1]] }),
      print({ trace: [trace[0], 'cancel (/app/src/orders.ts:5:1)'] }),
      print({ trace, name: 'TypeError' }),
      print({ trace, message: 'no money' }),
      print({ trace, cause: new TypeError('x') }),
      print({ trace, cause: denied }),
      describeFailure(Object.assign(thrown({ trace }), { code: 'E_STOCK' })).fingerprint,
      print({ trace: [] }),
    ];
    expect(new Set(prints).size).toBe(prints.length);
  });

  it('ignores what a cause says: only its class and code', () => {
    expect(print({ trace, cause: new Error('order 1') })).toBe(
      print({ trace, cause: new Error('nothing like it') }),
    );
  });

  it('reads the place also behind a message that is huge, or looks like a stack', () => {
    for (const message of ['x'.repeat(50_000), 'failed\n    at evil (/app/evil.ts:1:1)']) {
      expect(describeFailure(thrown({ message, trace })).place).toBe('reserve (stock.ts)');
    }
    expect(describeFailure(thrown({ trace: ['/app/stock.ts:1:2'] })).place).toBe('stock.ts');
    expect(describeFailure('a text').place).toBeNull();
  });

  it('ends quickly on hostile stacks', () => {
    const began = performance.now();
    for (const text of [
      '('.repeat(200_000),
      `${' '.repeat(100_000)}at x`,
      'at async '.repeat(50_000),
      `at ${'new '.repeat(50_000)}(x)`,
    ]) {
      const error = new Error(`${text} 1.1.1.`.repeat(3));
      error.stack = text;
      describeFailure(error);
    }
    expect(performance.now() - began).toBeLessThan(1_000);
  });
});
