import { describe, expect, test } from 'vitest';
import { withDeadline } from './deadline.ts';
import { createManualClock } from './manual-clock.ts';

describe('withDeadline', () => {
  test('passes value and error through, and leaves no timer', async () => {
    const clock = createManualClock();
    expect(await withDeadline(Promise.resolve(5), { ms: 10, clock, stage: 'reading' })).toBe(5);
    await expect(withDeadline(Promise.reject('no'), { ms: 10, clock, stage: 'reading' })).rejects.toBe('no');
    expect(clock.armed).toBe(0);
  });

  test('ends at the deadline, names the stage, and hands over what comes too late', async () => {
    const clock = createManualClock();
    const gate = Promise.withResolvers<string>();
    const late: string[] = [];
    const waiting = withDeadline(gate.promise, {
      ms: 10,
      clock,
      stage: 'connecting',
      onLate: (value) => late.push(value),
    });
    const ended = expect(waiting).rejects.toMatchObject({
      code: 'WAIT_TIMED_OUT',
      message: 'connecting took longer than 10 ms.',
    });
    await clock.advance(10);
    await ended;
    gate.resolve('connection');
    await clock.advance(0);
    expect(late).toEqual(['connection']);
  });

  test('ends with STOPPED when the signal aborts, also when it already has', async () => {
    const clock = createManualClock();
    const abort = new AbortController();
    const never = new Promise<void>(() => undefined);
    const waiting = withDeadline(never, { ms: 10, clock, stage: 'connecting', signal: abort.signal });
    abort.abort('enough');
    await expect(waiting).rejects.toMatchObject({ code: 'STOPPED', cause: 'enough' });
    await expect(
      withDeadline(never, { ms: 10, clock, stage: 'x', signal: abort.signal }),
    ).rejects.toMatchObject({ code: 'STOPPED' });
    expect(clock.armed).toBe(0);
  });

  test('drops a rejection that comes too late', async () => {
    const clock = createManualClock();
    const gate = Promise.withResolvers<string>();
    const waiting = withDeadline(gate.promise, {
      ms: 1,
      clock,
      stage: 'x',
      error: () => new RangeError('mine'),
    });
    const ended = expect(waiting).rejects.toThrowError('mine');
    await clock.advance(1);
    await ended;
    gate.reject(new RangeError('late'));
    await clock.advance(0);
  });
});
