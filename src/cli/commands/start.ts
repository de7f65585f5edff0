import type { Parts } from '../../app/index.ts';
import { countText } from '../../operations/index.ts';
import { createServer, type FactlineServer } from '../../server/index.ts';
import type { Command, CommandContext, CommandOption } from '../command.ts';
import { appOption, type LoadedApp, loadApp } from '../configuration.ts';
import { logLevel, printEvents } from '../event-log.ts';
import { wholeNumber } from '../parse.ts';

/** As OpenTelemetry's Prometheus exporters listen by default. */
const portDefault = 9464;

export const runOptions: readonly CommandOption[] = [
  {
    name: 'port',
    value: 'N',
    help: `Port of health and metrics; 0 takes a free one. Default: ${portDefault}.`,
  },
  {
    name: 'host',
    value: 'ADDRESS',
    help: 'Address to listen on. Default: 0.0.0.0 (start), 127.0.0.1 (dev).',
  },
  { name: 'server', negated: true, help: 'No health and metrics over HTTP.' },
  { name: 'log', value: 'LEVEL', help: 'debug, info, warn or error. Default: info (start), warn (dev).' },
  appOption,
];

export const start: Command = {
  path: ['start'],
  summary: "Run the app's consumers, with health and metrics over HTTP.",
  description:
    'Runs the consumers of the app until SIGTERM or Ctrl-C, then drains: what is in flight ends, lanes are given up, nothing is lost. A second Ctrl-C stops at once.',
  options: runOptions,
  examples: [
    { line: 'factline start', does: `health on http://127.0.0.1:${portDefault}/health/ready` },
    { line: 'factline start --port 8080 --json', does: 'logs as one JSON document per line' },
  ],
  json: [
    { name: '(one document per line)', help: 'What happened:' },
    { name: 'time, level, event', help: 'Names as in docs/operations.md.' },
    { name: '(others)', help: 'The fields of that event.' },
  ],
  run: async (context) => {
    const { terminal, signal } = context;
    const loaded = await loadApp(context);
    const say = (line: string): void => terminal.out(line);
    const running = await startApp(context, loaded, {
      host: '0.0.0.0',
      level: logLevel(context, 'info'),
      print: say,
    });
    say(startedLine(context, loaded, running));
    await aborted(signal);
    if (!context.json) terminal.err(drainingLine(running));
    await running.stop();
    return 0;
  },
};

export interface RunningApp {
  readonly parts: Parts;
  readonly server: FactlineServer | null;
  stop(): Promise<void>;
}

export interface StartOptions {
  readonly host: string;
  readonly level: ReturnType<typeof logLevel>;
  readonly print: (line: string) => void;
}

/** The port is taken before anything is handled, and given back before the last lane. Nothing stays open when it fails. */
export const startApp = async (
  context: CommandContext,
  { app, internals }: LoadedApp,
  { host, level, print }: StartOptions,
): Promise<RunningApp> => {
  const { clock, json, style } = context;
  const port = wholeNumber(context.given, 'port', { min: 0, max: 65_535, fallback: portDefault });
  const { telemetry } = internals;
  const forget = printEvents({ telemetry, clock, level, json, style, print });
  let server: FactlineServer | null = null;
  const stop = async (): Promise<void> => {
    try {
      await server?.stop();
    } finally {
      await app.stop();
      forget();
    }
  };
  try {
    const parts = await internals.open();
    if (!context.given.has('no-server')) {
      server = createServer({
        meter: parts.meter,
        telemetry,
        port,
        host: context.given.text('host') ?? host,
      });
      await server.start();
    }
    await app.start();
    return { parts, server, stop };
  } catch (error) {
    await stop().catch(() => undefined);
    throw error;
  }
};

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });

const startedLine = (
  { json, style, clock }: CommandContext,
  { internals }: LoadedApp,
  { server }: RunningApp,
): string => {
  const { name, consumers } = internals.settings;
  if (json) {
    const fields = { app: name, consumers: consumers.length, port: server?.port ?? null };
    return JSON.stringify({
      time: clock.wall().toISOString(),
      level: 'info',
      event: 'app.started',
      ...fields,
    });
  }
  const health =
    server === null ? '' : ` · health http://127.0.0.1:${server.port}/health/ready · metrics /metrics`;
  return `${style.green('✓')} ${name} runs ${countText(consumers.length, 'consumer')}${health}`;
};

export const drainingLine = ({ parts }: RunningApp): string => {
  const inFlight = parts.engine
    .running()
    .reduce((sum, { progress }) => sum + progress.lanes.reduce((lanes, lane) => lanes + lane.inFlight, 0), 0);
  return `draining (${inFlight} in flight) … Ctrl-C again stops at once; nothing is lost`;
};
