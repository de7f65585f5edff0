import { FactlineError } from '../../foundation/index.ts';
import {
  countStuck,
  countText,
  findGroup,
  listDiscarded,
  listParked,
  type ParkedDetail,
  type ParkedStateName,
  showParked,
} from '../../operations/index.ts';
import type { Queryable } from '../../postgres/index.ts';
import { personOf, personOptions } from '../actor.ts';
import type { Command, CommandContext } from '../command.ts';
import { databaseOptions, withDatabase } from '../connection.ts';
import { jsonText } from '../json-text.ts';
import { wholeNumber } from '../parse.ts';
import { maskedKey } from '../quarantine-contracts.ts';
import { shownDetail } from '../quarantine-detail.ts';
import { discardedLines, parkedDetailLines, parkedListLines } from '../quarantine-view.ts';
import { answerFields, carryOut, type KnownRequest, type RequestVerb, waitOptions } from '../requests.ts';
import { groupNumber } from './quarantine-groups.ts';

const states: readonly ParkedStateName[] = ['running', 'retrying', 'waiting', 'quarantined'];

export const quarantineList: Command = {
  path: ['quarantine', 'list'],
  summary: 'List events that wait for a person.',
  description:
    'Lists the events in quarantine: each failed more often than its retries allow, or for good. Later events of its key wait behind it; other keys flow.',
  options: [
    { name: 'consumer', value: 'NAME', help: 'Only of this consumer.' },
    { name: 'group', value: 'GROUP', help: 'Only of this group.' },
    { name: 'discarded', help: 'What was discarded instead, the latest first.' },
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
    { name: 'events[].consumer, .class, .build', help: 'Whose event it is.' },
    {
      name: 'events[].key, .position, .type, .eventId',
      help: 'Which event it is; the key is hidden when .keyLevel says personal or secret.',
    },
    { name: 'events[].state', help: 'running, retrying, waiting or quarantined.' },
    { name: 'events[].reason, .attempts', help: 'Why it is parked, and after how many tries.' },
    { name: 'events[].failureClass, .errorCode', help: 'What kind of error.' },
    {
      name: 'events[].errorMessage, .fingerprint',
      help: 'Equal fingerprints: the same error at the same place.',
    },
    { name: 'events[].waiting', help: 'Later events of its key behind it (counted up to 1,000).' },
    { name: 'events[].parkedAt, .recordedAt, .nextAt', help: 'ISO 8601.' },
    { name: 'events[].group', help: 'The group of its failure.' },
    {
      name: 'discarded[]',
      help: 'With --discarded: { id, consumer, position, keys, type, errorMessage, followers, actor, reason, discardedAt, restoreUntil, restorable }',
    },
    { name: 'next', help: 'The value of --after for the next page; null on the last.' },
    {
      name: 'stuckInstances',
      help: 'Workflow instances that wait for a person, too: `workflow list --state stuck`.',
    },
  ],
  run: (context) =>
    withDatabase(context, ({ database }) =>
      context.given.has('discarded')
        ? listGivenUp(context, database.operations)
        : list(context, database.operations),
    ),
};

const list = async (context: CommandContext, on: Queryable): Promise<undefined> => {
  const { given, terminal, style, json } = context;
  const limit = wholeNumber(given, 'limit', { min: 1, max: 10_000, fallback: 50 });
  const after = wholeNumber(given, 'after', { min: 0, max: Number.MAX_SAFE_INTEGER, fallback: 0 });
  const consumer = given.text('consumer');
  const group = given.text('group') === undefined ? undefined : groupNumber(given.text('group'));
  if (group !== undefined) await findGroup(on, group);
  const wanted = given.has('all') ? states : (['quarantined'] as const);
  const rows = await listParked(on, {
    states: wanted,
    after,
    limit: limit + 1,
    ...(consumer === undefined ? {} : { consumer }),
    ...(group === undefined ? {} : { group }),
  });
  const events = rows.slice(0, limit).map(maskedKey);
  const next = rows.length > limit ? (events.at(-1)?.id ?? null) : null;
  const stuckInstances = group === undefined ? await countStuck(on, consumer ?? null) : 0;
  if (json) terminal.out(jsonText({ events, next, stuckInstances }));
  else {
    const nowMs = context.clock.wall().getTime();
    for (const line of parkedListLines(events, { width: terminal.width, style, next, nowMs }))
      terminal.out(line);
    if (stuckInstances > 0) terminal.out(style.yellow(stuckText(stuckInstances)));
  }
};

