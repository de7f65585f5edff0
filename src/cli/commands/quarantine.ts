import os from 'node:os';
import { FactlineError } from '../../foundation/index.ts';
import {
  awaitAnswer,
  listParked,
  type ParkedDetail,
  type ParkedStateName,
  type PersonsRequest,
  type RequestAnswer,
  sendRequest,
  showParked,
} from '../../operations/index.ts';
import type { Queryable } from '../../postgres/index.ts';
import type { Command, CommandContext, CommandOption, JsonField } from '../command.ts';
import { databaseOptions, withDatabase } from '../connection.ts';
import { duration, wholeNumber } from '../parse.ts';
import { parkedDetailLines, parkedListLines } from '../quarantine-view.ts';

const states: readonly ParkedStateName[] = ['running', 'retrying', 'waiting', 'quarantined'];

export const quarantineList: Command = {
  path: ['quarantine', 'list'],
  summary: 'List events that wait for a person.',
  description:
    'Lists the events in quarantine: each failed more often than its retries allow, or for good. Later events of its key wait behind it; other keys flow.',
  options: [
    { name: 'consumer', value: 'NAME', help: 'Only of this consumer.' },
    { name: 'all', help: 'Also parked events that are being retried, or wait behind one.' },
    { name: 'limit', value: 'N', help: 'At most this many. Default: 50.' },
    { name: 'after', value: 'ID', help: 'Only numbers above this one: the next page.' },
    ...databaseOptions,
  ],
  examples: [
    { line: 'factline quarantine list', does: 'everything that waits for a person' },
    { line: 'factline quarantine list --consumer payment', does: 'of one consumer' },
    { line: 'factline quarantine list --json', does: 'for scripts' },
  ],
  json: [
    { name: 'events[].id', help: 'The number that the other quarantine commands take.' },
    { name: 'events[].consumer, .class, .build, .key, .position, .type, .eventId', help: 'What is parked.' },
    { name: 'events[].state', help: 'running, retrying, waiting or quarantined.' },
    {
      name: 'events[].reason, .attempts, .failureClass, .errorCode, .errorMessage, .fingerprint',
      help: 'Why.',
    },
    { name: 'events[].waiting', help: 'Later events of its key behind it (counted up to 1,000).' },
    { name: 'events[].parkedAt, .recordedAt, .nextAt', help: 'ISO 8601.' },
    { name: 'next', help: 'The value of --after for the next page; null on the last.' },
  ],
  run: (context) => withDatabase(context, ({ database }) => list(context, database.operations)),
};

const list = async (context: CommandContext, on: Queryable): Promise<undefined> => {
  const { given, terminal, style, json } = context;
  const limit = wholeNumber(given, 'limit', { min: 1, max: 10_000, fallback: 50 });
  const after = wholeNumber(given, 'after', { min: 0, max: Number.MAX_SAFE_INTEGER, fallback: 0 });
  const consumer = given.text('consumer');
  const wanted = given.has('all') ? states : (['quarantined'] as const);
  const rows = await listParked(on, {
    states: wanted,
    after,
    limit: limit + 1,
    ...(consumer === undefined ? {} : { consumer }),
  });
  const events = rows.slice(0, limit);
  const next = rows.length > limit ? (events.at(-1)?.id ?? null) : null;
  if (json) terminal.out(JSON.stringify({ events, next }));
  else {
    const nowMs = context.clock.wall().getTime();
    for (const line of parkedListLines(events, { width: terminal.width, style, next, nowMs }))
      terminal.out(line);
  }
};

export const quarantineShow: Command = {
  path: ['quarantine', 'show'],
  summary: 'Show everything about one parked event.',
  arguments: [{ name: 'ID', help: 'The number from `quarantine list`.', required: true }],
  options: [{ name: 'stack', help: 'Show the whole stack of the error.' }, ...databaseOptions],
  examples: [
    { line: 'factline quarantine show 7', does: 'error, attempts, payload, what waits behind' },
    { line: 'factline quarantine show 7 --json', does: 'with stack, causes and history' },
  ],
  json: [
    { name: '(as in quarantine list)', help: 'The fields of one event, and:' },
    { name: 'data, meta, source, time', help: 'The event itself.' },
    { name: 'errorStack, errorCauses[], history[], killedAttempts', help: 'What happened at each attempt.' },
    {
      name: 'contractVersion, codeVersion, traceparent',
      help: 'Which code met which contract, and the trace.',
    },
    { name: 'effects[]', help: '{ name, state, idempotencyKey, startedAt, doneAt, result }' },
    { name: 'requests[]', help: '{ id, verb, actor, reason, state, requestedAt, answer }' },
  ],
  run: (context) =>
    withDatabase(context, async ({ database }) => {
      const { given, terminal, style, json } = context;
      const detail = await showParked(database.operations, parkedNumber(given.arguments[0]));
      if (json) terminal.out(JSON.stringify(detail));
      else {
        const nowMs = context.clock.wall().getTime();
        const view = { width: terminal.width, style, nowMs, stack: given.has('stack') };
        for (const line of parkedDetailLines(detail, view)) terminal.out(line);
      }
      return undefined;
    }),
};

export const parkedNumber = (text: string | undefined): number => {
  if (text !== undefined && /^\d{1,15}$/.test(text)) return Number(text);
  throw new FactlineError('OPTION_INVALID', {
    option: 'ID',
    expected: 'a number from `quarantine list`',
    actual: text,
  });
};

