import { expect, it } from 'vitest';
import { quantileMs, readMetrics } from './metrics.ts';

const text = (handled: number): string => `# HELP factline_events_handled_total Events handled and committed.
factline_events_handled_total{consumer="payment"} ${handled}
factline_duplicates_suppressed_total{consumer="payment"} 1
factline_handle_attempts_total{consumer="payment",outcome="handled"} ${handled}
factline_handle_attempts_total{consumer="payment",outcome="transient"} 2
factline_handle_latency_seconds_bucket{consumer="payment",le="0.001"} 0
factline_handle_latency_seconds_bucket{consumer="payment",le="0.01"} ${handled / 2}
factline_handle_latency_seconds_bucket{consumer="payment",le="0.1"} ${handled}
factline_handle_latency_seconds_bucket{consumer="payment",le="+Inf"} ${handled}
`;

it('the metrics of several processes are added up', () => {
  const metrics = readMetrics([text(10), text(30)]).get('payment');
  expect(metrics).toMatchObject({ handled: 40, duplicatesSuppressed: 2, attempts: 44 });
  expect(quantileMs(metrics?.latencyBuckets ?? new Map(), 0.5)).toBe(10);
  expect(quantileMs(metrics?.latencyBuckets ?? new Map(), 0.75)).toBe(55);
});

it('what was not measured has no quantile', () => {
  expect(quantileMs(new Map(), 0.5)).toBeNull();
});
