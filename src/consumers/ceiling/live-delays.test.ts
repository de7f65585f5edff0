import { expect, test } from 'vitest';
import { LiveDelays, preciseMs } from './live-delays.ts';

test('who listens hears of each event once, and no more once it has had enough', () => {
  const delays = new LiveDelays();
  const heard: string[] = [];
  const listener = (consumer: string): void => {
    heard.push(consumer);
  };
  delays.handled('mailing', '2030-01-31T09:00:00Z');
  delays.listen(listener);
  delays.listen(listener);
  delays.handled('payment', '2030-01-31T09:00:00Z');
  delays.forget(listener);
  delays.handled('stock', '2030-01-31T09:00:00Z');
  expect(heard).toEqual(['payment']);
});

test('a time keeps its microseconds, and may have none', () => {
  const whole = Date.parse('2030-01-31T09:00:01Z');
  expect(preciseMs('2030-01-31T09:00:01.442021Z') - whole).toBeCloseTo(442.021, 3);
  expect(preciseMs('2030-01-31T09:00:01.4Z') - whole).toBeCloseTo(400, 3);
  expect(preciseMs('2030-01-31T09:00:01Z')).toBe(whole);
});
