import {
  type Context,
  context,
  type Link,
  type Span,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import { MetricRegistry } from './metric-registry.ts';
import {
  type SpanAttributes,
  type SpanName,
  spans,
  type TelemetryEventName,
  type TelemetryFields,
  telemetryEvents,
} from './telemetry-catalogue.ts';

export type { Span };

/** One event as listeners get it: a union over all names, so `name` tells which fields there are. */
export type TelemetryEvent<Name extends TelemetryEventName = TelemetryEventName> = {
  [Each in Name]: {
    readonly name: Each;
    readonly level: 'debug' | 'info' | 'warn' | 'error';
    readonly fields: TelemetryFields<Each>;
  };
}[Name];

export type TelemetryListener = (event: TelemetryEvent) => void;

/** The span kinds of OpenTelemetry for those of the catalogue. */
const spanKinds = {
  internal: SpanKind.INTERNAL,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
  client: SpanKind.CLIENT,
} as const;

/** What every room reports to: metrics, spans and events, by the names of the catalogue. Nothing in here throws. */
export interface Telemetry {
  readonly metrics: MetricRegistry;
  /** Tells every listener, now and in order; a listener that throws is counted and does no harm. */
  emit<Name extends TelemetryEventName>(name: Name, fields: TelemetryFields<Name>): void;
  /** Calls the listener with every event until the returned function is called. */
  listen(listener: TelemetryListener): () => void;
  /** A span; call `end()` on it. Costs next to nothing when the process has no OpenTelemetry SDK. */
  startSpan<Name extends SpanName>(name: Name, attributes: SpanAttributes<Name>, parent?: Context): Span;
  /** Runs `work` with the span as the active one, so that what it starts or publishes becomes its child. */
  inSpan<T>(span: Span, work: () => T): T;
  /** Runs `work` inside a span, which ends with it and carries its error. */
  withSpan<Name extends SpanName, T>(span: SpanRequest<Name>, work: (span: Span) => Promise<T>): Promise<T>;
}

export interface SpanRequest<Name extends SpanName> {
  readonly name: Name;
  readonly attributes: SpanAttributes<Name>;
  readonly parent?: Context;
  /** Spans that it follows from without being part of their trace. */
  readonly links?: readonly Link[];
  /** Takes out of an error's texts what may not leave the process. */
  readonly redact?: (text: string) => string;
}

/** Marks a span as failed; end it yourself. */
export const failSpan = (
  span: Span,
  error: unknown,
  redact: (text: string) => string = (text) => text,
): void => {
  const message = redact(error instanceof Error ? error.message : String(error));
  if (error instanceof Error)
    span.recordException({ name: error.name, message, stack: redact(error.stack ?? '') });
  span.setStatus({ code: SpanStatusCode.ERROR, message });
};

class InProcessTelemetry implements Telemetry {
  readonly metrics: MetricRegistry = new MetricRegistry();
  readonly #listeners = new Set<TelemetryListener>();
  readonly #tracer: Tracer = trace.getTracer('factline');

  emit<Name extends TelemetryEventName>(name: Name, fields: TelemetryFields<Name>): void {
    if (this.#listeners.size === 0) return;
    const event = { name, level: telemetryEvents[name].level, fields } as TelemetryEvent;
    for (const listener of this.#listeners) {
      try {
        listener(event);
      } catch {
        this.metrics.count('factline_listener_errors_total', { event: name });
      }
    }
  }

  listen(listener: TelemetryListener): () => void {
    // A wrapper of its own, so that one function may listen twice and each returned function ends its own.
    const own: TelemetryListener = (event) => listener(event);
    this.#listeners.add(own);
    return () => void this.#listeners.delete(own);
  }

  startSpan<Name extends SpanName>(
    name: Name,
    attributes: SpanAttributes<Name>,
    parent: Context = context.active(),
  ): Span {
    return this.#start({ name, attributes, parent });
  }

  inSpan<T>(span: Span, work: () => T): T {
    return context.with(trace.setSpan(context.active(), span), work);
  }

  #start<Name extends SpanName>({ name, attributes, parent, links = [] }: SpanRequest<Name>): Span {
    const options = { kind: spanKinds[spans[name].kind], attributes, links: [...links] };
    return this.#tracer.startSpan(name, options, parent);
  }

  async withSpan<Name extends SpanName, T>(
    request: SpanRequest<Name>,
    work: (span: Span) => Promise<T>,
  ): Promise<T> {
    const parent = request.parent ?? context.active();
    const span = this.#start({ ...request, parent });
    try {
      return await context.with(trace.setSpan(parent, span), () => work(span));
    } catch (error) {
      failSpan(span, error, request.redact);
      throw error;
    } finally {
      span.end();
    }
  }
}

/** One per app: two apps in one process don't mix their figures. */
export const createTelemetry = (): Telemetry => new InProcessTelemetry();
