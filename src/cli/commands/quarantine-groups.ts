import { FactlineError } from '../../foundation/index.ts';
import {
  assignGroup,
  findConsumer,
  findGroup,
  listGroups,
  listNotes,
  noteOnGroup,
  snoozeGroup,
} from '../../operations/index.ts';
import { type ActName, perform } from '../../replay/index.ts';
import { actorOf, personOf, personOptions } from '../actor.ts';
import type { Command, CommandContext, JsonField } from '../command.ts';
import { databaseOptions, withDatabase } from '../connection.ts';
import { jsonText } from '../json-text.ts';
import { duration, wholeNumber } from '../parse.ts';
import { groupDetailLines, groupListLines } from '../quarantine-group-view.ts';

const groupFields: readonly JsonField[] = [
  { name: 'groups[].id', help: 'The number that --group, assign, note and snooze take.' },
  { name: 'groups[].consumer, .app, .eventType', help: 'Whose events of which contract, with its version.' },
  {
    name: 'groups[].fingerprint, .errorCode, .errorMessage, .place',
    help: 'The failure; the message is that of the first.',
  },
  {
    name: 'groups[].disposition',
    help: 'systemic, authorisation, dependency, timeout, invariant, schema or poison: see docs/quarantine.md.',
  },
  {
    name: 'groups[].events, .keys, .followers',
    help: 'In quarantine now, and what waits behind; lower bounds when .partly.',
  },
  { name: 'groups[].failures, .firstSeenAt, .lastSeenAt', help: 'Ever.' },
  { name: 'groups[].introducedBy, .lastCodeVersion', help: 'The code versions that had it first and last.' },
  { name: 'groups[].owner', help: 'The team that owns the contract; null: no contract is known.' },
  {
    name: 'groups[].oldestAt, .triageWithinMs, .escalation',
    help: 'Its age, the time it has, the level of on-call: 0 to 4.',
  },
  {
    name: 'groups[].assignedTo, .snoozedUntil, .notes, .runbook, .release',
    help: 'What people have made of it.',
  },
];

export const groupNumber = (text: string | undefined): number => numberFrom('groups', 'GROUP', text);

/** A number that another command lists. @throws FactlineError OPTION_INVALID */
export const numberFrom = (list: 'groups' | 'releases', option: string, text: string | undefined): number => {
  if (text !== undefined && /^\d{1,15}$/.test(text)) return Number(text);
  const expected = `a number from \`quarantine ${list}\``;
  throw new FactlineError('OPTION_INVALID', { option, expected, actual: text });
};

export const quarantineGroups: Command = {
  path: ['quarantine', 'groups'],
  summary: 'Group what is in quarantine by its failure.',
  description:
    'Failures that look alike, by consumer and contract: how many keys, what waits behind them, since when and since which code version, who owns it, and how soon somebody should look.',
  arguments: [{ name: 'GROUP', help: 'Only this one, with its notes.', required: false }],
  options: [
    { name: 'consumer', value: 'NAME', help: 'Only of this consumer.' },
    { name: 'all', help: 'Also groups of which nothing is in quarantine any more.' },
    { name: 'limit', value: 'N', help: 'At most this many. Default: 50.' },
    ...databaseOptions,
  ],
  examples: [
    { line: 'factline quarantine groups', does: 'the groups with the most keys first' },
    { line: 'factline quarantine groups 3', does: 'one of them, with its notes' },
  ],
  json: [...groupFields, { name: 'notes[]', help: 'With GROUP: { id, author, text, notedAt }' }],
  run: (context) =>
    withDatabase(context, async ({ database }) => {
      const { given, terminal, style, json } = context;
      const on = database.operations;
      const [asked] = given.arguments;
      const view = { width: terminal.width, style, nowMs: context.clock.wall().getTime() };
      if (asked !== undefined) {
        const group = await findGroup(on, groupNumber(asked));
        const notes = await listNotes(on, group.id);
        if (json) terminal.out(jsonText({ groups: [group], notes }));
        else for (const line of groupDetailLines(group, notes, view)) terminal.out(line);
        return undefined;
      }
      const consumer = given.text('consumer');
      const groups = await listGroups(on, {
        ...(consumer === undefined ? {} : { consumer: (await findConsumer(on, consumer)).name }),
        all: given.has('all'),
        limit: wholeNumber(given, 'limit', { min: 1, max: 1_000, fallback: 50 }),
      });
      if (json) terminal.out(jsonText({ groups }));
      else for (const line of groupListLines(groups, view)) terminal.out(line);
      return undefined;
    }),
};

