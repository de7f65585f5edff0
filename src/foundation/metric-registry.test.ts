import { expect, test } from 'vitest';
import { MetricRegistry } from './metric-registry.ts';
import { fineSeriesMax } from './telemetry-catalogue/buckets.ts';
import { metrics } from './telemetry-catalogue.ts';

test('counters, gauges and histograms are rendered as Prometheus text', () => {
  const registry = new MetricRegistry();
  registry.count('factline_events_handled_total', { consumer: 'b"\\\n' });
  registry.count('factline_events_handled_total', { consumer: 'a' }, 3);
  registry.count('factline_events_handled_total', { consumer: 'a' });
  registry.set('factline_tail_settled_position', {}, 12);
  registry.observe('factline_handle_duration_seconds', { consumer: 'a' }, 0.002);
  registry.observe('factline_handle_duration_seconds', { consumer: 'a' }, 0.001);
  registry.observe('factline_handle_duration_seconds', { consumer: 'a' }, 100);
  const text = registry.renderPrometheus();
  expect(text).toContain('# TYPE factline_events_handled_total counter\n');
  expect(text).toContain('factline_events_handled_total{consumer="b\\"\\\\\\n"} 1\n');
  expect(text).toContain('factline_events_handled_total{consumer="a"} 4\n');
  expect(text).toContain('factline_tail_settled_position 12\n');
  expect(text).toContain('factline_handle_duration_seconds_bucket{consumer="a",le="0.001"} 1\n');
  expect(text).toContain('factline_handle_duration_seconds_bucket{consumer="a",le="0.0025"} 2\n');
  expect(text).toContain('factline_handle_duration_seconds_bucket{consumer="a",le="60"} 2\n');
  expect(text).toContain('factline_handle_duration_seconds_bucket{consumer="a",le="+Inf"} 3\n');
  expect(text).toContain('factline_handle_duration_seconds_sum{consumer="a"} 100.003\n');
  expect(text).toContain('factline_handle_duration_seconds_count{consumer="a"} 3\n');
  expect(text.endsWith('\n')).toBe(true);
});

test('many histograms are shown with fewer buckets, whose counts are the same', () => {
  const registry = new MetricRegistry();
  const bucketsOf = (consumer: string): string[] =>
    [...registry.renderPrometheus().matchAll(/handle_latency_seconds_bucket\{consumer="(.*)",(le=.*)$/gm)]
      .filter(([, of]) => of === consumer)
      .map(([, , rest = '']) => rest);
  for (let index = 0; index < fineSeriesMax; index += 1)
    registry.observe('factline_handle_latency_seconds', { consumer: `c${index}` }, 0.004 * index);
  const fine = bucketsOf('c7');
  expect(fine).toHaveLength(metrics.factline_handle_latency_seconds.buckets.length + 1);
  registry.observe('factline_handle_latency_seconds', { consumer: 'one more' }, 1);
  const coarse = bucketsOf('c7');
  expect(coarse).toEqual([
    'le="0.01"} 0',
    'le="0.1"} 1',
    'le="1"} 1',
    'le="10"} 1',
    'le="300"} 1',
    'le="+Inf"} 1',
  ]);
  expect(fine).toEqual(expect.arrayContaining(coarse));
});

test('what was never recorded is not reported, and what is forgotten neither', () => {
  const registry = new MetricRegistry();
  expect(registry.renderPrometheus()).toBe('\n');
  registry.set('factline_parked', { state: 'quarantined', consumer: 'a' }, 2);
  expect(registry.value('factline_parked', { consumer: 'a', state: 'quarantined' })).toBe(2);
  expect(registry.renderPrometheus()).toContain('factline_parked{consumer="a",state="quarantined"} 2');
  registry.forget('factline_parked', { consumer: 'a', state: 'quarantined' });
  expect(registry.renderPrometheus()).not.toContain('quarantined"}');
});

test('gauges that are cheap to read are measured when they are rendered', () => {
  const registry = new MetricRegistry();
  let head = 5;
  const end = registry.onRender(() => registry.set('factline_tail_head_position', {}, head));
  expect(registry.renderPrometheus()).toContain('factline_tail_head_position 5\n');
  head = 6;
  expect(registry.renderPrometheus()).toContain('factline_tail_head_position 6\n');
  end();
  head = 7;
  expect(registry.renderPrometheus()).toContain('factline_tail_head_position 6\n');
});

test('a label of unbounded variety does not fill the memory', () => {
  const registry = new MetricRegistry();
  for (let i = 0; i < 10_100; i++) registry.count('factline_events_published_total', { type: `t${i}` });
  expect(registry.renderPrometheus().match(/^factline_events_published_total\{/gm)).toHaveLength(10_000);
});

test('every name of the catalogue follows the conventions of Prometheus', () => {
  for (const [name, entry] of Object.entries(metrics)) {
    expect(name).toMatch(/^factline_[a-z_]+$/);
    expect(name.endsWith('_total')).toBe(entry.type === 'counter');
    if (entry.type === 'histogram')
      expect([...entry.buckets]).toEqual([...entry.buckets].sort((a, b) => a - b));
    if (entry.type === 'histogram')
      expect(entry.buckets).toEqual(expect.arrayContaining([...entry.coarseBuckets]));
  }
});
