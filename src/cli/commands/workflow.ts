import { type Duration, FactlineError, toMilliseconds } from '../../foundation/index.ts';
import {
  type InstanceState,
  instanceStates,
  listInstances,
  livingStates,
  showInstance,
} from '../../operations/index.ts';
import type { Queryable } from '../../postgres/index.ts';
import { personOptions } from '../actor.ts';
import type { Command, CommandContext, JsonField } from '../command.ts';
import { type Connected, databaseOptions, withDatabase } from '../connection.ts';
import { jsonText } from '../json-text.ts';
import { wholeNumber } from '../parse.ts';
import { maskedDetail, maskedSummaries } from '../workflow-masking.ts';
import { maskFor, revealOption } from '../workflow-reveal.ts';
import { instanceLines } from '../workflow-timeline.ts';
import { instanceListLines } from '../workflow-view.ts';

const highest = Number.MAX_SAFE_INTEGER;

const summaryFields = (path: string): readonly JsonField[] => [
  { name: `${path}id`, help: 'The number that the other workflow commands take.' },
  { name: `${path}app, ${path}workflow, ${path}version, ${path}key`, help: 'What it is an instance of.' },
  { name: `${path}executor`, help: '{ id, name } of the consumer that runs this version.' },
  { name: `${path}state`, help: `${instanceStates.join(', ')}.` },
  { name: `${path}ending`, help: 'What a compensating instance will be: failed or cancelled.' },
  { name: `${path}problem`, help: 'Why it is stuck or failed, in a sentence; null otherwise.' },
  { name: `${path}held, ${path}deaths`, help: 'A process has it in memory; how often one died over it.' },
  { name: `${path}startedBy`, help: '{ position, type } of the event that started it; null: the app did.' },
  { name: `${path}forkedFrom`, help: 'The instance whose journal it began with, or null.' },
  { name: `${path}lastCall`, help: '{ kind, name, state, attempts } of the last call on record, or null.' },
  { name: `${path}rejectedStarts`, help: 'Starts that were refused while it lived.' },
  { name: `${path}codeVersion`, help: 'The release that last worked at it.' },
  { name: `${path}dueAt`, help: 'When it is looked at next; null: when something happens.' },
  { name: `${path}startedAt, ${path}changedAt, ${path}endedAt`, help: 'ISO 8601; null: not yet.' },
];

export const workflowList: Command = {
  path: ['workflow', 'list'],
  summary: 'List instances of workflows, the newest first.',
  description:
    'Lists the instances that have not ended; with --all, --state or --key also those that have. What a page costs does not grow with the number of instances.',
  options: [
    { name: 'state', value: 'STATE', many: true, help: `Only these: ${instanceStates.join(', ')}.` },
    { name: 'workflow', value: 'NAME', help: 'Only of this workflow.' },
    { name: 'key', value: 'KEY', help: 'Only of this correlation key, ended or not.' },
    { name: 'since', value: 'TIME', help: 'Only those started since then: 2h, or ISO 8601.' },
    { name: 'all', help: 'Also those that have ended.' },
    { name: 'limit', value: 'N', help: 'At most this many. Default: 50.' },
    { name: 'before', value: 'ID', help: 'Only numbers below this one: the next page.' },
    ...databaseOptions,
  ],
  examples: [
    { line: 'factline workflow list', does: 'everything that lives' },
    { line: 'factline workflow list --state stuck', does: 'what needs a person' },
    { line: 'factline workflow list --key A1', does: 'what became of one order' },
    { line: 'factline workflow list --state failed --since 2h --json', does: 'for scripts' },
  ],
  json: [
    ...summaryFields('instances[].'),
    { name: 'next', help: 'The value of --before for the next page; null on the last.' },
  ],
  run: (context) => withDatabase(context, (connected) => list(context, connected)),
};

const list = async (context: CommandContext, { database, app }: Connected): Promise<undefined> => {
  const { given, terminal, style, json, clock } = context;
  const limit = wholeNumber(given, 'limit', { min: 1, max: 10_000, fallback: 50 });
  const key = given.text('key') ?? null;
  const nowMs = clock.wall().getTime();
  const found = await listInstances(database.operations, {
    states: statesOf(context, key !== null),
    workflow: given.text('workflow') ?? null,
    key,
    since: sinceOf(given.text('since'), nowMs),
    before: wholeNumber(given, 'before', { min: 1, max: highest, fallback: highest }),
    limit: limit + 1,
  });
  const instances = await maskedSummaries(database.operations, app, found.slice(0, limit));
  const next = found.length > limit ? (instances.at(-1)?.id ?? null) : null;
  if (json) terminal.out(jsonText({ instances, next }));
  else {
    for (const line of instanceListLines(instances, { width: terminal.width, style, nowMs }))
      terminal.out(line);
    if (next !== null) terminal.out(style.dim(`Next page: --before ${next}`));
  }
};