interface GroupAct {
  readonly act: ActName;
  readonly details: Readonly<Record<string, unknown>>;
  readonly work: (client: Parameters<typeof assignGroup>[0], group: number) => Promise<string>;
}

/** Does the act on the group named first, puts it on record, and says what was done. */
const onGroup = (context: CommandContext, { act, details, work }: GroupAct): Promise<undefined> =>
  withDatabase(context, async ({ database }) => {
    const { given, terminal, style, json } = context;
    const group = groupNumber(given.arguments[0]);
    const actor = await actorOf(context, database.operations);
    const { reason } = personOf(context);
    const done = await perform(
      database.operations,
      { actor, act, target: `quarantine group ${group}`, reason, details },
      (client) => work(client, group),
    );
    if (json) terminal.out(jsonText({ group, ...details }));
    else terminal.out(`${style.green('✓')} group ${group} ${done}`);
    return undefined;
  });

const groupArgument = { name: 'GROUP', help: 'The number from `quarantine groups`.', required: true };

export const quarantineAssign: Command = {
  path: ['quarantine', 'assign'],
  summary: 'Say who takes care of a group.',
  description: 'An assigned group is not escalated beyond the first level until it is fourteen days old.',
  arguments: [groupArgument, { name: 'NAME', help: 'Who. Without it: --nobody.', required: false }],
  options: [{ name: 'nobody', help: 'Take it back.' }, ...personOptions, ...databaseOptions],
  examples: [{ line: 'factline quarantine assign 3 ada', does: 'ada takes it' }],
  json: [{ name: 'group, assignedTo', help: 'As it is now.' }],
  run: (context) => {
    const to = context.given.arguments[1] ?? null;
    if ((to === null) !== context.given.has('nobody'))
      throw new FactlineError('OPTION_INVALID', {
        option: 'NAME',
        expected: 'either a name or --nobody',
        actual: to === null ? 'neither' : 'both',
      });
    return onGroup(context, {
      act: 'quarantine.assign',
      details: { assignedTo: to },
      work: async (client, group) => {
        await assignGroup(client, group, to);
        return to === null ? 'is assigned to nobody' : `is assigned to ${to}`;
      },
    });
  },
};

export const quarantineNote: Command = {
  path: ['quarantine', 'note'],
  summary: 'Note what is known about a group.',
  arguments: [groupArgument, { name: 'TEXT', help: 'At most 4,000 characters.', required: true }],
  options: [...personOptions, ...databaseOptions],
  examples: [
    { line: 'factline quarantine note 3 "the provider confirms an outage"', does: 'stays with the group' },
  ],
  json: [{ name: 'group, characters', help: 'The group, and the length of the note.' }],
  run: (context) => {
    const text = context.given.arguments[1] ?? '';
    const author = personOf(context).actor;
    return onGroup(context, {
      act: 'quarantine.note',
      details: { characters: text.length },
      work: async (client, group) => {
        await noteOnGroup(client, group, { author, text });
        return 'has the note';
      },
    });
  },
};

export const quarantineSnooze: Command = {
  path: ['quarantine', 'snooze'],
  summary: 'Escalate a group to nobody for a while.',
  description:
    'Nothing is escalated before the time is over, unless the group gets fourteen days old. Its age goes on.',
  arguments: [groupArgument],
  options: [
    { name: 'for', value: 'TIME', help: 'How long, at most 14d. Default: 1h.' },
    { name: 'off', help: 'No longer.' },
    ...personOptions,
    ...databaseOptions,
  ],
  examples: [
    { line: 'factline quarantine snooze 3 --for 4h --reason "fix is being deployed"', does: 'until then' },
  ],
  json: [{ name: 'group, forMs', help: 'The group, and for how long; 0: no longer.' }],
  run: (context) => {
    const forMs = context.given.has('off') ? 0 : duration(context.given, 'for', '1h');
    return onGroup(context, {
      act: 'quarantine.snooze',
      details: { forMs },
      work: async (client, group) => {
        const until = await snoozeGroup(client, group, forMs);
        return until === null ? 'is no longer snoozed' : `is snoozed until ${until}`;
      },
    });
  },
};
