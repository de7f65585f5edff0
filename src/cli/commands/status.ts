import { systemClock } from '../../foundation/index.ts';
import { createMeter, findConsumer, measure, type Verdict } from '../../operations/index.ts';
import type { Command, CommandContext } from '../command.ts';
import { type Connected, databaseOptions, withDatabase } from '../connection.ts';
import { duration } from '../parse.ts';
import { Screen } from '../screen.ts';
import { statusLines, summaryLine } from '../status-view.ts';

export const status: Command = {
  path: ['status'],
  summary: 'Show one verdict per consumer, measured in the log.',
  description:
    'Shows one verdict per consumer: OK, LATE, STALLED, PAUSED or UNKNOWN, from the age of the oldest unhandled event in the log. Needs only the database; the app need not run.',
  options: [
    { name: 'consumer', value: 'NAME', help: 'Only this consumer.' },
    { name: 'watch', short: 'w', help: 'Measure again and again until Ctrl-C.' },
    { name: 'every', value: 'TIME', help: 'Time between measurements of --watch. Default: 2s.' },
    { name: 'check', help: 'End with exit code 1 when a consumer is STALLED or UNKNOWN.' },
    ...databaseOptions,
  ],
  examples: [
    { line: 'factline status', does: 'all consumers in the database' },
    { line: 'factline status --watch', does: 'on a screen of its own' },
    { line: 'factline status --check --json', does: 'for scripts and deploy gates' },
  ],
  json: [
    { name: 'consumers[]', help: 'One verdict each; see docs/operations.md for its fields.' },
    { name: 'consumers[].verdict', help: 'OK, LATE, STALLED, PAUSED or UNKNOWN.' },
    { name: 'consumers[].reasons[]', help: '{ code, text }, in order of weight.' },
    { name: 'consumers[].lagSeconds', help: 'Age of the oldest unhandled event; null when unknown.' },
  ],
  run: (context) =>
    withDatabase(context, async (connected) => show(context, connected, await chosenBy(context, connected))),
};

type Choice = (verdicts: readonly Verdict[]) => readonly Verdict[];

/** @throws FactlineError CONSUMER_UNKNOWN: a misspelt name would be nothing to worry about, also for --check. */
const chosenBy = async ({ given }: CommandContext, { database, app }: Connected): Promise<Choice> => {
  const asked = given.text('consumer');
  if (asked === undefined) return (verdicts) => verdicts;
  // What is declared and not registered yet is shown as that.
  const isDeclared = app?.internals.settings.consumers.some(({ name }) => name === asked) === true;
  const name = isDeclared ? asked : (await findConsumer(database.operations, asked)).name;
  return (verdicts) => verdicts.filter(({ consumer }) => consumer === name);
};

const show = async (context: CommandContext, connected: Connected, chosen: Choice): Promise<number> => {
  if (context.given.has('watch')) return watch(context, connected, chosen);
  const verdicts = chosen(await measure(sourceOf(connected)));
  const { terminal, style, json } = context;
  if (json) terminal.out(JSON.stringify({ consumers: verdicts }));
  else for (const line of statusLines(verdicts, { width: terminal.width, style })) terminal.out(line);
  return exitCode(context, verdicts);
};

const sourceOf = ({ database, app }: Connected): Parameters<typeof measure>[0] => ({
  database,
  ...(app === null ? {} : { declared: app.internals.settings.consumers }),
});

const exitCode = ({ given }: CommandContext, verdicts: readonly Verdict[]): number =>
  given.has('check') && verdicts.some(({ verdict }) => verdict === 'STALLED' || verdict === 'UNKNOWN')
    ? 1
    : 0;

const watch = async (context: CommandContext, connected: Connected, chosen: Choice): Promise<number> => {
  const { terminal, style, json, signal, clock, given } = context;
  const everyMs = duration(given, 'every', '2s');
  const meter = createMeter({ ...sourceOf(connected), clock: systemClock });
  const screen = new Screen(terminal);
  let verdicts: readonly Verdict[] = [];
  while (!signal.aborted) {
    verdicts = chosen(await meter.verdicts());
    if (json) terminal.out(JSON.stringify({ consumers: verdicts }));
    else
      screen.show([
        summaryLine(verdicts, style),
        '',
        ...statusLines(verdicts, { width: terminal.width, style }),
      ]);
    await clock.sleep(everyMs, signal);
  }
  screen.end();
  return exitCode(context, verdicts);
};
