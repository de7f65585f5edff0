import { FactlineError } from '../../foundation/index.ts';
import { type ConsumerRecord, findConsumer } from '../../operations/index.ts';
import { personOf, personOptions } from '../actor.ts';
import type { Command, CommandContext } from '../command.ts';
import { databaseOptions, withDatabase } from '../connection.ts';
import { duration, wholeNumber } from '../parse.ts';
import { answerFields, carryOut, type RequestVerb, waitOptions } from '../requests.ts';

const name = { name: 'NAME', help: 'The consumer, as `status` shows it.', required: true } as const;

export const consumersAccept: Command = {
  path: ['consumers', 'accept'],
  summary: 'Drop event types for good that the running code no longer handles.',
  description:
    'A handler whose new code lacks a type keeps parking events of it, so that a rolled-back deploy loses nothing. This accepts that the type is gone: the declaration of the running code leads from now on. On record; it cannot be taken back for events that pass meanwhile.',
  arguments: [name],
  options: [...personOptions, { name: 'yes', help: 'Do it.' }, ...waitOptions, ...databaseOptions],
  examples: [
    {
      line: 'factline consumers accept payment --reason "refunds moved to billing" --yes',
      does: 'after the newer code runs everywhere',
    },
  ],
  json: answerFields,
  run: (context) => {
    const confirmed = context.given.has('yes');
    const confirm = ({ name: consumer }: ConsumerRecord): void => {
      if (confirmed) return;
      throw new FactlineError('CONFIRMATION_MISSING', {
        effect: `drop for good the event types of ${consumer} that the running code does not handle`,
      });
    };
    return ask(context, 'accept', { confirm });
  },
};

const partOptions = [
  {
    name: 'type',
    value: 'TYPE',
    help: 'Only events of this type, and what comes behind them in their keys.',
  },
  {
    name: 'key',
    value: 'KEY',
    help: 'Only events of this key, as `events` and `quarantine list` show it: orderId=A1.',
  },
] as const;

/** @throws FactlineError OPTION_INVALID */
const partOf = ({ given }: CommandContext): Readonly<Record<string, unknown>> => {
  const [type, key] = [given.text('type'), given.text('key')];
  if (type !== undefined && key !== undefined)
    throw new FactlineError('OPTION_INVALID', {
      option: '--key',
      expected: 'no --type beside it',
      actual: 'both',
    });
  return { ...(type === undefined ? {} : { type }), ...(key === undefined ? {} : { key }) };
};

/** @throws FactlineError OPTION_INVALID */
const bufferOf = ({ given }: CommandContext): Readonly<Record<string, unknown>> => {
  const thenResume = given.has('then-resume');
  if (given.text('buffer') !== undefined)
    return { buffer: wholeNumber(given, 'buffer', { min: 1, max: 1e9, fallback: 1 }), thenResume };
  if (!thenResume) return {};
  throw new FactlineError('OPTION_INVALID', {
    option: '--then-resume',
    expected: '--buffer N beside it',
    actual: 'none',
  });
};

export const consumersPause: Command = {
  path: ['consumers', 'pause'],
  summary: 'Stop a consumer, or a type or a key of it; events accumulate and nothing is skipped.',
  description:
    'Stops a consumer; its events accumulate and nothing is skipped. With --type or --key only these wait (of operational handlers), and what comes behind them in their keys; other keys flow. What is being handled ends. On record with its reason, which is needed, and shown by `status`.',
  arguments: [name],
  options: [
    ...partOptions,
    {
      name: 'for',
      value: 'TIME',
      help: 'It goes on by itself after this time (30m, 2h), on record. Default: until resumed.',
    },
    {
      name: 'buffer',
      value: 'N',
      help: 'So many of its events may come meanwhile; more fire the alert pause-exceeded. Default: no limit.',
    },
    { name: 'then-resume', help: 'With --buffer: it goes on by itself when more come, on record.' },
    ...personOptions,
    ...waitOptions,
    ...databaseOptions,
  ],
  examples: [
    { line: 'factline consumers pause payment --reason maintenance', does: 'until it is resumed' },
    { line: 'factline consumers pause payment --for 30m --reason deploy', does: 'for half an hour' },
    {
      line: 'factline consumers pause payment --buffer 10000 --then-resume --reason deploy',
      does: 'until it is resumed, or 10,000 events have come',
    },
    {
      line: 'factline consumers pause payment --key orderId=A1 --reason "refund"',
      does: 'one key; others flow',
    },
  ],
  json: answerFields,
  run: (context) => {
    const { given } = context;
    const forMs = given.text('for') === undefined ? null : duration(given, 'for', '1m');
    return ask(context, 'pause', {
      arguments: {
        ...partOf(context),
        ...(forMs === null ? {} : { forMs }),
        ...bufferOf(context),
      },
      confirm: () => {
        if (personOf(context).reason === undefined)
          throw new FactlineError('OPTION_INVALID', {
            option: '--reason',
            expected: 'why it is paused',
            actual: 'none',
          });
      },
    });
  },
};

export const consumersResume: Command = {
  path: ['consumers', 'resume'],
  summary: 'Let a paused consumer, or a paused type or key of it, go on.',
  arguments: [name],
  options: [...partOptions, ...personOptions, ...waitOptions, ...databaseOptions],
  examples: [{ line: 'factline consumers resume payment', does: 'it goes on where it was' }],
  json: answerFields,
  run: (context) => ask(context, 'resume', { arguments: partOf(context) }),
};

interface Asked {
  readonly arguments?: Readonly<Record<string, unknown>>;
  /** Throws where it is not meant; the consumer is known by then. */
  readonly confirm?: (consumer: ConsumerRecord) => void;
}

const ask = (context: CommandContext, verb: RequestVerb, asked: Asked): Promise<number> =>
  withDatabase(context, async ({ database }) => {
    const consumer = await findConsumer(database.operations, context.given.arguments[0] ?? '');
    asked.confirm?.(consumer);
    const request = { consumer, verb, arguments: asked.arguments ?? {}, ...personOf(context) };
    return carryOut(context, database.operations, [request]);
  });