/** They are no parked events, but they too wait for a person. */
const stuckText = (count: number): string =>
  `${countText(count, 'workflow instance is', 'workflow instances are')} stuck as well: factline workflow list --state stuck`;

const listGivenUp = async (context: CommandContext, on: Queryable): Promise<undefined> => {
  const { given, terminal, style, json } = context;
  const limit = wholeNumber(given, 'limit', { min: 1, max: 10_000, fallback: 50 });
  const found = await listDiscarded(on, { consumer: given.text('consumer') ?? null, limit });
  const discarded = found.map((event) =>
    event.keyLevel === null ? event : { ...event, keys: [`(${event.keyLevel})`] },
  );
  if (json) terminal.out(jsonText({ discarded }));
  else for (const line of discardedLines(discarded, { width: terminal.width, style })) terminal.out(line);
};

export const quarantineShow: Command = {
  path: ['quarantine', 'show'],
  summary: 'Show everything about one parked event.',
  arguments: [{ name: 'ID', help: 'The number from `quarantine list`.', required: true }],
  description:
    'Fields that the contract calls personal or secret are hidden, and the whole payload of an event whose contract nobody has declared.',
  options: [
    { name: 'stack', help: 'Show the whole stack of the error.' },
    { name: 'reveal', help: 'Show what is hidden as well. Needs a role that may, and stays on record.' },
    ...personOptions,
    ...databaseOptions,
  ],
  examples: [
    { line: 'factline quarantine show 7', does: 'error, attempts, payload, what waits behind' },
    { line: 'factline quarantine show 7 --json', does: 'with stack, causes and history' },
  ],
  json: [
    { name: '(as in quarantine list)', help: 'The fields of one event, and:' },
    {
      name: 'data, meta, source, time',
      help: 'The event itself; data as it was edited, without what is hidden.',
    },
    { name: 'edits[]', help: '{ id, changes, actor, reason, editedAt }' },
    { name: 'redirects[]', help: '{ repair, actor, reason, redirectedAt }; null: back to the handler.' },
    { name: 'errorStack, errorCauses[], history[], killedAttempts', help: 'What happened at each attempt.' },
    {
      name: 'contractVersion, codeVersion, traceparent',
      help: 'Which code met which contract, and the trace.',
    },
    { name: 'effects[]', help: '{ name, state, idempotencyKey, startedAt, doneAt, result }' },
    { name: 'requests[]', help: '{ id, verb, actor, reason, state, requestedAt, answer }' },
    { name: 'releases[]', help: '{ release, actor, state, sentAt, endedAt, failure }' },
  ],
  run: (context) =>
    withDatabase(context, async (connected) => {
      const { given, terminal, style, json } = context;
      const detail = await shownDetail(context, connected, parkedNumber(given.arguments[0]));
      if (json) terminal.out(jsonText(detail));
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

export const quarantineRetry: Command = {
  path: ['quarantine', 'retry'],
  summary: 'Try parked events again, with what waits behind them.',
  description:
    'Asks the process that works the lane to try the event again, with all its attempts before it, and waits for the outcome. When it succeeds, what waits behind it follows in order.',
  arguments: [{ name: 'ID', help: 'Numbers from `quarantine list`.', required: true, many: true }],
  options: [...personOptions, ...waitOptions, ...databaseOptions],
  examples: [
    { line: 'factline quarantine retry 7', does: 'one event' },
    { line: 'factline quarantine retry 7 8 9 --reason "fixed in 2.4.1"', does: 'several, in this order' },
  ],
  json: answerFields,
  run: (context) => askAbout(context, 'retry', context.given.arguments),
};

export const quarantineDiscard: Command = {
  path: ['quarantine', 'discard'],
  summary: 'Give a parked event up, on record; what waits behind it goes on.',
  description:
    'Counts the event as dealt with although it was not handled. Who decided it and why stays on record. For seven days it can be taken back: `quarantine restore`.',
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
    return askAbout(context, 'discard', given.arguments);
  },
};

/** Asks the owner of each event's lane. All are looked up before the first is asked for: a wrong number changes nothing. */
export const askAbout = (
  context: CommandContext,
  verb: RequestVerb,
  ids: readonly string[],
): Promise<number> =>
  withDatabase(context, async ({ database }) => {
    const details: ParkedDetail[] = [];
    for (const id of ids) details.push(await showParked(database.operations, parkedNumber(id)));
    const requests = details.map(
      ({ id, consumerId, consumer }): KnownRequest => ({
        consumer: { id: consumerId, name: consumer },
        verb,
        parkedId: id,
        ...personOf(context),
      }),
    );
    return carryOut(context, database.operations, requests);
  });
