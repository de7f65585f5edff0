import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import type { Draft, EventContract } from '../../contracts/index.ts';
import { FactlineError } from '../../foundation/index.ts';

/** Lines of a file at most: more are several files. */
const linesMax = 1_000_000;
const problemsMax = 20;
const keysCounted = 100_000;

export interface PastFactsOptions {
  readonly file: string;
  /** The contracts of the app at hand, by which every line is checked. */
  readonly contracts: readonly EventContract[];
  /** Facts have happened before it; milliseconds since 1970. */
  readonly nowMs: number;
}

/** What a file holds. */
export interface PastFacts {
  readonly lines: number;
  /** SHA-256 over its bytes. */
  readonly digest: string;
  readonly bytes: number;
  readonly types: Readonly<Record<string, number>>;
  /** `exact: false`: at least so many. */
  readonly keys: { readonly count: number; readonly exact: boolean };
  /** ISO 8601. */
  readonly first: string;
  readonly last: string;
}

type Loose = Readonly<Record<string, unknown>>;

const members: readonly string[] = ['type', 'data', 'time'];

/** The fact in a line. @throws FactlineError BACKFILL_LINE_INVALID, and what its contract says of the payload */
export const draftOf = (line: string, { contracts, nowMs }: PastFactsOptions): Draft => {
  const invalid = (reason: string): FactlineError => new FactlineError('BACKFILL_LINE_INVALID', { reason });
  let given: unknown;
  try {
    given = JSON.parse(line);
  } catch {
    throw invalid('it is not JSON');
  }
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    throw invalid('it is not an object');
  const stranger = Object.keys(given).find((name) => !members.includes(name));
  if (stranger !== undefined) throw invalid(`it has ${stranger}; known are ${members.join(', ')}`);
  const { type, data, time } = given as Loose;
  const contract = contracts.find((each) => each.type === type);
  if (contract === undefined) throw invalid(`this app has no contract of ${String(type)}`);
  const at = typeof time === 'string' && /T.*(?:Z|[+-]\d\d:\d\d)$/.test(time) ? Date.parse(time) : Number.NaN;
  if (Number.isNaN(at)) throw invalid('its time is none with a zone, like 2019-01-31T09:00:00Z');
  if (at > nowMs) throw invalid(`its time, ${String(time)}, has not passed`);
  return contract(data as never, { time: new Date(at) });
};

/** The lines that hold something, with their numbers from 1 on. */
export async function* linesOf(
  file: string,
): AsyncGenerator<{ readonly number: number; readonly text: string }> {
  let number = 0;
  for await (const text of createInterface({
    input: createReadStream(file),
    crlfDelay: Number.POSITIVE_INFINITY,
  })) {
    number += 1;
    if (text.trim() !== '') yield { number, text };
  }
}

const digestOfFile = async (file: string): Promise<string> => {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
  return hash.digest('hex');
};

/**
 * Reads the whole file and checks every line against its contract; nothing is written.
 * @throws FactlineError BACKFILL_INVALID with the first lines that are wrong
 */
export const readPastFacts = async (options: PastFactsOptions): Promise<PastFacts> => {
  const digest = await digestOfFile(options.file);
  const problems: string[] = [];
  const types: Record<string, number> = Object.create(null);
  const keys = new Set<string>();
  let [lines, wrong, bytes, first, last] = [0, 0, 0, '', ''];
  for await (const { number, text } of linesOf(options.file)) {
    lines += 1;
    if (lines > linesMax)
      throw invalid(wrong, [`it has more than ${linesMax.toLocaleString('en-US')} lines`]);
    try {
      const { type, key, dataText, time = '' } = draftOf(text, options);
      types[type] = (types[type] ?? 0) + 1;
      if (keys.size < keysCounted) keys.add(key);
      bytes += dataText.length;
      if (first === '' || time < first) first = time;
      if (time > last) last = time;
    } catch (error) {
      wrong += 1;
      if (problems.length < problemsMax) problems.push(`line ${number}: ${messageOf(error)}`);
    }
  }
  if (wrong > 0) throw invalid(wrong, problems);
  if (lines === 0) throw invalid(0, ['it is empty']);
  const counted = { count: keys.size, exact: keys.size < keysCounted };
  return { lines, digest, bytes, types: { ...types }, keys: counted, first, last };
};

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

const invalid = (count: number, problems: readonly string[]): FactlineError => {
  const more = count > problems.length ? [`and ${count - problems.length} more`] : [];
  return new FactlineError('BACKFILL_INVALID', { problems: `\n  ${[...problems, ...more].join('\n  ')}` });
};