export const waitOptions: readonly CommandOption[] = [
  { name: 'wait', negated: true, help: 'Do not wait for the answer of the process that carries it out.' },
  { name: 'within', value: 'TIME', help: 'How long to wait for the answer. Default: 30s.' },
];

export const answerFields: readonly JsonField[] = [
  { name: 'requests[]', help: '{ request, id, consumer, state, answer }' },
  { name: 'requests[].state', help: 'done, or open with --no-wait.' },
  { name: 'requests[].answer', help: 'What the owner of the lane answered; null while open.' },
];

export const quarantineRetry: Command = {
  path: ['quarantine', 'retry'],
  summary: 'Try parked events again, with what waits behind them.',
  description:
    'Asks the process that works the lane to try the event again, with all its attempts before it. When it succeeds, what waits behind it follows in order.',
  arguments: [{ name: 'ID', help: 'Numbers from `quarantine list`.', required: true, many: true }],
  options: [
    { name: 'by', value: 'NAME', help: 'Who decides; stays on record. Default: the user of this machine.' },
    { name: 'reason', value: 'TEXT', help: 'Why; stays on record.' },
    ...waitOptions,
    ...databaseOptions,
  ],
  examples: [
    { line: 'factline quarantine retry 7', does: 'one event' },
    { line: 'factline quarantine retry 7 8 9 --reason "fixed in 2.4.1"', does: 'several, in this order' },
  ],
  json: answerFields,
  run: (context) => ask(context, 'retry', context.given.arguments),
};

export const quarantineDiscard: Command = {
  path: ['quarantine', 'discard'],
  summary: 'Give a parked event up, on record; what waits behind it goes on.',
  description:
    'Counts the event as dealt with although it was not handled. Who decided it and why stays on record. It cannot be taken back.',
  arguments: [{ name: 'ID', help: 'The number from `quarantine list`.', required: true }],
  options: [
    { name: 'reason', value: 'TEXT', help: 'Why. Required.' },
    { name: 'by', value: 'NAME', help: 'Who decides. Required.' },
    ...waitOptions,
    ...databaseOptions,
  ],
  examples: [{ line: 'factline quarantine discard 7 --reason "test order" --by ada', does: 'one event' }],
  json: answerFields,
  run: (context) => {
    const { given } = context;
    const id = parkedNumber(given.arguments[0]);
    const missing = [
      given.text('reason')?.trim() ? '' : 'a reason',
      given.text('by')?.trim() ? '' : 'a name',
    ].filter((each) => each !== '');
    if (missing.length > 0)
      throw new FactlineError('DISCARD_NEEDS_REASON', { id, missing: missing.join(' and ') });
    return ask(context, 'discard', given.arguments);
  },
};

const ask = (context: CommandContext, verb: string, ids: readonly string[]): Promise<undefined> =>
  withDatabase(context, async ({ database }) => {
    const details: ParkedDetail[] = [];
    // All are looked up before the first is asked for: a wrong number changes nothing.
    for (const id of ids) details.push(await showParked(database.operations, parkedNumber(id)));
    const requests = details.map(
      ({ id, consumerId, consumer }): PersonsRequest => ({
        consumer: { id: consumerId, name: consumer },
        verb,
        parkedId: id,
        ...personOf(context),
      }),
    );
    await carryOut(context, database.operations, requests);
    return undefined;
  });

/** Who asks, and why: as given, else the user of this machine. */
export const personOf = ({ given }: CommandContext): { readonly actor: string; readonly reason?: string } => {
  const reason = given.text('reason')?.trim();
  const actor = given.text('by')?.trim() || userName();
  return reason ? { actor, reason } : { actor };
};

const userName = (): string => {
  try {
    return os.userInfo().username;
  } catch {
    // A user id without an entry in the user database, usual in containers.
    return `uid ${process.getuid?.() ?? 'unknown'}`;
  }
};

/** Sends the requests in order and, unless --no-wait was given, waits for each answer before the next. */
export const carryOut = async (
  context: CommandContext,
  on: Queryable,
  requests: readonly PersonsRequest[],
): Promise<void> => {
  const { given, clock, signal, terminal, style, json } = context;
  const withinMs = duration(given, 'within', '30s');
  const wait = !given.has('no-wait');
  const results: object[] = [];
  for (const request of requests) {
    const id = await sendRequest(on, request);
    const answered: RequestAnswer | null = wait
      ? await awaitAnswer(on, { id, request, withinMs, clock, signal })
      : null;
    const subject = request.parkedId ?? request.consumer.name;
    const state = answered === null ? 'open' : 'done';
    results.push({
      request: id,
      id: request.parkedId ?? null,
      consumer: request.consumer.name,
      state,
      answer: answered?.answer ?? null,
    });
    if (json) continue;
    if (answered === null)
      terminal.out(
        `${request.verb} ${subject}: asked for as request ${id}; the owner of the lane carries it out`,
      );
    else terminal.out(`${style.green('✓')} ${request.verb} ${subject}${answerText(answered.answer)}`);
  }
  if (json) terminal.out(JSON.stringify({ requests: results }));
};

const answerText = (answer: Readonly<Record<string, unknown>>): string => {
  const parts = Object.entries(answer).map(
    ([name, value]) => `${name} ${typeof value === 'object' ? JSON.stringify(value) : String(value)}`,
  );
  return parts.length === 0 ? '' : `: ${parts.join(', ')}`;
};
