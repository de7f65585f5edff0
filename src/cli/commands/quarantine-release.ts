import type pg from 'pg';
import { FactlineError } from '../../foundation/index.ts';
import {
  beginRelease,
  canaryMax,
  cancelRelease,
  countText,
  durationText,
  type FrozenSelection,
  findRelease,
  listReleases,
  type Release,
  type ReleaseRequest,
  rateMax,
} from '../../operations/index.ts';
import { type ActName, perform } from '../../replay/index.ts';
import { actorOf, personOf, personOptions } from '../actor.ts';
import type { Command, CommandContext, CommandOption, JsonField } from '../command.ts';
import { databaseOptions, withDatabase } from '../connection.ts';
import { jsonText } from '../json-text.ts';
import { duration, wholeNumber } from '../parse.ts';
import { releaseLines } from '../quarantine-group-view.ts';
import { answerFields } from '../requests.ts';
import { askAbout } from './quarantine.ts';
import { groupNumber, numberFrom } from './quarantine-groups.ts';

export const releaseFields: readonly JsonField[] = [
  { name: 'release.id, .group, .consumer', help: 'Which release of what.' },
  { name: 'release.state', help: 'canary, releasing, done, stopped or cancelled.' },
  {
    name: 'release.selected, .digest',
    help: 'The frozen selection: how many events, and SHA-256 over their numbers and positions.',
  },
  {
    name: 'release.canary, .rest',
    help: '{ selected, sent, handled, failed, gone }: what the consumer has confirmed.',
  },
  { name: 'release.outcome, .firstFailure', help: 'Why it ended otherwise than done.' },
  { name: 'release.actor, .reason, .rate, .stopAfter, .createdAt, .endedAt', help: 'As it was asked for.' },
];

/** How a group goes. */
export const releaseOptions: readonly CommandOption[] = [
  { name: 'canary', value: 'N', help: `So many events first, at most ${canaryMax}. Default: 5; 0: none.` },
  { name: 'rate', value: 'N', help: `Events a second at most. Default: 20; at most ${rateMax}.` },
  {
    name: 'stop-after',
    value: 'N',
    help: 'Send nothing more after so many of the rest failed again. Default: 10.',
  },
];

export const quarantineRelease: Command = {
  path: ['quarantine', 'release'],
  summary: 'Try a group of parked events again: a few first, then the rest at a rate.',
  description:
    'Freezes what is in the group now and has running processes release it, oldest first. The canary goes first, and the rest only when all of it was handled. An event counts as handled when its consumer proves it. The release goes on when this command ends. With numbers instead of a group: as `quarantine retry`.',
  arguments: [{ name: 'ID', help: 'Numbers from `quarantine list`.', required: false, many: true }],
  options: [
    { name: 'group', value: 'GROUP', help: 'Everything that is in this group now.' },
    ...releaseOptions,
    ...personOptions,
    { name: 'wait', negated: true, help: 'Do not wait for the end.' },
    {
      name: 'within',
      value: 'TIME',
      help: 'How long to wait. Default: 10m for a group, 30s for single events.',
    },
    ...databaseOptions,
  ],
  examples: [
    {
      line: 'factline quarantine release --group 3 --reason "fixed in 2.4.1"',
      does: 'five first, then the rest',
    },
    {
      line: 'factline quarantine release --group 3 --canary 20 --rate 100',
      does: 'twenty first, then 100 a second',
    },
    { line: 'factline quarantine release 7', does: 'one event' },
  ],
  json: [...releaseFields, ...answerFields],
  run: async (context) => {
    const { given } = context;
    const asked = given.text('group');
    if ((asked === undefined) === (given.arguments.length === 0))
      throw new FactlineError('OPTION_INVALID', {
        option: 'ID',
        expected: 'either numbers of events or --group',
        actual: asked === undefined ? 'neither' : 'both',
      });
    if (asked === undefined) return askAbout(context, 'retry', given.arguments);
    return withDatabase(context, ({ database }) =>
      releaseGroup(context, database.operations, {
        group: groupNumber(asked),
        act: 'quarantine.release',
        details: {},
        begin: beginRelease,
      }),
    );
  },
};

export interface GroupRelease {
  readonly group: number;
  readonly act: ActName;
  readonly details: Readonly<Record<string, unknown>>;
  readonly begin: (client: pg.PoolClient, request: ReleaseRequest) => Promise<FrozenSelection>;
}

