import { parseArgs } from 'node:util';
import type { Rate } from './feeder/pace.ts';

export interface Options {
  /** null: the sample in data/. */
  readonly input: string | null;
  /** At most this many invoices. */
  readonly invoicesMax: number;
  readonly rate: Rate;
  readonly untilDrained: boolean;
  readonly reportPath: string | null;
  /** null: 4000, or the next free one. */
  readonly port: number | null;
  readonly workers: number;
  readonly chaos: boolean;
  readonly keep: boolean;
  /** The orders are fulfilled by one workflow each, instead of by the boxes' choreography. */
  readonly orchestrated: boolean;
  /** So many parcels in a hundred the carrier never picks up; only orchestrated, where somebody waits for it. */
  readonly carrierMissesPercent: number;
  /** A PostgreSQL server to make the pipeline's database in; null: the embedded one. */
  readonly database: string | null;
}

/** Who knows the way of an order: nobody, each box following the others' events, or one workflow. */
export type Mode = 'choreographed' | 'orchestrated';

export const modeOf = ({ orchestrated }: Pick<Options, 'orchestrated'>): Mode =>
  orchestrated ? 'orchestrated' : 'choreographed';

/** Everything that is wrong with the command line, at once. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

export const USAGE = `npm start -- [options]

  --input FILE       orders to feed, CSV or .csv.gz (default: the sample, 138 invoices of 1 Dec 2010)
  --orders N         feed only the first N invoices
  --rate N|max       invoices per second, or as fast as possible (default: compressed into two minutes)
  --until-drained    exit after the summary, also on a terminal
  --report FILE      write the report as JSON
  --port N           port of the API (default: 4000, or the next free one)
  --workers N        run the consumers in N processes of their own (1 to 8)
  --chaos            kill -9 a worker every few seconds (needs --workers 2 or more)
  --orchestrated     one durable workflow fulfils each order, instead of boxes that follow each other's events
  --carrier-misses N so many parcels in a hundred the carrier never collects (needs --orchestrated; default: 0)
  --keep             go on with the database of the last run
  --database URL     use this PostgreSQL server (default: an embedded one, in .factline/)
  --help

Examples
  npm start
  npm start -- --rate max --until-drained --report report.json
  npm start -- --input orders.csv.gz --workers 3 --chaos --rate max
  npm start -- --orchestrated --workers 3 --chaos --carrier-misses 5`;

const WORKERS_MAX = 8;
const DEFAULT_SECONDS = 120;

/** @returns the options, or null when help is asked for */
export function readOptions(args: readonly string[]): Options | null {
  const { values } = parse(args);
  if (values.help === true) return null;
  const faults: string[] = [];
  const number = (
    name: 'orders' | 'port' | 'workers' | 'carrier-misses',
    min: number,
    max: number,
  ): number | null => {
    const text = values[name];
    if (text === undefined) return null;
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= min && value <= max) return value;
    faults.push(`--${name}: expected a whole number from ${min} to ${max}, got '${text}'`);
    return null;
  };
  const invoicesMax = number('orders', 1, Number.MAX_SAFE_INTEGER) ?? Number.POSITIVE_INFINITY;
  const port = number('port', 1, 65_535);
  const workers = number('workers', 1, WORKERS_MAX) ?? 0;
  const rate = readRate(values.rate, faults);
  const misses = number('carrier-misses', 0, 100);
  const { chaos = false, keep = false, orchestrated = false, database = null } = values;
  if (misses !== null && !orchestrated) {
    faults.push('--carrier-misses: only the workflow waits for the carrier: add --orchestrated');
  }
  if (chaos && workers < 2) faults.push('--chaos kills workers: add --workers 2 or more');
  if (database !== null && !/^postgres(ql)?:\/\/./.test(database)) {
    faults.push(`--database: expected postgres://…, got '${database}'`);
  }
  if (faults.length > 0) throw new UsageError(faults.join('\n'));
  const untilDrained = values['until-drained'] ?? false;
  const reportPath = values.report ?? null;
  return {
    input: values.input ?? null,
    invoicesMax,
    rate,
    untilDrained,
    reportPath,
    port,
    workers,
    chaos,
    keep,
    orchestrated,
    carrierMissesPercent: misses ?? 0,
    database,
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        input: { type: 'string' },
        orders: { type: 'string' },
        rate: { type: 'string' },
        'until-drained': { type: 'boolean' },
        report: { type: 'string' },
        port: { type: 'string' },
        workers: { type: 'string' },
        chaos: { type: 'boolean' },
        keep: { type: 'boolean' },
        orchestrated: { type: 'boolean' },
        'carrier-misses': { type: 'string' },
        database: { type: 'string' },
        help: { type: 'boolean' },
      },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

function readRate(text: string | undefined, faults: string[]): Rate {
  if (text === undefined) return { withinSeconds: DEFAULT_SECONDS };
  if (text === 'max') return 'max';
  const perSecond = Number(text);
  if (perSecond > 0 && Number.isFinite(perSecond)) return { perSecond };
  faults.push(`--rate: expected a number of invoices per second or max, got '${text}'`);
  return 'max';
}
