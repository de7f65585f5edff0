import { stageSentences, withoutValues } from '../../consumers/index.ts';
import { measure } from '../../operations/index.ts';
import { compareProjection, listBuilds } from '../../replay/index.ts';
import type { Command, CommandContext } from '../command.ts';
import { databaseOptions, withDatabase } from '../connection.ts';
import { wholeNumber } from '../parse.ts';
import { buildListLines, comparisonLines } from '../projection-view.ts';

const stagesHelp = Object.entries(stageSentences)
  .filter(([stage]) => stage !== 'retired')
  .map(([stage, sentence]) => `${stage}: ${sentence}.`)
  .join(' ');

export const projectionList: Command = {
  path: ['projection', 'list'],
  summary: 'List projections with their builds.',
  description: `Lists every build of every projection: its version, where it stands, and how far it is. ${stagesHelp}`,
  options: databaseOptions,
  examples: [{ line: 'factline projection list', does: 'all builds, and what keeps one from being read' }],
  json: [
    {
      name: 'projections[]',
      help: 'One verdict per build, as in `status --json`, with the fields of its build; without a verdict where nobody feeds it.',
    },
    { name: 'projections[].stage', help: 'filling, checking, ready, differs, live or standby.' },
    { name: 'projections[].obstacle', help: 'Why it is not read yet; null.' },
    {
      name: 'projections[].done, .etaMs',
      help: 'The share of the log dealt with; milliseconds left, or null.',
    },
    { name: 'projections[].lanes, .shards', help: 'Lanes now, and when it was begun.' },
    { name: 'projections[].switching', help: 'automatic or manual.' },
    { name: 'projections[].startedBy, .reason, .startedAt', help: 'Who began it, why and when.' },
    {
      name: 'projections[].finding',
      help: 'What the last comparison found, as in `projection compare --json`.',
    },
  ],
  run: (context) =>
    withDatabase(context, async ({ database }) => {
      const { terminal, style, json } = context;
      const verdicts = await measure({ database });
      const builds = (await listBuilds(database.operations)).map((build) => ({
        build,
        verdict: verdicts.find((each) => each.consumer === build.name && each.build === build.build) ?? null,
      }));
      if (json) terminal.out(JSON.stringify({ projections: builds.map(listed) }));
      else if (builds.length === 0) terminal.out('No projection is registered in this database yet.');
      else for (const line of buildListLines(builds, { width: terminal.width, style })) terminal.out(line);
      return undefined;
    }),
};

const listed = ({ build, verdict }: Parameters<typeof buildListLines>[0][number]): object => {
  const {
    stage,
    obstacle,
    done,
    etaMs,
    lanes,
    shards,
    switching,
    startedBy,
    reason,
    startedAt,
    finding,
    fed,
  } = build;
  return {
    consumer: build.name,
    version: build.version,
    build: build.build,
    ...verdict,
    stage,
    obstacle,
    fed,
    done,
    etaMs,
    lanes,
    shards,
    switching,
    startedBy,
    reason,
    startedAt,
    finding,
  };
};

export const buildOption = {
  name: 'build',
  value: 'N',
  help: 'Which build, by its number in `projection list`.',
} as const;

export const buildNumber = ({ given }: CommandContext): number | undefined =>
  given.text('build') === undefined
    ? undefined
    : wholeNumber(given, 'build', { min: 1, max: 1_000_000, fallback: 0 });

export const projectionCompare: Command = {
  path: ['projection', 'compare'],
  summary: 'Compare the rows of a build with those that are read.',
  description:
    'Compares every row, range by range, in one snapshot, while both builds go on; nobody is held up. Of builds of different versions, what they have in common is compared. Contents of rows are shown only with --values. The exit code is 1 unless every row is the same.',
  arguments: [{ name: 'NAME', help: 'The projection.', required: true }],
  options: [
    { ...buildOption, help: `${buildOption.help} Default: the newest that is not read.` },
    { name: 'values', help: 'Show what the rows contain; it may be personal data.' },
    { name: 'range', value: 'ROWS', help: 'Rows compared at a time. Default: 10000.' },
    ...databaseOptions,
  ],
  examples: [
    { line: 'factline projection compare orders', does: 'the build on its way, or the way back' },
    {
      line: 'factline projection compare orders --build 2 --values',
      does: 'with the contents of rows that differ',
    },
  ],
  json: [
    {
      name: 'verdict',
      help: 'equal, differs, undecided (too much traffic) or incomparable (no key in common).',
    },
    { name: 'live, build', help: 'The numbers of the two builds.' },
    { name: 'liveRows, buildRows, ranges', help: 'What was counted.' },
    {
      name: 'different, atLeast',
      help: 'Rows that differ; atLeast: not every differing range was looked at.',
    },
    { name: 'columns[], otherColumns[]', help: 'What was compared, and what only one of them has.' },
    { name: 'sample[]', help: '{ key[], where, columns[], live, build }; the last two only with --values.' },
    { name: 'elapsedMs', help: 'How long it took.' },
  ],
  run: (context) =>
    withDatabase(context, async ({ database }) => {
      const { given, terminal, style, json, clock, signal } = context;
      const projection = given.arguments[0] ?? '';
      const rangeRows = wholeNumber(given, 'range', { min: 2, max: 1_000_000, fallback: 10_000 });
      const build = buildNumber(context);
      const comparison = await compareProjection({ database, clock, projection, build, rangeRows, signal });
      const values = given.has('values');
      if (json) terminal.out(JSON.stringify(values ? comparison : withoutValues(comparison)));
      else for (const line of comparisonLines(comparison, { style, projection, values })) terminal.out(line);
      return comparison.verdict === 'equal' ? undefined : 1;
    }),
};
