import { context, trace } from '@opentelemetry/api';

export interface Tracing {
  /** Sends what is left. A collector that is down delays nobody for longer than its time limit, and fails nothing. */
  stop(): Promise<void>;
}

/** What is ended is sent this often: a worker that is killed takes one second of spans with it. */
const SEND_EVERY_MS = 1_000;
const SEND_WITHIN_MS = 2_000;

/**
 * Sends the spans of this process by OTLP/HTTP to the collector that OTEL_EXPORTER_OTLP_ENDPOINT names, such as
 * http://localhost:4318. Without that variable no SDK is loaded, and Factline's spans cost next to nothing.
 * OTEL_EXPORTER_OTLP_HEADERS, OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES mean what they mean everywhere.
 *
 * @param role what this process does for the pipeline: its `service.name` is `order-pipeline-ROLE`
 */
export async function startTracing(role: 'api' | 'worker'): Promise<Tracing> {
  if (!process.env['OTEL_EXPORTER_OTLP_ENDPOINT']) return { stop: async () => {} };
  const [{ AsyncLocalStorageContextManager }, { OTLPTraceExporter }, resources, sdk] = await Promise.all([
    import('@opentelemetry/context-async-hooks'),
    import('@opentelemetry/exporter-trace-otlp-http'),
    import('@opentelemetry/resources'),
    import('@opentelemetry/sdk-trace'),
  ]);
  const { envDetector, processDetector, detectResources, resourceFromAttributes } = resources;
  const exporter = new OTLPTraceExporter({ timeoutMillis: SEND_WITHIN_MS });
  const provider = new sdk.TracerProvider({
    resource: resourceFromAttributes({ 'service.name': `order-pipeline-${role}` }).merge(
      detectResources({ detectors: [processDetector, envDetector] }),
    ),
    spanProcessors: [
      new sdk.BatchSpanProcessor({
        exporter,
        scheduledDelayMillis: SEND_EVERY_MS,
        exportTimeoutMillis: SEND_WITHIN_MS,
      }),
    ],
  });
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  trace.setGlobalTracerProvider(provider);
  return {
    stop: async () => {
      await provider.shutdown().catch(() => {}); // telemetry that is lost fails no run
      trace.disable();
      context.disable();
    },
  };
}
