import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { FactlineError, PermanentError, TransientError } from './errors.ts';

const issue = (path: string) => ({ path, expected: 'number', actual: '"1"', message: 'expected number' });

describe('FactlineError', () => {
  test('says what and where from its details, and carries code, remedy, details and cause', () => {
    const cause = new RangeError('refused');
    const details = { port: 4000, host: '127.0.0.1' };
    const error = new FactlineError('PORT_IN_USE', details, { cause });
    expect(error.message).toBe('Port 4000 on 127.0.0.1 is in use.');
    expect(error).toMatchObject({ code: 'PORT_IN_USE', details, cause, name: 'FactlineError' });
    expect(error.remedy).toContain('--port');
    expect(error).toBeInstanceOf(Error);
    expect(inspect(error)).toContain('Port 4000 on 127.0.0.1');
  });

  test('has no own cause when none was given', () => {
    expect('cause' in new FactlineError('NOT_STARTED')).toBe(false);
  });

  test('lists every issue with its path, and one issue in the sentence itself', () => {
    const many = new FactlineError('PAYLOAD_INVALID', {
      type: 'a.b.c.v1',
      issues: [issue('x.y'), issue('z[0]')],
    });
    expect(many.message).toBe(
      'The payload of a.b.c.v1 breaks its schema: \n  - x.y: expected number (got "1")\n  - z[0]: expected number (got "1")',
    );
    const one = new FactlineError('PAYLOAD_INVALID', { type: 'a.b.c.v1', issues: [issue('')] });
    expect(one.message).toBe('The payload of a.b.c.v1 breaks its schema: expected number (got "1")');
  });

  test('fills placeholders once: text from outside is never a template', () => {
    const error = new FactlineError('SCHEMA_THREW', { type: '{reason}', reason: '{type} $& $1' });
    expect(error.message).toBe('The schema of {reason} threw instead of reporting issues: {type} $& $1');
  });

  test('survives details that cannot be shown', () => {
    const circular: Record<string, unknown> = {};
    circular['self'] = circular;
    expect(
      new FactlineError('OPTION_INVALID', { option: 'x', expected: 1n, actual: circular }).message,
    ).toContain('[object Object]');
  });

  test('is recognised by brand, also from another copy of the package, and by code', () => {
    const error = new FactlineError('NOT_STARTED', {});
    const foreign = Object.assign(new RangeError('x'), {
      code: 'NOT_STARTED',
      [Symbol.for('factline.error')]: true,
    });
    expect(FactlineError.is(error)).toBe(true);
    expect(FactlineError.is(error, 'NOT_STARTED')).toBe(true);
    expect(FactlineError.is(error, 'STOPPED')).toBe(false);
    expect(FactlineError.is(foreign, 'NOT_STARTED')).toBe(true);
    for (const other of [new RangeError('x'), { code: 'NOT_STARTED' }, null, undefined, 'NOT_STARTED']) {
      expect(FactlineError.is(other)).toBe(false);
    }
  });

  test('knows whether a retry may help and how the command line ends', () => {
    expect(new FactlineError('LEASE_LOST').retryable).toBe(true);
    expect(new FactlineError('PAYLOAD_INVALID').retryable).toBe(false);
    expect(new FactlineError('DATABASE_UNREACHABLE').exitCode).toBe(3);
    expect(new FactlineError('PORT_IN_USE').exitCode).toBe(1);
  });

  test('becomes JSON with message and remedy', () => {
    const error = new FactlineError('TOKEN_INVALID', { token: 'abc' });
    expect(JSON.parse(JSON.stringify(error))).toEqual({
      code: 'TOKEN_INVALID',
      message: error.message,
      remedy: error.remedy,
      details: { token: 'abc' },
    });
  });
});

describe('what users throw', () => {
  test('a permanent error keeps the message and the cause', () => {
    const cause = new RangeError('zero');
    const error = new PermanentError('the amount is {zero}', { cause });
    expect(error).toMatchObject({
      message: 'the amount is {zero}',
      cause,
      code: 'PERMANENT_FAILURE',
      name: 'PermanentError',
    });
    expect(FactlineError.is(error, 'PERMANENT_FAILURE')).toBe(true);
  });

  test('a transient error may say when to try again', () => {
    expect(new TransientError('busy', { retryAfter: '30s' })).toMatchObject({
      retryAfter: '30s',
      retryable: true,
    });
    expect(new TransientError('busy').retryAfter).toBeUndefined();
    expect(new TransientError('busy', { cause: 1 }).cause).toBe(1);
  });
});
