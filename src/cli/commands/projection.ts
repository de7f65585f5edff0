import { FactlineError } from '../../foundation/index.ts';
import { durationText, findConsumer, measure, type Verdict } from '../../operations/index.ts';
import { personOf } from '../actor.ts';
import type { Command } from '../command.ts';
import { databaseOptions, withDatabase } from '../connection.ts';
import { answerFields, carryOut, waitOptions } from '../requests.ts';
import { verdictPaint } from '../status-view.ts';
import { type Column, renderTable } from '../table.ts';

const columns: readonly Column<Verdict>[] = [
  {
    title: 'PROJECTION',
    value: ({ consumer }) => consumer,
    widthMin: 12,
    paint: (_row, style) => style.bold,
  },
  { title: 'VERSION', value: ({ version }) => String(version), align: 'right' },
  { title: 'BUILD', value: ({ build }) => String(build), align: 'right' },
  { title: 'READ', value: ({ state }) => (state === 'live' ? 'yes' : 'not yet') },
  {
    title: 'VERDICT',
    value: ({ verdict }) => verdict,
    paint: ({ verdict }, style) => verdictPaint(verdict, style),
  },
  {
    title: 'LAG',
    value: ({ lagSeconds }) => (lagSeconds === null ? '–' : durationText(lagSeconds * 1_000)),
    align: 'right',
  },
  {
    title: 'CHECKPOINT',
    value: ({ checkpoint }) => (checkpoint ?? 0).toLocaleString('en-US'),
    align: 'right',
    dropOrder: 2,
  },
  { title: 'HEAD', value: ({ head }) => (head ?? 0).toLocaleString('en-US'), align: 'right', dropOrder: 1 },
];

export const projectionList: Command = {
  path: ['projection', 'list'],
  summary: 'List projections with their builds.',
  description:
    'Lists every build of every projection: its version, whether readers see it, and how far it is.',
  options: databaseOptions,
  examples: [{ line: 'factline projection list', does: 'all builds' }],
  json: [
    {
      name: 'projections[]',
      help: 'One verdict per build, as in `status --json`; state is live or building.',
    },
  ],
  run: (context) =>
    withDatabase(context, async ({ database }) => {
      const { terminal, style, json } = context;
      const projections = (await measure({ database })).filter((verdict) => verdict.class === 'projection');
      if (json) terminal.out(JSON.stringify({ projections }));
      else if (projections.length === 0) terminal.out('No projection is registered in this database yet.');
      else
        for (const line of renderTable(projections, columns, { width: terminal.width, style }))
          terminal.out(line);
      return undefined;
    }),
};

export const projectionRebuild: Command = {
  path: ['projection', 'rebuild'],
  summary: 'Fold a projection anew, beside the one that is read.',
  description:
    'Makes a further build of the same version from the beginning of the log. Readers see the present build until the new one has caught up; then the view moves.',
  arguments: [{ name: 'NAME', help: 'The projection.', required: true }],
  options: [
    { name: 'reason', value: 'TEXT', help: 'Why; stays on record.' },
    { name: 'by', value: 'NAME', help: 'Who decides; stays on record. Default: the user of this machine.' },
    ...waitOptions,
    ...databaseOptions,
  ],
  examples: [
    { line: 'factline projection rebuild order-summary', does: 'follow it with: factline projection list' },
  ],
  json: answerFields,
  run: (context) =>
    withDatabase(context, async ({ database }) => {
      const consumer = await findConsumer(database.operations, context.given.arguments[0] ?? '');
      if (consumer.class !== 'projection') {
        throw new FactlineError('OPTION_INVALID', {
          option: 'NAME',
          expected: 'a projection',
          actual: `${consumer.name}, which is ${consumer.class}`,
        });
      }
      return carryOut(context, database.operations, [{ consumer, verb: 'rebuild', ...personOf(context) }]);
    }),
};
