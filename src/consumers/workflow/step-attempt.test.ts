import { expect, test } from 'vitest';
import { createTelemetry, systemClock } from '../../foundation/index.ts';
import type { RunnerServices } from '../runner.ts';
import { StepAttempt } from './step-attempt.ts';

const services = { clock: systemClock, telemetry: createTelemetry() } as RunnerServices;
const facts = {
  workflow: 'pay',
  instance: 7,
  key: 'A1',
  step: 'charge',
  undo: false,
  attempt: 1,
  timeoutMs: 60_000,
  cause: { correlationId: 'c', causationId: 'c' },
};

test('an attempt that is given up before it begins does nothing, and ends', async () => {
  const attempt = new StepAttempt(services, facts);
  attempt.abandon();
  expect(await attempt.run(() => expect.unreachable('its code ran'))).toEqual({ kind: 'abandoned' });
});

test('an attempt that is given up while it runs ends at once, and its signal tells', async () => {
  const attempt = new StepAttempt(services, facts);
  let heard: AbortSignal | undefined;
  const outcome = attempt.run(({ signal }) => {
    heard = signal;
    return new Promise(() => {});
  });
  attempt.abandon();
  expect(await outcome).toEqual({ kind: 'abandoned' });
  expect(heard?.aborted).toBe(true);
});
