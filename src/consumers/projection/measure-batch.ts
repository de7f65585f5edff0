import type { RunnerServices } from '../runner.ts';
import type { PreparedBatch } from './batch-writer.ts';

/** Latencies taken of one batch: of a large one a sample is enough. */
const measuredPerBatch = 100;

/** What telemetry learns of a committed batch. A build beside the live one catches up with the past: that is no delay of anybody. */
export const measureBatch = (services: RunnerServices, batch: PreparedBatch, checkpoint: number): void => {
  const { telemetry, liveDelays, consumer, clock } = services;
  const labels = { consumer: consumer.name };
  telemetry.metrics.count('factline_events_handled_total', labels, batch.handled);
  if (consumer.state !== 'live') return;
  telemetry.metrics.set('factline_checkpoint_position', labels, checkpoint);
  const now = clock.wall().getTime();
  const { events } = batch;
  const [oldest] = events;
  if (oldest !== undefined) liveDelays.handled(consumer.name, oldest.recordedAt);
  const stride = Math.ceil(events.length / measuredPerBatch);
  for (let index = events.length - 1; index >= 0; index -= stride) {
    const recordedAt = Date.parse(events[index]?.recordedAt ?? '');
    const seconds = Math.max(now - recordedAt, 0) / 1000;
    telemetry.metrics.observe('factline_handle_latency_seconds', labels, seconds);
  }
};
