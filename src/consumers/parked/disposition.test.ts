import assert from 'node:assert';
import { describe, expect, it } from 'vitest';
import { FactlineError, PermanentError, TransientError } from '../../foundation/index.ts';
import { describeFailure } from './index.ts';

const withMembers = (members: object): Error => Object.assign(new Error('x'), members);
const assertion = (): unknown => {
  try {
    assert.strictEqual(1, 2);
    return null;
  } catch (error) {
    return error;
  }
};

describe('the disposition of a failure', () => {
  it.each([
    ['an unknown type', new FactlineError('EVENT_UNKNOWN_TYPE', {}), 'schema'],
    ['a killed process', new FactlineError('KILLED_PROCESS', {}), 'poison'],
    ['an effect of unknown outcome', new FactlineError('EFFECT_OUTCOME_UNKNOWN', {}), 'poison'],
    ['a 403 of an HTTP client', withMembers({ status: 403 }), 'authorisation'],
    ['a 401 in a response', withMembers({ response: { status: 401 } }), 'authorisation'],
    ['a right that PostgreSQL refuses', withMembers({ code: '42501' }), 'authorisation'],
    [
      'a denied file below an error',
      new Error('no report', { cause: withMembers({ code: 'EACCES' }) }),
      'authorisation',
    ],
    ['the time limit of the handler', new FactlineError('HANDLER_TIMEOUT', {}), 'timeout'],
    ['a socket that timed out', withMembers({ code: 'ETIMEDOUT' }), 'timeout'],
    ['a cancelled statement', withMembers({ code: '57014' }), 'timeout'],
    ['a gateway that timed out', withMembers({ statusCode: 504 }), 'timeout'],
    ['an abort', new DOMException('aborted', 'AbortError'), 'timeout'],
    ['a refused connection', withMembers({ code: 'ECONNREFUSED' }), 'dependency'],
    ['a full provider', withMembers({ status: 503 }), 'dependency'],
    ['a limited one', withMembers({ status: 429 }), 'dependency'],
    ['a TransientError', new TransientError('busy'), 'dependency'],
    ['a PermanentError', new PermanentError('the amount is zero'), 'invariant'],
    ['a unique violation', withMembers({ code: '23505' }), 'invariant'],
    ['an assertion', assertion(), 'invariant'],
    ['a plain bug', new TypeError('undefined is not a function'), 'poison'],
    ['undefined', undefined, 'poison'],
  ])('of %s', (_name, error, expected) => {
    expect(describeFailure(error).disposition).toBe(expected);
  });

  it('is that of the outermost error that says something', () => {
    const error = new PermanentError('no', { cause: withMembers({ code: 'ETIMEDOUT' }) });
    expect(describeFailure(error).disposition).toBe('invariant');
  });

  it('is schema where the payload broke its contract, whatever was thrown', () => {
    expect(describeFailure(withMembers({ status: 403 }), 'schema').disposition).toBe('schema');
  });
});
