import { FactlineError } from '../../foundation/index.ts';
import { durationText, findConsumer } from '../../operations/index.ts';
import type { Database } from '../../postgres/index.ts';
import {
  type BuildAct,
  type BuildProgress,
  listBuilds,
  retireProjection,
  rollBackProjection,
  switchProjection,
} from '../../replay/index.ts';
import { actorOf, personOf, personOptions } from '../actor.ts';
import type { Command, CommandContext, CommandOption, JsonField } from '../command.ts';
import { databaseOptions, withDatabase } from '../connection.ts';
import { duration, wholeNumber } from '../parse.ts';
import { followLine } from '../projection-view.ts';
import { answerFields, carryOut, waitOptions } from '../requests.ts';
import { buildNumber, buildOption } from './projection.ts';

const projectionArgument = [{ name: 'NAME', help: 'The projection.', required: true }] as const;

const within: CommandOption = {
  name: 'within',
  value: 'TIME',
  help: 'How long to try while somebody is in the way. Default: 30s.',
};

const actOf = async (context: CommandContext, database: Database): Promise<BuildAct> => {
  const { given, clock, signal } = context;
  return {
    database,
    clock,
    signal,
    actor: await actorOf(context, database.operations),
    projection: given.arguments[0] ?? '',
    build: buildNumber(context),
    reason: personOf(context).reason,
    withinMs: duration(given, 'within', '30s'),
  };
};

export const projectionRebuild: Command = {
  path: ['projection', 'rebuild'],
  summary: 'Make the rows of a projection anew, beside those that are read.',
  description:
    'Makes a further build of the same version from the beginning of the log, as fast as live consumers allow. When it has caught up it is compared with the build that is read: if every row is the same it takes its place by itself, otherwise it waits for `projection switch`. The build that was read stays fed until `projection retire`.',
  arguments: projectionArgument,
  options: [
    { name: 'switch', negated: true, help: 'Do not let it take the place by itself: a person says when.' },
    {
      name: 'shards',
      value: 'N',
      help: 'Lanes that fill it side by side, shared out over the processes that run, 1 to 64. Default: 4 for a long log, where each row belongs to one key of events.',
    },
    {
      name: 'ceiling',
      value: 'N',
      help: 'Events a second and process at most. Default: as many as live consumers bear.',
    },
    { name: 'follow', help: 'Show how far it is until it is read, or waits for a person.' },
    {
      name: 'cancel',
      help: 'Give up the build that is on its way: its table and everything kept for it goes.',
    },
    ...personOptions,
    ...waitOptions,
    ...databaseOptions,
  ],
  examples: [
    { line: 'factline projection rebuild order-summary --follow', does: 'until readers see it' },
    {
      line: 'factline projection rebuild order-summary --no-switch',
      does: 'look first: factline projection compare',
    },
    { line: 'factline projection rebuild order-summary --cancel', does: 'as if it had not been begun' },
  ],
  json: answerFields,
  run: (context) =>
    withDatabase(context, ({ database }) =>
      context.given.has('cancel') ? cancel(context, database) : rebuild(context, database),
    ),
};

const rebuild = async (context: CommandContext, database: Database): Promise<number> => {
  const { given } = context;
  const consumer = await findConsumer(database.operations, given.arguments[0] ?? '');
  if (consumer.class !== 'projection') {
    throw new FactlineError('OPTION_INVALID', {
      option: 'NAME',
      expected: 'a projection',
      actual: `${consumer.name}, which is ${consumer.class}`,
    });
  }
  const isOnItsWay = ({ stage }: BuildProgress): boolean => stage !== 'live' && stage !== 'standby';
  // The process that is asked refuses it as well; said here it names the way on.
  if ((await listBuilds(database.operations, consumer.name)).some(isOnItsWay))
    throw new FactlineError('PROJECTION_REBUILD_UNDER_WAY', { projection: consumer.name });
  const wishes = {
    switching: given.has('no-switch') ? 'manual' : 'automatic',
    ...(given.text('shards') === undefined
      ? {}
      : { shards: wholeNumber(given, 'shards', { min: 1, max: 64, fallback: 1 }) }),
    ...(given.text('ceiling') === undefined
      ? {}
      : { ceiling: wholeNumber(given, 'ceiling', { min: 1, max: 1_000_000, fallback: 1 }) }),
  };
  const request = { consumer, verb: 'rebuild', arguments: wishes, ...personOf(context) } as const;
  const code = await carryOut(context, database.operations, [request]);
  return code === 0 && given.has('follow') ? follow(context, database, consumer.name) : code;
};

const followEveryMs = 1_000;

