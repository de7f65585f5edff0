import {
  type Clock,
  FactlineError,
  type Telemetry,
  type TelemetryEvent,
  type Timer,
} from '../foundation/index.ts';
import type { CommandContext } from './command.ts';
import { printable, type Style } from './style.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
const levels: readonly LogLevel[] = ['debug', 'info', 'warn', 'error'];

/** @throws FactlineError OPTION_INVALID */
export const logLevel = ({ given }: CommandContext, fallback: LogLevel): LogLevel => {
  const asked = given.text('log');
  if (asked === undefined) return fallback;
  const level = levels.find((each) => each === asked);
  if (level !== undefined) return level;
  throw new FactlineError('OPTION_INVALID', { option: '--log', expected: levels.join(', '), actual: asked });
};

const shown = (value: unknown): unknown => {
  if (value instanceof Error) return value.message;
  return typeof value === 'bigint' ? String(value) : value;
};

export interface LineOptions {
  readonly json: boolean;
  readonly style: Style;
  readonly time: Date;
}

/** One telemetry event as one line: `14:03:22.123 warn event.attempt-failed consumer=payment attempt=2 …`, or as JSON. */
const eventLogLine = (event: TelemetryEvent, { json, style, time }: LineOptions): string => {
  const fields = Object.entries(event.fields).map(([name, value]) => [name, shown(value)] as const);
  if (json)
    return JSON.stringify({
      time: time.toISOString(),
      level: event.level,
      event: event.name,
      ...Object.fromEntries(fields),
    });
  const paint = { debug: style.dim, info: style.cyan, warn: style.yellow, error: style.red }[event.level];
  const texts = fields
    .filter(([, value]) => value !== undefined && value !== null)
    .map(
      ([name, value]) =>
        `${style.dim(`${name}=`)}${printable(typeof value === 'string' && !/[\s"]/.test(value) ? value : JSON.stringify(value))}`,
    );
  return [
    style.dim(time.toISOString().slice(11, 23)),
    paint(event.level.padEnd(5)),
    event.name,
    ...texts,
  ].join(' ');
};

export interface EventLogOptions {
  readonly telemetry: Telemetry;
  readonly clock: Clock;
  readonly level: LogLevel;
  readonly json: boolean;
  readonly style: Style;
  readonly print: (line: string) => void;
}

/** A process takes sixteen lanes of a consumer within milliseconds: that is one line, not sixteen. */
const laneEvents: ReadonlySet<string> = new Set(['lane.taken', 'lane.released']);
const groupMs = 100;

/** `0–15`, `1, 3–5`. */
export const rangesText = (numbers: readonly number[]): string => {
  const ranges: [number, number][] = [];
  for (const number of [...numbers].sort((left, right) => left - right)) {
    const last = ranges.at(-1);
    if (last !== undefined && number === last[1] + 1) last[1] = number;
    else ranges.push([number, number]);
  }
  return ranges.map(([from, to]) => (from === to ? `${from}` : `${from}–${to}`)).join(', ');
};

/** Prints telemetry of this level and above until the returned function is called. */
export const printEvents = (options: EventLogOptions): (() => void) => {
  const { telemetry, clock, level, json, style, print } = options;
  const groups = new Map<string, { readonly event: TelemetryEvent; readonly lanes: number[] }>();
  let timer: Timer | undefined;
  const printEvent = (event: TelemetryEvent): void =>
    print(eventLogLine(event, { json, style, time: clock.wall() }));
  const flush = (): void => {
    timer?.cancel();
    timer = undefined;
    for (const { event, lanes } of groups.values()) {
      const { consumer } = event.fields as { consumer?: unknown };
      printEvent({ ...event, fields: { consumer, lanes: rangesText(lanes) } } as unknown as TelemetryEvent);
    }
    groups.clear();
  };
  const group = (event: TelemetryEvent): void => {
    const { consumer, lane } = event.fields as { consumer?: unknown; lane?: unknown };
    const name = `${event.name} ${consumer}`;
    const found = groups.get(name) ?? { event, lanes: [] };
    found.lanes.push(Number(lane));
    groups.set(name, found);
    timer ??= clock.timer(groupMs, flush, { unref: true });
  };
  const forget = telemetry.listen((event) => {
    if (levels.indexOf(event.level) < levels.indexOf(level)) return;
    if (!json && laneEvents.has(event.name)) group(event);
    else printEvent(event);
  });
  return () => {
    forget();
    flush();
  };
};
