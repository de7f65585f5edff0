import { expect, test } from 'vitest';
import { createTelemetry, systemClock } from '../../foundation/index.ts';
import type { StoredEvent } from '../../log/index.ts';
import type { RunnerServices } from '../runner.ts';
import type { PreparedBatch } from './batch-writer.ts';
import { measureBatch } from './measure-batch.ts';

const batch: PreparedBatch = {
  events: [{ recordedAt: '2010-12-01T08:26:00Z' } as StoredEvent],
  parks: [],
  handled: 1,
};

const measured = (state: 'live' | 'building') => {
  const telemetry = createTelemetry();
  const heard: string[] = [];
  const services = {
    telemetry,
    clock: systemClock,
    consumer: { name: 'orders', state },
    liveDelays: { handled: (consumer: string) => void heard.push(consumer) },
  } as unknown as RunnerServices;
  measureBatch(services, batch, 7);
  const lines = telemetry.metrics.renderPrometheus().split('\n');
  return { heard, has: (start: string) => lines.some((line) => line.startsWith(start)) };
};

test('a read model that is made anew counts what it handles, and is no delay and no checkpoint of the live one', () => {
  const live = measured('live');
  expect(live.heard).toEqual(['orders']);
  expect(live.has('factline_handle_latency_seconds_count{consumer="orders"} 1')).toBe(true);
  expect(live.has('factline_checkpoint_position{consumer="orders"} 7')).toBe(true);
  const building = measured('building');
  expect(building.has('factline_events_handled_total{consumer="orders"} 1')).toBe(true);
  expect(building.heard).toEqual([]);
  expect(building.has('factline_handle_latency_seconds_count{consumer="orders"}')).toBe(false);
  expect(building.has('factline_checkpoint_position{consumer="orders"}')).toBe(false);
});