/** Shows progress on standard error; ends when nothing more happens by itself. */
const follow = async (context: CommandContext, database: Database, name: string): Promise<number> => {
  const { clock, signal, terminal, style, json } = context;
  let shown = '';
  for (;;) {
    const build = (await listBuilds(database.operations, name)).at(-1);
    if (build === undefined || signal.aborted) return 0;
    const line = followLine(build);
    if (line !== shown) terminal.err(line);
    shown = line;
    if (build.stage === 'live') {
      if (!json)
        terminal.out(
          `${style.green('✓')} readers of ${name} see build ${build.build}; it took ${durationText(build.ageMs)}`,
        );
      return 0;
    }
    if (waitsForPerson(build)) return 1;
    await clock.sleep(followEveryMs, signal);
  }
};

const waitsForPerson = ({ stage, switching }: BuildProgress): boolean =>
  stage === 'differs' || (stage === 'ready' && switching === 'manual');

const cancel = async (context: CommandContext, database: Database): Promise<undefined> => {
  const act = await actOf(context, database);
  const retired = await retireProjection({ ...act, role: 'on its way' });
  const { terminal, style, json } = context;
  if (json)
    terminal.out(JSON.stringify({ projection: retired.name, build: retired.build, stage: 'retired' }));
  else
    terminal.out(
      `${style.green('✓')} build ${retired.build} of ${retired.name} is given up; its table is gone`,
    );
  return undefined;
};

const switchFields: readonly JsonField[] = [
  { name: 'projection', help: 'Its name.' },
  { name: 'from, to', help: 'The numbers of the build that was read and of the one that is.' },
  { name: 'position', help: 'Up to here in the log the new one had come.' },
];

const acceptOption: CommandOption = {
  name: 'accept',
  help: 'Although rows differ, or events did not pass in this build.',
};

const switchCommand = (
  declaration: Pick<Command, 'path' | 'summary' | 'description' | 'examples'>,
  move: typeof switchProjection,
): Command => ({
  ...declaration,
  arguments: projectionArgument,
  options: [buildOption, acceptOption, ...personOptions, within, ...databaseOptions],
  json: switchFields,
  run: (context) =>
    withDatabase(context, async ({ database }) => {
      const { terminal, style, json, given } = context;
      const act = await actOf(context, database);
      const { from, to, position } = await move({ ...act, accepted: given.has('accept') });
      if (json)
        terminal.out(
          JSON.stringify({ projection: to.name, from: from?.build ?? null, to: to.build, position }),
        );
      else {
        const back =
          from === null ? '' : `; back to build ${from.build}: factline projection rollback ${to.name}`;
        terminal.out(`${style.green('✓')} readers of ${to.name} see build ${to.build}${back}`);
      }
      return undefined;
    }),
});

export const projectionSwitch: Command = switchCommand(
  {
    path: ['projection', 'switch'],
    summary: 'Let readers see the build that is on its way.',
    description:
      'Moves the view in one transaction, when the build has everything that the one has which is read. That one stays fed as long as code for its version runs: `projection rollback` goes back to it. A build that was kept for going back before is given up.',
    examples: [
      { line: 'factline projection switch orders --reason "compared, looks right"', does: 'stays on record' },
      { line: 'factline projection switch orders --accept', does: 'although its rows differ' },
    ],
  },
  switchProjection,
);

export const projectionRollback: Command = switchCommand(
  {
    path: ['projection', 'rollback'],
    summary: 'Let readers see again what they saw before the last switch.',
    description:
      'The same switch, back to the build that was read before. It was fed all the time; where that needs an older release of your code, start that first.',
    examples: [{ line: 'factline projection rollback orders --reason "totals are wrong"', does: 'at once' }],
  },
  rollBackProjection,
);

export const projectionRetire: Command = {
  path: ['projection', 'retire'],
  summary: 'Give up the build that is kept for going back.',
  description: 'Drops its table, and feeds it no longer. After it there is no way back but another rebuild.',
  arguments: projectionArgument,
  options: [buildOption, ...personOptions, within, ...databaseOptions],
  examples: [{ line: 'factline projection retire orders', does: 'once you are sure of the new build' }],
  json: [
    { name: 'projection', help: 'Its name.' },
    { name: 'build', help: 'The number of the build that was given up.' },
    { name: 'stage', help: 'retired.' },
  ],
  run: (context) =>
    withDatabase(context, async ({ database }) => {
      const { terminal, style, json } = context;
      const { name, build } = await retireProjection({
        ...(await actOf(context, database)),
        role: 'to go back to',
      });
      if (json) terminal.out(JSON.stringify({ projection: name, build, stage: 'retired' }));
      else terminal.out(`${style.green('✓')} build ${build} of ${name} is retired; its table is gone`);
      return undefined;
    }),
};
