import { readFileSync } from 'node:fs';
import path from 'node:path';
import { type Duration, FactlineError, toMilliseconds } from '../../foundation/index.ts';
import { parseCondition, planReplay, readLogEnd, readReplay } from '../../replay/index.ts';
import { actorOf } from '../actor.ts';
import type { Command, CommandContext, CommandOption, Given } from '../command.ts';
import { type Connected, databaseOptions, withDatabase } from '../connection.ts';
import { wholeNumber } from '../parse.ts';
import { replayFields, replayNumber, showReplay } from './replay.ts';
import { codeOf } from './replay-code.ts';

const selectionOptions: readonly CommandOption[] = [
  { name: 'from', value: 'POSITION', help: 'The first position. Default: 1.' },
  { name: 'to', value: 'POSITION', help: 'The last position; head: everything there is now.' },
  {
    name: 'since',
    value: 'TIME',
    help: 'Recorded at this time or later: 2030-01-31T09:00:00Z, or 2h for two hours ago.',
  },
  { name: 'until', value: 'TIME', help: 'Recorded before this time.' },
  {
    name: 'type',
    value: 'TYPE',
    many: true,
    help: 'Only these types. Default: all that the consumer reads.',
  },
  { name: 'key', value: 'KEY', many: true, help: 'Only these keys, as they are shown: orderId=A1.' },
  {
    name: 'where',
    value: 'CONDITION',
    many: true,
    help: 'Only events whose payload fits all of these: pence>=1000 (= != < <= > >= ^=).',
  },
  { name: 'id', value: 'EVENT', many: true, help: 'Only these events, by id.' },
  {
    name: 'group',
    value: 'FINGERPRINT',
    help: 'Instead of the log: what waits in quarantine with this failure, handled for the first time.',
  },
];

const manifestOptions: readonly CommandOption[] = [
  {
    name: 'reason',
    value: 'TEXT',
    help: 'Why, for somebody who was not there: at least 15 characters. Required.',
  },
  { name: 'title', value: 'TEXT', help: 'Default: Replay of CONSUMER.' },
  { name: 'owner', value: 'NAME', help: 'The team or person that answers for it.' },
  { name: 'reference', value: 'TEXT', help: 'What makes it safe now: a ticket, a deploy.' },
  { name: 'effects', value: 'POLICY', help: 'skip, reuse (recorded results) or execute. Default: skip.' },
  { name: 'effects-max', value: 'N', help: 'With execute: how many effects at most.' },
  {
    name: 'shadow',
    help: 'Only try the code at hand on them and compare with what is recorded; nothing happens. For handlers.',
  },
  { name: 'publish', help: 'Publish what the handler publishes, marked as replayed. Default: nothing is.' },
  { name: 'rate', value: 'N', help: 'Events a second at most. Default: 50.' },
  { name: 'floor', value: 'N', help: 'Events a second that live traffic may press it down to. Default: 1.' },
  {
    name: 'between',
    value: 'HOURS',
    help: 'Only at this time of day: 22:00-05:30, with a zone: "22:00-05:30 Europe/London". Default zone: UTC.',
  },
  { name: 'canary', value: 'STEPS', help: 'How many events first: 1,10,100 (the default), or none.' },
  { name: 'failure-rate', value: 'SHARE', help: 'Stops when more fail. Default: 0.05.' },
  { name: 'same-failure', value: 'N', help: 'Stops when one failure appears so often. Default: 3.' },
  { name: 'rollback', value: 'TEXT', help: 'How it would be undone. Required with execute.' },
];

export const replayPlan: Command = {
  path: ['replay', 'plan'],
  summary: 'Write a replay down as a draft; nothing runs.',
  description:
    'Handles past events again, as a request that others can look at: which events, what becomes of their effects, how fast, what stops it. It always has an end (--to, --until or --id). Or it takes what waits in quarantine with one failure (--group), with canary, guards and approval like any other. What the class of the consumer or its onReplay does not allow is refused. Or everything as one JSON file: --manifest.',
  arguments: [{ name: 'CONSUMER', help: 'Whose events. Not with --manifest.', required: false }],
  options: [
    ...selectionOptions,
    ...manifestOptions,
    {
      name: 'manifest',
      value: 'FILE',
      help: 'Everything from a JSON file, as `replay show --json` has it in "manifest".',
    },
    {
      name: 'revise',
      value: 'ID',
      help: 'Another revision of this replay: estimate and approvals are void.',
    },
    {
      name: 'by',
      value: 'NAME',
      help: 'Who plans it. Default: FACTLINE_ACTOR, else the user of this machine.',
    },
    ...databaseOptions,
  ],
  examples: [
    {
      line: 'factline replay plan mailing --since 3h --until 1h --reason "mails were lost"',
      does: 'two hours of one handler, effects skipped',
    },
    {
      line: 'factline replay plan order-summary --to head --reason "fold was wrong"',
      does: 'a read model, rebuilt beside the live one',
    },
  ],
  json: replayFields,
  run: (context) => withDatabase(context, (connected) => plan(context, connected)),
};

