import {
  type Context,
  context,
  createTraceState,
  isSpanContextValid,
  type Link,
  ROOT_CONTEXT,
  type SpanContext,
  trace,
} from '@opentelemetry/api';

/** The W3C trace context as it travels in an event. */
export interface TraceContext {
  readonly traceparent?: string;
  readonly tracestate?: string;
}

const traceparentPattern = /^[\da-f]{2}-([\da-f]{32})-([\da-f]{16})-([\da-f]{2})(?:-.*)?$/;

/** Done by ourselves, because the API's propagators do nothing unless an SDK has registered one. */
const fromSpanContext = (span: SpanContext): TraceContext => {
  const flags = (span.traceFlags & 0xff).toString(16).padStart(2, '0');
  const tracestate = span.traceState?.serialize();
  return { traceparent: `00-${span.traceId}-${span.spanId}-${flags}`, ...(tracestate ? { tracestate } : {}) };
};

/** Whether a span is active at this place. */
export const isTracing = (): boolean => {
  const active = trace.getSpanContext(context.active());
  return active !== undefined && isSpanContextValid(active);
};

/**
 * The trace context that an event published now should carry: that of the active span,
 * else `inherited` unchanged (without an SDK the trace of the incoming event is passed on).
 */
export const currentTrace = (inherited: TraceContext = {}): TraceContext => {
  const active = trace.getSpanContext(context.active());
  if (active && isSpanContextValid(active)) return fromSpanContext(active);
  const { traceparent, tracestate } = inherited;
  return { ...(traceparent ? { traceparent } : {}), ...(tracestate ? { tracestate } : {}) };
};

/** The context in which an event's handling takes place: a child of the span that published it; malformed text is ignored. */
export const contextOfTrace = (carried: TraceContext, base: Context = ROOT_CONTEXT): Context => {
  const match = carried.traceparent === undefined ? null : traceparentPattern.exec(carried.traceparent);
  if (!match || carried.traceparent?.startsWith('ff')) return base;
  const [, traceId = '', spanId = '', flags = '00'] = match;
  const span: SpanContext = {
    traceId,
    spanId,
    traceFlags: Number.parseInt(flags, 16),
    isRemote: true,
    ...(carried.tracestate ? { traceState: createTraceState(carried.tracestate) } : {}),
  };
  return isSpanContextValid(span) ? trace.setSpanContext(base, span) : base;
};

/** What leads from a trace of its own to the span that published an event; nothing where it carries none. */
export const linksToTrace = (carried: TraceContext): readonly Link[] => {
  const published = trace.getSpanContext(contextOfTrace(carried));
  return published === undefined ? [] : [{ context: published }];
};