/** @throws FactlineError OPTION_INVALID */
const statesOf = ({ given }: CommandContext, withEnded: boolean): readonly InstanceState[] => {
  const asked = given.all('state').flatMap((text) => text.split(','));
  const stray = asked.find((state) => !instanceStates.includes(state as InstanceState));
  if (stray !== undefined)
    throw new FactlineError('OPTION_INVALID', {
      option: '--state',
      expected: `one of ${instanceStates.join(', ')}`,
      actual: stray,
    });
  if (asked.length > 0) return [...new Set(asked)] as InstanceState[];
  return withEnded || given.has('all') ? instanceStates : livingStates;
};

/** `2h` is two hours before now. @throws FactlineError OPTION_INVALID */
const sinceOf = (text: string | undefined, nowMs: number): string | null => {
  if (text === undefined) return null;
  if (/^\d+(\.\d+)?(ms|s|m|h|d)$/.test(text))
    return new Date(nowMs - toMilliseconds(text as Duration, '--since')).toISOString();
  const ms = /^\d{4}-\d\d/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isFinite(ms)) return new Date(ms).toISOString();
  throw new FactlineError('OPTION_INVALID', {
    option: '--since',
    expected: 'a length of time like 2h, or a time in ISO 8601',
    actual: text,
  });
};

/** @throws FactlineError OPTION_INVALID */
export const instanceNumber = (text: string | undefined): number => {
  if (text !== undefined && /^\d{1,15}$/.test(text)) return Number(text);
  throw new FactlineError('OPTION_INVALID', {
    option: 'ID',
    expected: 'a number from `workflow list`',
    actual: text ?? 'none',
  });
};

export const instanceArgument = {
  name: 'ID',
  help: 'The number from `workflow list`.',
  required: true,
} as const;

export const workflowShow: Command = {
  path: ['workflow', 'show'],
  summary: 'Show what one instance did: steps, waits, results, compensation, repairs.',
  arguments: [instanceArgument],
  description:
    'Shows the timeline of an instance, and for one whose code no longer fits its journal both side by side. What contracts call personal or secret of the events that it got is hidden everywhere.',
  options: [
    { name: 'calls', value: 'N', help: 'The last calls that are shown. Default: 100.' },
    { name: 'value-bytes', value: 'N', help: 'Larger values are left out. Default: 4096.' },
    revealOption,
    ...personOptions,
    ...databaseOptions,
  ],
  examples: [
    { line: 'factline workflow show 12', does: 'its timeline' },
    { line: 'factline workflow show 12 --json', does: 'for scripts' },
  ],
  json: [
    ...summaryFields(''),
    { name: 'input', help: 'What the function got.' },
    { name: 'result', help: '{ value, tooLarge } of a completed one.' },
    { name: 'failure', help: '{ name, code, message, stack, details }, or null.' },
    { name: 'process', help: '{ id, host, pid } of the process that has it in memory, or null.' },
    {
      name: 'calls[]',
      help: '{ ordinal, kind, name, state, attempts, completion, value, tooLarge, error, dueAt, beganAt, endedAt, waitsFor }',
    },
    { name: 'calls[].kind', help: 'step, transaction, sleep, wait, publish, send, now, random or uuid.' },
    { name: 'calls[].state', help: 'pending, done, failed, or skipped by a person.' },
    { name: 'calls[].waitsFor', help: '{ type, key } of a wait that is open, or null.' },
    { name: 'earlierCalls', help: 'Calls before those shown.' },
    { name: 'undos[]', help: 'As calls[], in the order in which they run.' },
    {
      name: 'difference',
      help: '{ ordinal, recorded[], called[] } where code and journal differ, or null.',
    },
    { name: 'repairs[]', help: '{ id, verb, actor, reason, detail, doneAt }' },
    { name: 'requests[]', help: '{ id, verb, actor, reason, requestedAt }: not carried out yet.' },
  ],
  run: (context) =>
    withDatabase(context, async (connected) => {
      const { terminal, style, json, clock } = context;
      const detail = await shownInstance(context, connected);
      if (json) terminal.out(jsonText(detail));
      else {
        const view = { width: terminal.width, style, nowMs: clock.wall().getTime() };
        for (const line of instanceLines(detail, view)) terminal.out(line);
      }
      return undefined;
    }),
};

/** What may be shown of it; with --reveal everything, on record, to those who may. */
const shownInstance = async (
  context: CommandContext,
  connected: Connected,
): ReturnType<typeof showInstance> => {
  const { given } = context;
  const on: Queryable = connected.database.operations;
  const detail = await showInstance(on, instanceNumber(given.arguments[0]), {
    calls: wholeNumber(given, 'calls', { min: 1, max: 10_000, fallback: 100 }),
    valueBytes: wholeNumber(given, 'value-bytes', { min: 1, max: 1_048_576, fallback: 4_096 }),
  });
  const mask = await maskFor(context, connected, detail.id);
  return maskedDetail(detail, mask);
};
