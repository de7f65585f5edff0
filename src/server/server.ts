import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createAdaptorServer } from '@hono/node-server';
import { Hono } from 'hono';
import { FactlineError, Lifecycle, type Startable, type Telemetry } from '../foundation/index.ts';
import { type Meter, type Verdict, VerdictMetrics, type VerdictName } from '../operations/index.ts';

export interface ServerOptions {
  readonly meter: Meter;
  readonly telemetry: Telemetry;
  /** 0 takes a free one; see `port` of the server. */
  readonly port: number;
  /** Default: 0.0.0.0, all interfaces, as orchestrators need it. */
  readonly host?: string;
}

/** Health and metrics of one process over HTTP; `stop` lets requests under way end. */
export interface FactlineServer extends Startable {
  /** The port it listens on; 0 while it does not. */
  readonly port: number;
}

/** Probes come every few seconds and from several sides: they share a measurement. */
const measurementMaxAgeMs = 2_000;
/** No progress, or no proof of progress. PAUSED and LATE consumers are not helped by taking the process away. */
const unready: ReadonlySet<VerdictName> = new Set(['STALLED', 'UNKNOWN']);

/**
 * @example
 * const server = createServer({ meter, telemetry, port: 9464 })
 * await server.start() // GET /health/live, /health/ready, /metrics
 * @throws FactlineError PORT_IN_USE from start().
 */
export const createServer = (options: ServerOptions): FactlineServer => new HttpServer(options);

interface Readiness {
  readonly status: 'ready' | 'not ready';
  readonly consumers: readonly Pick<Verdict, 'consumer' | 'class' | 'verdict' | 'lagSeconds' | 'reasons'>[];
}

export const readinessOf = (verdicts: readonly Verdict[]): Readiness => ({
  status: verdicts.some(({ verdict, state }) => unready.has(verdict) && state === 'live')
    ? 'not ready'
    : 'ready',
  consumers: verdicts.map(({ consumer, class: className, verdict, lagSeconds, reasons }) => ({
    consumer,
    class: className,
    verdict,
    lagSeconds,
    reasons,
  })),
});

const routes = ({ meter, telemetry }: ServerOptions): Hono => {
  const verdictMetrics = new VerdictMetrics(telemetry.metrics);
  const verdicts = (): Promise<readonly Verdict[]> => meter.verdicts({ maxAgeMs: measurementMaxAgeMs });
  return new Hono()
    .get('/health/live', (context) => context.json({ status: 'live' }))
    .get('/health/ready', async (context) => {
      const readiness = readinessOf(await verdicts());
      return context.json(readiness, readiness.status === 'ready' ? 200 : 503);
    })
    .get('/metrics', async (context) => {
      verdictMetrics.report(await verdicts());
      return context.text(telemetry.metrics.renderPrometheus(), 200, {
        'content-type': 'text/plain; version=0.0.4; charset=utf-8',
      });
    });
};

class HttpServer extends Lifecycle implements FactlineServer {
  readonly #options: ServerOptions;
  #server: Server | undefined;

  constructor(options: ServerOptions) {
    super('the HTTP server');
    this.#options = options;
  }

  get port(): number {
    const address = this.#server?.address() as AddressInfo | string | null | undefined;
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  protected async onStart(): Promise<void> {
    const { port, host = '0.0.0.0' } = this.#options;
    const server = createAdaptorServer({ fetch: routes(this.#options).fetch }) as Server;
    this.#server = server;
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error) => reject(explainListenError(error, host, port)));
      server.listen(port, host, resolve);
    });
  }

  protected async onStop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server === undefined || !server.listening) return;
    await new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeIdleConnections();
    });
  }
}

const explainListenError = (error: Error, host: string, port: number): Error => {
  const { code } = error as { code?: string };
  if (code === 'EADDRINUSE') return new FactlineError('PORT_IN_USE', { port, host }, { cause: error });
  if (code === 'EACCES' || code === 'EADDRNOTAVAIL') {
    const option = code === 'EACCES' ? 'port' : 'host';
    const actual = code === 'EACCES' ? port : host;
    return new FactlineError(
      'OPTION_INVALID',
      { option, expected: 'one this process may listen on', actual },
      { cause: error },
    );
  }
  return error;
};
