import { AsyncLocalStorage } from 'node:async_hooks';
import { context, type Link, ROOT_CONTEXT, trace } from '@opentelemetry/api';

export interface EndedSpan {
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parent: string | undefined;
  readonly links: readonly { readonly traceId: string; readonly spanId: string }[];
  readonly attributes: Record<string, unknown>;
  failed: boolean;
}

/** The least of an OpenTelemetry SDK: spans that are recorded, and a context that follows promises. End it with `forgetSdk`. */
export const installSdk = (): EndedSpan[] => {
  const ended: EndedSpan[] = [];
  const storage = new AsyncLocalStorage<typeof ROOT_CONTEXT>();
  context.setGlobalContextManager({
    active: () => storage.getStore() ?? ROOT_CONTEXT,
    with: (next, work, self, ...values) => storage.run(next, () => work.call(self as never, ...values)),
    bind: (_context, target) => target,
    enable() {
      return this;
    },
    disable() {
      return this;
    },
  });
  let count = 0;
  const startSpan = (
    name: string,
    options: { attributes: Record<string, unknown>; links?: readonly Link[] },
    parent: typeof ROOT_CONTEXT,
  ) => {
    count += 1;
    const from = trace.getSpanContext(parent);
    const spanId = count.toString(16).padStart(16, '0');
    const traceId = from?.traceId ?? count.toString(16).padStart(32, 'a');
    const span: EndedSpan = {
      name,
      traceId,
      spanId,
      parent: from?.spanId,
      links: (options.links ?? []).map(({ context: to }) => ({ traceId: to.traceId, spanId: to.spanId })),
      attributes: options.attributes,
      failed: false,
    };
    return {
      spanContext: () => ({ traceId, spanId, traceFlags: 1 }),
      recordException: () => undefined,
      setStatus: () => {
        span.failed = true;
      },
      end: () => ended.push(span),
    };
  };
  trace.setGlobalTracerProvider({ getTracer: () => ({ startSpan }) as never });
  return ended;
};

export const forgetSdk = (): void => {
  context.disable();
  trace.disable();
};
