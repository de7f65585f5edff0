import { FactlineError } from '../../foundation/index.ts';
import { findConsumer, readKeyMask } from '../../operations/index.ts';
import type { Queryable } from '../../postgres/index.ts';
import { estimateReplay, listReplays, type Replay, readReplay, reportReplay } from '../../replay/index.ts';
import { actorOf, personOptions } from '../actor.ts';
import type { Command, CommandContext, JsonField } from '../command.ts';
import { databaseOptions, withDatabase } from '../connection.ts';
import { wholeNumber } from '../parse.ts';
import { reportLines } from '../replay-report-view.ts';
import { replayLines, replayListLines } from '../replay-view.ts';
import { codeOf } from './replay-code.ts';

export const replayArgument = { name: 'ID', help: 'The number from `replay list`.', required: true } as const;

/** The fields of one replay in `--json`. */
export const replayFields: readonly JsonField[] = [
  {
    name: 'id, app, consumer, class, mode',
    help: 'What is replayed, and how: redeliver, release (from quarantine), shadow or blue-green.',
  },
  {
    name: 'order, parity',
    help: 'What the mode brings with it. order: per-key-after-live or beside-live; parity, what has to agree before it is done: every-row, every-outcome or none.',
  },
  { name: 'state, revision, codeVersion', help: 'Where it is in its life.' },
  { name: 'manifest', help: 'Everything that was asked for, as --manifest takes it.' },
  { name: 'plannedBy, requestedBy', help: 'Who wrote this revision; who asked for approval.' },
  {
    name: 'frozen',
    help: '{ ceiling, selected, selectedWithin, excluded, digest, at, expiresAt, expired, logEpoch }, or null. selectedWithin is null where the events were counted; of a long log { low, high }, between what their estimated number lies in 95 of 100 cases.',
  },
  {
    name: 'estimate',
    help: '{ at, profile, fanOut, sample, blastRadius }, or null. With eventsWithin beside events, and bytesWithin beside bytes, as selectedWithin.',
  },
  { name: 'approvals', help: '{ required, given: [{ approver, at, reason, breakGlass }] }' },
  { name: 'breakGlass', help: 'One person approved it alone.' },
  { name: 'run', help: '{ cursor, released, rateNow, yielding }' },
  { name: 'paused, outcome', help: 'Who paused it and why; what it came to.' },
  { name: 'plannedAt, changedAt, beganAt, endedAt', help: 'ISO 8601.' },
];

export const replayNumber = (text: string | undefined): number => {
  if (text !== undefined && /^\d{1,15}$/.test(text)) return Number(text);
  throw new FactlineError('OPTION_INVALID', {
    option: 'ID',
    expected: 'a number from `replay list`',
    actual: text,
  });
};

/** Without the keys in its selection that a contract hides. */
const shownReplay = async (on: Queryable, replay: Replay): Promise<Replay> => {
  const { manifest } = replay;
  if (manifest.selection.source !== 'log' || manifest.selection.keys === null) return replay;
  const selection = { ...manifest.selection, keys: manifest.selection.keys.map(await readKeyMask(on)) };
  return { ...replay, manifest: { ...manifest, selection } };
};

export const showReplay = async (
  { terminal, style, json }: CommandContext,
  on: Queryable,
  stored: Replay,
): Promise<undefined> => {
  const replay = await shownReplay(on, stored);
  if (json) terminal.out(JSON.stringify(replay));
  else for (const line of replayLines(replay, { width: terminal.width, style })) terminal.out(line);
};

export const replayEstimate: Command = {
  path: ['replay', 'estimate'],
  summary: 'Freeze the selection of a replay and estimate what it would do.',
  description:
    'Writes down which events are meant, so that what arrives later is never part of it; counts them, predicts what follows from what was observed, and tries a sample with the current code in transactions that are rolled back, effects closed. Holds for 24 hours; approvals of an earlier estimate are void.',
  arguments: [replayArgument],
  options: [
    { name: 'sample', negated: true, help: 'Do not try a sample.' },
    ...personOptions,
    ...databaseOptions,
  ],
  examples: [{ line: 'factline replay estimate 7', does: 'and shows its blast radius' }],
  json: replayFields,
  run: (context) =>
    withDatabase(context, async (connected) => {
      const { given, clock, signal } = context;
      const { database } = connected;
      const code = await codeOf(context, connected);
      const replay = await estimateReplay(database, {
        actor: await actorOf(context, database.operations),
        id: replayNumber(given.arguments[0]),
        code,
        source: code.source,
        withoutSample: given.has('no-sample'),
        clock,
        signal,
      });
      return showReplay(context, database.operations, replay);
    }),
};

