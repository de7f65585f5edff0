import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FactlineError, PermanentError, TransientError } from '../../foundation/index.ts';
import { classifyFailure, describeFailure, retryAfterMs } from './index.ts';

const withCode = (message: string, code: string): Error => Object.assign(new Error(message), { code });

describe('classifying a failure', () => {
  it.each([
    ['a PermanentError', new PermanentError('the amount is zero'), 'permanent'],
    ['a TransientError', new TransientError('busy'), 'transient'],
    ['a refused connection', withCode('connect ECONNREFUSED', 'ECONNREFUSED'), 'transient'],
    [
      'a fetch whose cause is a lost socket',
      new TypeError('fetch failed', { cause: withCode('x', 'UND_ERR_SOCKET') }),
      'transient',
    ],
    ['a deadlock', withCode('deadlock detected', '40P01'), 'transient'],
    ['an abort', new DOMException('aborted', 'AbortError'), 'transient'],
    ['the time limit of the handler', new FactlineError('HANDLER_TIMEOUT', {}), 'transient'],
    ['an unknown type in the log', new FactlineError('EVENT_UNKNOWN_TYPE', {}), 'schema'],
    ['a killed process', new FactlineError('KILLED_PROCESS', {}), 'poison'],
    ['a lost lease', new FactlineError('LEASE_LOST', {}), 'systemic'],
    ['a commit of unknown outcome', new FactlineError('COMMIT_OUTCOME_UNKNOWN', {}), 'systemic'],
    ['a unique violation', withCode('duplicate key', '23505'), 'unclassified'],
    ['a plain bug', new TypeError("Cannot read properties of undefined (reading 'x')"), 'unclassified'],
    ['an invalid payload that a handler published', new FactlineError('PAYLOAD_INVALID', {}), 'unclassified'],
    ['undefined', undefined, 'unclassified'],
    ['a number', 42, 'unclassified'],
  ])('takes %s as it is meant', (_name, thrown, expected) => {
    expect(classifyFailure(thrown)).toBe(expected);
  });

  it('lets the outermost error that says something decide', () => {
    expect(classifyFailure(new PermanentError('no', { cause: withCode('x', 'ECONNRESET') }))).toBe(
      'permanent',
    );
  });

  it('reads how long a TransientError wants to wait, and nothing from nonsense', () => {
    expect(retryAfterMs(new TransientError('busy', { retryAfter: '30s' }))).toBe(30_000);
    expect(retryAfterMs(new Error('x', { cause: new TransientError('busy', { retryAfter: '2s' }) }))).toBe(
      2_000,
    );
    expect(retryAfterMs({ retryAfter: 'soon' })).toBeNull();
    expect(retryAfterMs(undefined)).toBeNull();
  });
});

const throwsOnEverything = new Proxy(
  {},
  {
    get: () => {
      throw new Error('hostile');
    },
    has: () => {
      throw new Error('hostile');
    },
    getPrototypeOf: () => {
      throw new Error('hostile');
    },
  },
);

const hostileError = (): Error => {
  const error = new Error('x');
  for (const name of ['message', 'stack', 'name', 'cause', 'code']) {
    Object.defineProperty(error, name, {
      get: () => {
        throw new Error('hostile getter');
      },
    });
  }
  return error;
};

