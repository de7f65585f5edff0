import { context, trace } from '@opentelemetry/api';
import { afterEach, describe, expect, test } from 'vitest';
import { createTelemetry, type TelemetryEvent } from './telemetry.ts';
import { spans } from './telemetry-catalogue.ts';
import { contextOfTrace, currentTrace } from './trace-context.ts';

const traceId = '0af7651916cd43dd8448eb211c80319c';
const traceparent = `00-${traceId}-b7ad6b7169203331-01`;

describe('telemetry events', () => {
  test('reach every listener in order, until it ends', () => {
    const telemetry = createTelemetry();
    const seen: TelemetryEvent[] = [];
    const end = telemetry.listen((event) => seen.push(event));
    telemetry.emit('lane.taken', { consumer: 'a', lane: 1, token: 2, clean: true });
    end();
    telemetry.emit('lane.taken', { consumer: 'a', lane: 2, token: 2, clean: true });
    expect(seen).toEqual([
      { name: 'lane.taken', level: 'info', fields: { consumer: 'a', lane: 1, token: 2, clean: true } },
    ]);
  });

  test('a listener that throws hurts nobody and is counted', () => {
    const telemetry = createTelemetry();
    let reached = 0;
    telemetry.listen(() => {
      throw new RangeError('broken listener');
    });
    telemetry.listen(() => {
      reached += 1;
    });
    telemetry.emit('tail.unblocked', { blockedMs: 1 });
    expect(reached).toBe(1);
    expect(telemetry.metrics.value('factline_listener_errors_total', { event: 'tail.unblocked' })).toBe(1);
  });
});

/** The least of an SDK: a context manager that keeps the active context, and a tracer that records. */
const installSdk = () => {
  const ended: Record<string, unknown>[] = [];
  let active = contextOfTrace({});
  context.setGlobalContextManager({
    active: () => active,
    with: (next, run, self, ...values) => {
      const before = active;
      active = next;
      const result = run.call(self as never, ...values);
      // Good enough here: nothing else runs while the work is awaited.
      if (result instanceof Promise)
        void result
          .finally(() => {
            active = before;
          })
          .catch(() => undefined);
      else active = before;
      return result;
    },
    bind: (_context, target) => target,
    enable: () => context as never,
    disable: () => context as never,
  });
  let count = 0;
  trace.setGlobalTracerProvider({
    getTracer: () =>
      ({
        startSpan: (name: string, options: object, parent: never) => {
          count += 1;
          const own = {
            name,
            ...options,
            parent: trace.getSpanContext(parent)?.spanId,
            errors: [] as unknown[],
            status: undefined as unknown,
          };
          const spanId = count.toString(16).padStart(16, '0');
          return {
            spanContext: () => ({ traceId, spanId, traceFlags: 1 }),
            recordException: (error: unknown) => own.errors.push(error),
            setStatus: (status: unknown) => {
              own.status = status;
            },
            end: () => ended.push(own),
          };
        },
      }) as never,
  });
  return ended;
};

afterEach(() => {
  context.disable();
  trace.disable();
});

describe('spans', () => {
  test('work and cost no error when there is no SDK', async () => {
    const telemetry = createTelemetry();
    const result = await telemetry.withSpan(
      { name: 'factline.publish', attributes: { 'factline.events': 1 } },
      async () => 5,
    );
    expect(result).toBe(5);
    expect(currentTrace()).toEqual({});
  });

  test('carry kind and parent, are active during the work, and record its error', async () => {
    const ended = installSdk();
    const telemetry = createTelemetry();
    const parent = contextOfTrace({ traceparent });
    let inside: unknown;
    const failing = telemetry.withSpan(
      { name: 'factline.handle', attributes: { 'factline.attempt': 2 }, parent },
      async () => {
        inside = currentTrace();
        throw new RangeError('no');
      },
    );
    await expect(failing).rejects.toThrowError('no');
    expect(inside).toEqual({ traceparent: `00-${traceId}-0000000000000001-01` });
    expect(ended).toMatchObject([
      {
        name: 'factline.handle',
        parent: 'b7ad6b7169203331',
        attributes: { 'factline.attempt': 2 },
        status: { message: 'no' },
      },
    ]);
    expect(ended[0]?.['errors']).toHaveLength(1);
  });

  test('of the catalogue say what their attributes are', () => {
    for (const entry of Object.values(spans)) expect(entry.attributes.length).toBeGreaterThan(0);
  });
});

describe('trace context', () => {
  test('is passed on unchanged when nothing traces here', () => {
    expect(currentTrace({ traceparent, tracestate: 'a=1' })).toEqual({ traceparent, tracestate: 'a=1' });
  });

  test('round-trips through the W3C headers', () => {
    installSdk();
    const carried = contextOfTrace({ traceparent, tracestate: 'vendor=abc' });
    expect(context.with(carried, () => currentTrace())).toEqual({ traceparent, tracestate: 'vendor=abc' });
  });

  test.each([
    '',
    'x',
    `00-${'0'.repeat(32)}-b7ad6b7169203331-01`,
    `ff-${traceId}-b7ad6b7169203331-01`,
    traceparent.toUpperCase(),
  ])('ignores the malformed %j', (text) => {
    expect(trace.getSpanContext(contextOfTrace({ traceparent: text }))).toBeUndefined();
  });
});