export const replayShow: Command = {
  path: ['replay', 'show'],
  summary: 'Show a replay: what it is, what it would touch, who approved it.',
  arguments: [replayArgument],
  options: databaseOptions,
  examples: [{ line: 'factline replay show 7', does: 'with its blast radius, and what to do next' }],
  json: replayFields,
  run: (context) =>
    withDatabase(context, async ({ database }) =>
      showReplay(
        context,
        database.operations,
        await readReplay(database.operations, replayNumber(context.given.arguments[0])),
      ),
    ),
};

export const replayReport: Command = {
  path: ['replay', 'report'],
  summary: 'What a replay came to: counts, estimate against actual, and its record.',
  arguments: [replayArgument],
  options: databaseOptions,
  examples: [{ line: 'factline replay report 7 --json', does: 'at any time, also while it runs' }],
  json: [
    { name: 'replay', help: 'As in `replay show`.' },
    {
      name: 'counts',
      help: '{ selected, selectedWithin, handled, quarantined, parked, effects[], failures[] }',
    },
    { name: 'comparison[]', help: '{ what, estimated: { likely, low, high }, actual, within }' },
    {
      name: 'compared, differences[]',
      help: 'Of a shadow: { selected, equal, differs }; { position, eventId, type, findings[] } of the first hundred.',
    },
    { name: 'runSeconds', help: 'How long it ran; null: it did not.' },
    { name: 'estimatedSeconds', help: 'What was estimated for that; null: nothing was.' },
    { name: 'arrivedSince', help: '{ count, exact }: events that match and came later; no part of it.' },
    { name: 'timeline[]', help: 'Everything on record, as in `audit list`.' },
  ],
  run: (context) =>
    withDatabase(context, async ({ database }) => {
      const { given, terminal, style, json } = context;
      const on = database.operations;
      const found = await reportReplay(on, replayNumber(given.arguments[0]));
      const report = { ...found, replay: await shownReplay(on, found.replay) };
      if (json) terminal.out(JSON.stringify(report));
      else for (const line of reportLines(report, { width: terminal.width, style })) terminal.out(line);
      return undefined;
    }),
};

export const replayList: Command = {
  path: ['replay', 'list'],
  summary: 'List replays that have not ended; the latest first.',
  options: [
    { name: 'consumer', value: 'NAME', help: 'Only of this consumer.' },
    { name: 'all', help: 'Also those that have ended.' },
    { name: 'limit', value: 'N', help: 'At most this many. Default: 50.' },
    { name: 'before', value: 'ID', help: 'Only numbers before this one: the next page.' },
    ...databaseOptions,
  ],
  examples: [{ line: 'factline replay list --all', does: 'everything there ever was' }],
  json: [
    {
      name: 'replays[]',
      help: '{ id, title, consumer, class, mode, effects, state, revision, selected, selectedWithin, released, approvals, breakGlass, … }',
    },
    { name: 'next', help: 'The value of --before for the next page; null on the last.' },
  ],
  run: (context) =>
    withDatabase(context, async ({ database }) => {
      const { given, terminal, style, json } = context;
      const limit = wholeNumber(given, 'limit', { min: 1, max: 10_000, fallback: 50 });
      const highest = Number.MAX_SAFE_INTEGER;
      const consumer = given.text('consumer');
      const found = await listReplays(database.operations, {
        all: given.has('all'),
        before: wholeNumber(given, 'before', { min: 1, max: highest, fallback: highest }),
        limit: limit + 1,
        ...(consumer === undefined ? {} : { consumer }),
      });
      // Of a consumer that is gone there may be replays; of one that never was there is nothing to say.
      if (found.length === 0 && consumer !== undefined) await findConsumer(database.operations, consumer);
      const replays = found.slice(0, limit);
      const next = found.length > limit ? (replays.at(-1)?.id ?? null) : null;
      if (json) terminal.out(JSON.stringify({ replays, next }));
      else {
        for (const line of replayListLines(replays, { width: terminal.width, style })) terminal.out(line);
        if (next !== null) terminal.out(style.dim(`more: --before ${next}`));
      }
      return undefined;
    }),
};
