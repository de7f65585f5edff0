import { expect, test } from 'vitest';
import { Background } from './background.ts';

test('is settled only when the last task has ended, and at once when there is none', async () => {
  const background = new Background(() => undefined);
  await background.settled();
  const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  for (const gate of gates) background.run(() => gate.promise);
  let settled = false;
  const waiting = background.settled().then(() => {
    settled = true;
  });
  gates[0]!.resolve();
  await new Promise((resolve) => setImmediate(resolve));
  expect([settled, background.count]).toEqual([false, 1]);
  gates[1]!.resolve();
  await waiting;
  expect(background.count).toBe(0);
});

test('reports what a task throws, at once or later, and counts it as ended', async () => {
  const errors: unknown[] = [];
  const background = new Background((error) => errors.push(error));
  background.run(() => {
    throw 'at once';
  });
  background.run(async () => {
    throw 'later';
  });
  await background.settled();
  expect(errors).toEqual(['at once', 'later']);
});
