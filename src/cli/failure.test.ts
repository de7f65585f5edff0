import { describe, expect, it } from 'vitest';
import { FactlineError } from '../foundation/index.ts';
import { failureLines, failureOf, interruptionOf } from './failure.ts';
import { styleOf, textWidth } from './style.ts';

const lines = (error: unknown, options: { width?: number; debug?: boolean } = {}): string[] =>
  failureLines(failureOf(error), {
    width: options.width ?? 80,
    style: styleOf(false),
    debug: options.debug ?? false,
  });

describe('a failure', () => {
  it('is told as message, cause and next step, with the exit code of its catalogue', () => {
    const error = new FactlineError('PORT_IN_USE', { port: 9464, host: '0.0.0.0' });
    expect(lines(error)).toEqual([
      '✗ Port 9464 on 0.0.0.0 is in use.',
      '  why   Another process listens there.',
      '  next  Stop it, or choose another port with --port.',
    ]);
    expect(failureOf(error).exitCode).toBe(1);
    expect(failureOf(new FactlineError('MIGRATION_PENDING', { migrations: 'x' })).exitCode).toBe(4);
  });

  it('fits the width', () => {
    const error = new FactlineError('CONFIG_MISSING', { file: '/home/ada/shop/factline.config.ts' });
    for (const line of lines(error, { width: 50 })) expect(textWidth(line)).toBeLessThanOrEqual(50);
  });

  it('of PostgreSQL is explained too', () => {
    const denied = Object.assign(new Error('permission denied for table requests'), { code: '42501' });
    expect(failureOf(denied)).toMatchObject({ code: 'COMMAND_STATEMENT_REFUSED', exitCode: 3 });
    const gone = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
    expect(failureOf(gone)).toMatchObject({ code: 'DATABASE_UNREACHABLE', exitCode: 3 });
  });

  it('after Ctrl-C is the interruption, unless something else went wrong', () => {
    const stopped = new FactlineError('STOPPED', { unit: 'a build', operation: 'comparing' });
    for (const error of [stopped, AbortSignal.abort().reason])
      expect(failureOf(interruptionOf(error))).toMatchObject({ code: 'COMMAND_INTERRUPTED', exitCode: 130 });
    const other = new Error('boom');
    expect(interruptionOf(other)).toBe(other);
  });

  it('nobody foresaw shows its stack only when asked for', () => {
    expect(lines(new Error('boom')).join('\n')).not.toContain('failure.test.ts');
    expect(lines(new Error('boom'), { debug: true }).join('\n')).toContain('failure.test.ts');
    expect(failureOf(undefined)).toMatchObject({ code: 'UNEXPECTED', message: 'undefined', exitCode: 1 });
  });
});