const plan = async (context: CommandContext, connected: Connected): Promise<undefined> => {
  const { given } = context;
  const pool = connected.database.operations;
  const code = await codeOf(context, connected);
  const file = given.text('manifest');
  const manifest = file === undefined ? await manifestOf(given, pool) : readManifest(context, file);
  const revise = given.text('revise');
  const id = await planReplay(pool, {
    actor: await actorOf(context, pool),
    manifest,
    code,
    ...(revise === undefined ? {} : { revise: replayNumber(revise) }),
  });
  return showReplay(context, pool, await readReplay(pool, id));
};

const readManifest = ({ given, terminal }: CommandContext, file: string): unknown => {
  if (given.arguments.length > 0)
    throw new FactlineError('OPTION_INVALID', {
      option: '--manifest',
      expected: 'no CONSUMER beside it: the file names it',
      actual: given.arguments[0],
    });
  try {
    return JSON.parse(readFileSync(path.resolve(terminal.directory, file), 'utf8'));
  } catch (error) {
    const actual = `${file}: ${error instanceof Error ? error.message : String(error)}`;
    throw new FactlineError(
      'OPTION_INVALID',
      { option: '--manifest', expected: 'a file with JSON', actual },
      { cause: error },
    );
  }
};

type Pool = Connected['database']['operations'];

const manifestOf = async (given: Given, pool: Pool): Promise<Record<string, unknown>> => {
  const [consumer] = given.arguments;
  if (consumer === undefined)
    throw new FactlineError('ARGUMENT_MISSING', { command: 'replay plan', argument: 'CONSUMER' });
  const most = given.text('effects-max');
  const policy = given.text('effects') ?? (most === undefined ? undefined : 'skip');
  return {
    title: given.text('title') ?? `Replay of ${consumer}`,
    reason: given.text('reason') ?? '',
    owner: given.text('owner'),
    reference: given.text('reference'),
    consumer,
    selection: await selectionOf(given, pool),
    shadow: given.has('shadow'),
    effects: policy && { policy, ...(most === undefined ? {} : { max: Number(most) }) },
    publish: given.has('publish') ? 'publish' : undefined,
    rate: { ceiling: numberOf(given, 'rate'), floor: numberOf(given, 'floor') },
    window: hoursOf(given.text('between')),
    canary: stepsOf(given.text('canary')),
    guards: {
      failureRate: numberOf(given, 'failure-rate'),
      sameFingerprint: numberOf(given, 'same-failure'),
    },
    rollback: given.text('rollback'),
  };
};

const numberOf = (given: Given, option: string): number | undefined => {
  const text = given.text(option);
  if (text === undefined) return undefined;
  const number = text.trim() === '' ? Number.NaN : Number(text);
  if (Number.isFinite(number)) return number;
  throw new FactlineError('OPTION_INVALID', { option: `--${option}`, expected: 'a number', actual: text });
};

const hoursOf = (text: string | undefined): Readonly<Record<string, unknown>> | undefined => {
  if (text === undefined) return undefined;
  const [, from, to, zone] = /^([\d:]+)[-–]([\d:]+)(?:\s+(\S+))?$/.exec(text.trim()) ?? [];
  if (from !== undefined) return { from, to, ...(zone === undefined ? {} : { zone }) };
  const expected = 'two times of day, and maybe a zone: 22:00-05:30 Europe/London';
  throw new FactlineError('OPTION_INVALID', { option: '--between', expected, actual: text });
};

const stepsOf = (text: string | undefined): readonly number[] | undefined => {
  if (text === undefined) return undefined;
  return text === 'none' ? [] : text.split(',').map(Number);
};

const selectionOf = async (given: Given, pool: Pool): Promise<Record<string, unknown>> => {
  const fingerprint = given.text('group');
  if (fingerprint !== undefined) {
    const other = selectionOptions.find(({ name }) => name !== 'group' && textOf(given, name) !== '');
    if (other === undefined) return { source: 'quarantine', fingerprint };
    const expected = 'nothing beside --group, which means all of it';
    const actual = textOf(given, other.name);
    throw new FactlineError('OPTION_INVALID', { option: `--${other.name}`, expected, actual });
  }
  const end = await readLogEnd(pool);
  const to = given.text('to');
  const list = (option: string): readonly string[] | undefined =>
    given.all(option).length === 0 ? undefined : given.all(option);
  const conditions = given.all('where').map(parseCondition);
  return {
    source: 'log',
    from: wholeNumber(given, 'from', { min: 1, max: Number.MAX_SAFE_INTEGER, fallback: 1 }),
    to:
      to === 'head'
        ? end.head
        : to && wholeNumber(given, 'to', { min: 1, max: Number.MAX_SAFE_INTEGER, fallback: 1 }),
    since: momentOf(given.text('since'), end.now),
    until: momentOf(given.text('until'), end.now),
    types: list('type'),
    keys: list('key'),
    where: conditions.length > 1 ? { all: conditions } : conditions[0],
    ids: list('id'),
  };
};

const textOf = (given: Given, option: string): string => given.text(option) ?? given.all(option).join(', ');

/** `2h` is two hours before now, by the database's clock, and stays that moment. */
const momentOf = (text: string | undefined, now: string): string | undefined =>
  text === undefined || !/^\d+(\.\d+)?(ms|s|m|h|d)$/.test(text)
    ? text
    : new Date(Date.parse(now) - toMilliseconds(text as Duration, '--since')).toISOString();
