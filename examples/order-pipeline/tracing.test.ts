import { trace } from '@opentelemetry/api';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { type CollectedSpan, type Collector, startCollector } from './test/collector.ts';
import { prepareWholeRun, type WholeRun } from './test/whole-run.ts';
import { startTracing } from './tracing.ts';

let whole: WholeRun;
let collector: Collector;
beforeAll(async () => {
  whole = await prepareWholeRun('tracing');
  collector = await startCollector();
});
afterEach(() => vi.unstubAllEnvs());
afterAll(async () => {
  await collector?.stop();
  await whole?.drop();
});

const words = ['--orders', '6', '--workers', '1', '--rate', 'max', '--until-drained'];

describe('the spans of the pipeline', { timeout: 90_000 }, () => {
  it('reach a collector by OTLP/HTTP: publish → consume → effect of an order, one trace over two processes', async () => {
    vi.stubEnv('OTEL_EXPORTER_OTLP_ENDPOINT', collector.url);
    expect((await whole.run(...words)).ok).toBe(true);
    const { spans } = collector;
    const byId = new Map(spans.map((span) => [span.spanId, span]));
    const parentOf = ({ parentSpanId = '' }: CollectedSpan): CollectedSpan | undefined =>
      byId.get(parentSpanId);
    const charges = spans.filter(
      ({ name, attributes }) => name === 'factline.effect' && attributes['factline.effect'] === 'charge',
    );
    expect(charges.length).toBeGreaterThan(3);
    for (const charge of charges) {
      const handling = parentOf(charge);
      const publishing = handling && parentOf(handling);
      expect(handling).toMatchObject({
        name: 'factline.handle',
        service: 'order-pipeline-worker',
        traceId: charge.traceId,
        attributes: { 'factline.consumer': 'payment', 'factline.type': 'orders.order.placed.v1' },
      });
      expect(publishing).toMatchObject({
        name: 'factline.publish',
        service: 'order-pipeline-api',
        pid: process.pid,
        traceId: charge.traceId,
      });
      expect(charge.pid).not.toBe(process.pid);
    }
    // What follows is in the trace as well: the parcel was shipped because the order was placed.
    const { traceId } = charges[0] as CollectedSpan;
    const handled = spans.filter((span) => span.traceId === traceId && span.name === 'factline.handle');
    expect(new Set(handled.map(({ attributes }) => attributes['factline.consumer']))).toEqual(
      new Set([
        'inventory',
        'payment',
        'fulfilment',
        'shipping',
        'customer-notification',
        'analytics-export',
      ]),
    );
  });

  it('hold up nothing and fail nothing when the collector is down', async () => {
    vi.stubEnv('OTEL_EXPORTER_OTLP_ENDPOINT', 'http://127.0.0.1:1');
    expect((await whole.run(...words)).ok).toBe(true);
  });

  it('are not made at all unless a collector is named', async () => {
    vi.stubEnv('OTEL_EXPORTER_OTLP_ENDPOINT', '');
    const tracing = await startTracing('api');
    expect(trace.getTracer('order-pipeline').startSpan('factline.publish').isRecording()).toBe(false);
    await tracing.stop();
  });
});