/** Freezes the group, has it released, and watches. */
export const releaseGroup = async (
  context: CommandContext,
  pool: pg.Pool,
  { group, act, details, begin }: GroupRelease,
): Promise<number> => {
  const { given, terminal, style, json } = context;
  const request = {
    group,
    canary: wholeNumber(given, 'canary', { min: 0, max: canaryMax, fallback: 5 }),
    rate: wholeNumber(given, 'rate', { min: 1, max: rateMax, fallback: 20 }),
    stopAfter: wholeNumber(given, 'stop-after', { min: 1, max: 1_000_000, fallback: 10 }),
    ...personOf(context),
  };
  const actor = await actorOf(context, pool);
  const { canary, rate, stopAfter, reason } = request;
  const frozen = await perform(
    pool,
    {
      actor,
      act,
      target: `quarantine group ${group}`,
      reason,
      details: (made: FrozenSelection) => ({
        ...details,
        release: made.id,
        selected: made.selected,
        digest: made.digest,
        canary,
        rate,
        stopAfter,
      }),
    },
    (client) => begin(client, request),
  );
  if (!json)
    terminal.out(
      `release ${frozen.id}: ${countText(frozen.selected, 'event')} of group ${group}, frozen as ${frozen.digest.slice(0, 12)}`,
    );
  const release = given.has('no-wait')
    ? await findRelease(pool, frozen.id)
    : await watchRelease(context, pool, frozen.id);
  if (json) terminal.out(jsonText({ release }));
  else for (const line of releaseLines(release, { width: terminal.width, style })) terminal.out(line);
  return exitCodeOf(release, given.has('no-wait'));
};

const isOpen = ({ state }: Release): boolean => state === 'canary' || state === 'releasing';

/** 6: it goes on without anybody watching. */
const exitCodeOf = (release: Release, unwatched: boolean): number => {
  if (isOpen(release)) return unwatched ? 0 : 6;
  return release.state === 'done' && release.canary.failed + release.rest.failed === 0 ? 0 : 1;
};

const lookMs = 500;

/** Only looks: running processes carry the release on. */
const watchRelease = async (context: CommandContext, pool: pg.Pool, id: number): Promise<Release> => {
  const { given, clock, signal, terminal, style, json } = context;
  const withinMs = duration(given, 'within', '10m');
  const until = clock.monotonic() + withinMs;
  for (let shown = ''; ; ) {
    const release = await findRelease(pool, id);
    if (!isOpen(release)) return release;
    if (signal.aborted) {
      if (!json)
        terminal.out(
          `it goes on without you: factline quarantine releases; end it: factline quarantine stop ${id}`,
        );
      return release;
    }
    if (clock.monotonic() >= until) {
      if (!json)
        terminal.out(`not ended within ${durationText(withinMs)}; it goes on: factline quarantine releases`);
      return release;
    }
    const line = releaseLines(release, { width: terminal.width, style }).join('\n');
    if (!json && line !== shown) terminal.err(line);
    shown = line;
    await clock.sleep(lookMs, signal);
  }
};

export const quarantineReleases: Command = {
  path: ['quarantine', 'releases'],
  summary: 'List the releases of groups, those under way first.',
  options: [{ name: 'limit', value: 'N', help: 'At most this many. Default: 20.' }, ...databaseOptions],
  examples: [{ line: 'factline quarantine releases', does: 'how far each is' }],
  json: [{ name: 'releases[]', help: 'As `release` in `quarantine release --json`.' }],
  run: (context) =>
    withDatabase(context, async ({ database }) => {
      const { given, terminal, style, json } = context;
      const limit = wholeNumber(given, 'limit', { min: 1, max: 1_000, fallback: 20 });
      const releases = await listReleases(database.operations, limit);
      if (json) terminal.out(jsonText({ releases }));
      else if (releases.length === 0) terminal.out('No group was released yet.');
      else
        for (const line of releases.flatMap((each) => releaseLines(each, { width: terminal.width, style })))
          terminal.out(line);
      return undefined;
    }),
};

export const quarantineStop: Command = {
  path: ['quarantine', 'stop'],
  summary: 'End the release of a group.',
  description:
    'Nothing more is sent, and what was not sent stays in quarantine. What was sent ends by itself.',
  arguments: [{ name: 'RELEASE', help: 'The number from `quarantine releases`.', required: true }],
  options: [...personOptions, ...databaseOptions],
  examples: [
    { line: 'factline quarantine stop 4 --reason "the provider is away again"', does: 'one release' },
  ],
  json: releaseFields,
  run: (context) =>
    withDatabase(context, async ({ database }) => {
      const { given, terminal, style, json } = context;
      const id = numberFrom('releases', 'RELEASE', given.arguments[0]);
      const actor = await actorOf(context, database.operations);
      const act = {
        actor,
        act: 'quarantine.stop',
        target: `quarantine release ${id}`,
        ...reasonOf(context),
      } as const;
      await perform(database.operations, act, (client) => cancelRelease(client, id, actor.name));
      const release = await findRelease(database.operations, id);
      if (json) terminal.out(jsonText({ release }));
      else for (const line of releaseLines(release, { width: terminal.width, style })) terminal.out(line);
      return undefined;
    }),
};

const reasonOf = (context: CommandContext): { readonly reason?: string } => {
  const { reason } = personOf(context);
  return reason === undefined ? {} : { reason };
};
