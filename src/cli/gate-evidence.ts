import { type ConsumerDefinition, dryRun } from '../consumers/index.ts';
import type { Observed } from '../contracts/index.ts';
import { exitCodes, FactlineError } from '../foundation/index.ts';
import {
  checkAgainstLog,
  type DryRunSummary,
  type LogEvidence,
  type LogSample,
  observedInDryRun,
  observedInLog,
  observedTogether,
  readSample,
  summariseDryRun,
} from '../operations/index.ts';
import type { Database } from '../postgres/index.ts';
import type { CommandContext, CommandOption, JsonField } from './command.ts';
import { loadApp } from './configuration.ts';
import { withDatabase } from './connection.ts';
import { wholeNumber } from './parse.ts';

const sampleDefault = 200;
const sampleMax = 10_000;

export const evidenceOptions: readonly CommandOption[] = [
  {
    name: 'against-log',
    help: 'Also hold the contracts against events that are really in the log and in the quarantine of the database.',
  },
  {
    name: 'run',
    value: 'CONSUMER',
    help: 'Also let this consumer handle them: each in a transaction that is rolled back, with its effects closed.',
  },
  {
    name: 'sample',
    value: 'N',
    help: `With these: the newest N events of each producer version. Default: ${sampleDefault}.`,
  },
];

export const evidenceFields: readonly JsonField[] = [
  {
    name: 'log',
    help: 'With --against-log: { span, checked, refused, contracts[] }, by producer version: how many, for which reasons, which events.',
  },
  {
    name: 'dryRun',
    help: 'With --run: { consumer, span, events, outcomes, failures[], effects, published, changes[], columns }.',
  },
];

/** What the database says about the contracts of the code. */
export interface GateEvidence {
  readonly log: LogEvidence | null;
  readonly dryRun: DryRunSummary | null;
  /** The same as findings of the gate. */
  readonly observed: Observed;
}

/**
 * What was asked for; null when nothing was.
 * @throws FactlineError OPTION_INVALID, CONSUMER_UNKNOWN, STOPPED, and what `loadApp` and `withDatabase` throw
 */
export const gatherEvidence = async (context: CommandContext): Promise<GateEvidence | null> => {
  const { given } = context;
  const named = given.text('run');
  const againstLog = given.has('against-log');
  if (named === undefined && !againstLog) {
    refuseSampleAlone(given.text('sample'));
    return null;
  }
  const limit = wholeNumber(given, 'sample', { min: 1, max: sampleMax, fallback: sampleDefault });
  const { internals } = await loadApp(context);
  const { name: source, contracts, upcasters, consumers } = internals.settings;
  const consumer = named === undefined ? null : consumerNamed(consumers, named);
  const types = againstLog ? contracts.map(({ type }): string => type) : [...(consumer?.types ?? [])];
  return withDatabase(context, async ({ database }) => {
    const sample = await readSample(database.operations, { types, limit });
    const log = againstLog ? checkAgainstLog({ contracts, upcasters, sample }) : null;
    const summary = consumer === null ? null : await runDry(context, { consumer, sample, database, source });
    const observed = observedTogether(
      ...(log === null ? [] : [observedInLog(log, contracts)]),
      ...(summary === null ? [] : [observedInDryRun(summary, { besideLog: log !== null })]),
    );
    return { log, dryRun: summary, observed };
  });
};

interface DryRunRequest {
  readonly consumer: ConsumerDefinition;
  readonly sample: LogSample;
  readonly database: Database;
  readonly source: string;
}

const runDry = async (
  context: CommandContext,
  { consumer, sample, database, source }: DryRunRequest,
): Promise<DryRunSummary> => {
  const { clock, signal } = context;
  const sampled = sample.events.filter(({ event }) => consumer.types.has(event.type));
  const events = sampled.map(({ event }) => event);
  const outcomes = await guarded(context, consumer.name, () =>
    dryRun({ consumer, events, database, source, clock, signal }),
  );
  return summariseDryRun(consumer.name, { ...sample, events: sampled }, outcomes);
};

const refuseSampleAlone = (sample: string | undefined): void => {
  if (sample === undefined) return;
  throw new FactlineError('OPTION_INVALID', {
    option: '--sample',
    expected: '--against-log or --run beside it',
    actual: 'neither',
  });
};

const consumerNamed = (consumers: readonly ConsumerDefinition[], name: string): ConsumerDefinition => {
  const found = consumers.find((consumer) => consumer.name === name);
  if (found !== undefined) return found;
  const known = consumers.map((consumer) => consumer.name);
  throw new FactlineError('CONSUMER_UNKNOWN', {
    consumer: name,
    known: known.length === 0 ? 'none' : known,
  });
};

/** A handler may call process.exit(0): then the check must not look as if it had passed. */
const guarded = async <T>(
  { terminal, signal }: CommandContext,
  consumer: string,
  work: () => Promise<T>,
): Promise<T> => {
  const onExit = (): void => {
    terminal.err(`${consumer} ended the process in the middle of the dry run; nothing of it stays.`);
    process.exitCode = exitCodes.failure;
  };
  process.once('exit', onExit);
  try {
    return await work();
  } catch (error) {
    if (!signal.aborted) throw error;
    throw new FactlineError('STOPPED', { unit: 'The command', operation: 'the dry run' }, { cause: error });
  } finally {
    process.off('exit', onExit);
  }
};