describe('describing a failure', () => {
  // LESSONS: moleculer channels#86.
  it('keeps stack and cause chain: an error without stack or cause in the dead letter', () => {
    const cause = new Error('socket closed', { cause: new Error('no route to host') });
    const described = describeFailure(new Error('charging failed', { cause }));
    expect(described.message).toBe('charging failed');
    expect(described.stack).toContain('describe-failure.test.ts');
    expect(described.causes.map((each) => each.message)).toEqual(['socket closed', 'no route to host']);
    expect(described.causes[0]?.stack).toContain('socket closed');
  });

  it.each([
    ['undefined', undefined, 'threw undefined'],
    ['null', null, 'threw null'],
    ['a string', 'nope', 'threw nope'],
    ['a symbol', Symbol('s'), 'threw Symbol(s)'],
    ['a plain object', { reason: 7 }, 'threw {"reason":7}'],
    ['a bigint', 7n, 'threw 7'],
  ])('says what was thrown when it is %s', (_name, thrown, message) => {
    expect(describeFailure(thrown)).toMatchObject({ message, failureClass: 'unclassified', stack: '' });
  });

  it('survives errors whose getters throw, and proxies that throw on everything', () => {
    for (const thrown of [hostileError(), throwsOnEverything, Object.create(null), () => {}, new WeakMap()]) {
      const described = describeFailure(thrown);
      expect(described.failureClass).toBe('unclassified');
      expect(typeof described.message).toBe('string');
    }
  });

  it('ends on a cause chain that bites its own tail', () => {
    const error = new Error('a');
    error.cause = new Error('b', { cause: error });
    expect(describeFailure(error).causes).toHaveLength(1);
  });

  it('cuts huge messages and says how much was cut', () => {
    const { message } = describeFailure(new Error('x'.repeat(1_000_000)));
    expect(message.length).toBeLessThan(4_100);
    expect(message).toContain('more characters');
  });

  it('gives only text that PostgreSQL stores, whatever was thrown', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.anything(),
          fc.string({ unit: 'binary' }).map((text) => new Error(text)),
        ),
        (thrown) => {
          const text = JSON.stringify(describeFailure(thrown));
          expect(text).not.toContain('\\u0000');
          expect(text.isWellFormed()).toBe(true);
        },
      ),
      { numRuns: 40 },
    );
  });
});

const throwAtOneLine = (message: string): Error => new TypeError(message);

describe('what may not be shown', () => {
  const redact = (text: string): string => text.replaceAll('ada', '(personal)');

  it('is taken out of message, stack and causes, before they are cut', () => {
    const cause = withCode('no mailbox of ada', '550');
    const error = new Error(`${'x'.repeat(3_998)}ada`, { cause });
    const { message, stack, causes } = describeFailure(error, undefined, redact);
    expect(JSON.stringify({ message, stack, causes })).not.toContain('ada');
    expect(message).not.toMatch(/a…|ad…/);
    expect(causes[0]?.message).toBe('no mailbox of (personal)');
    expect(describeFailure({ name: 'ada' }, undefined, redact).message).toContain('(personal)');
  });
});

describe('the fingerprint', () => {
  it('is the same for the same failure of different orders', () => {
    const one = describeFailure(throwAtOneLine('order A1 of customer 17 costs "12.50"'));
    const other = describeFailure(throwAtOneLine('order B22 of customer 4 costs "0.99"'));
    expect(one.fingerprint).toBe(other.fingerprint);
  });

  it('survives a shift of lines', () => {
    const error = new Error('no stock');
    error.stack =
      'Error: no stock\n    at reserve (/app/src/stock.ts:10:3)\n    at handle (/app/src/orders.ts:5:1)';
    const shifted = new Error('no stock');
    shifted.stack =
      'Error: no stock\n    at reserve (/app/src/stock.ts:99:9)\n    at handle (/app/src/orders.ts:50:1)';
    expect(describeFailure(error).fingerprint).toBe(describeFailure(shifted).fingerprint);
  });

  it('differs by message, code, name and place', () => {
    const base = new Error('no stock');
    const prints = [
      base,
      new Error('no money'),
      new TypeError('no stock'),
      withCode('no stock', 'E_STOCK'),
      Object.assign(new Error('no stock'), {
        stack: 'Error: no stock\n    at pack (/app/src/fulfil.ts:1:1)',
      }),
    ].map((error) => describeFailure(error).fingerprint);
    expect(new Set(prints).size).toBe(prints.length);
  });
});
