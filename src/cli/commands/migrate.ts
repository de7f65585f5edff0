import { checkServer, type Database, hostOf, migrate as migrateDatabase } from '../../postgres/index.ts';
import type { Command, CommandContext } from '../command.ts';
import type { LoadedApp } from '../configuration.ts';
import { databaseOptions, withDatabase } from '../connection.ts';

export const migrate: Command = {
  path: ['migrate'],
  summary: 'Bring the schema up to date, and register the consumers of the app.',
  description:
    'Applies the missing migrations of the schema factline in one transaction; any number of processes may do it at once. With an app it also registers its consumers and makes the tables and views of its projections, so that nothing that is published from now on is missed.',
  options: databaseOptions,
  examples: [
    { line: 'factline migrate', does: 'before the new release starts' },
    { line: 'factline migrate --database $DATABASE_URL', does: 'the schema only, without an app' },
  ],
  json: [
    { name: 'applied[]', help: 'Names of the migrations that were applied now.' },
    { name: 'registered[]', help: 'Names of the consumers that were registered now.' },
    { name: 'consumers', help: 'How many consumers the app declares; null without an app.' },
  ],
  run: (context) =>
    withDatabase(
      context,
      async ({ database, app }) => {
        const { terminal, style, json } = context;
        const applied = await applyMigrations(context, database);
        const registered = app === null ? [] : await register(app);
        const consumers = app?.internals.settings.consumers.length ?? null;
        if (json) {
          terminal.out(JSON.stringify({ applied, registered, consumers }));
          return undefined;
        }
        for (const name of registered) terminal.out(`${style.green('✓')} ${name} registered`);
        if (applied.length === 0 && registered.length === 0)
          terminal.out(`${style.green('✓')} nothing to do: the schema is up to date`);
        const roles = app?.internals.settings.roles;
        if (roles !== undefined && roles['*'] === undefined)
          terminal.out(
            `${style.green('✓')} roles stored: whoever is not among ${Object.keys(roles).join(', ') || 'them'} may only look`,
          );
        if (app === null)
          terminal.out(style.dim('No app in this folder: its consumers are registered when it starts.'));
        return undefined;
      },
      { schema: 'any' },
    ),
};

/** Says each step as it begins and whether it worked; an error of a step ends it. */
export const applyMigrations = async (
  { terminal, style, json }: CommandContext,
  database: Database,
): Promise<readonly string[]> => {
  await checkServer(database.operations, hostOf(database.url));
  const { applied } = await migrateDatabase(database, {
    onStep: (name) => {
      if (!json) terminal.out(`  ${name} …`);
    },
  });
  if (!json && applied.length > 0)
    terminal.out(
      `${style.green('✓')} ${applied.length === 1 ? 'one migration' : `${applied.length} migrations`} applied`,
    );
  return applied;
};

/** The first use of an app registers what it declares. */
const register = async ({ app, internals }: LoadedApp): Promise<readonly string[]> => {
  const registered: string[] = [];
  const forget = internals.telemetry.listen((event) => {
    if (event.name === 'consumer.registered') registered.push(String(event.fields.consumer));
  });
  try {
    await internals.open();
    return registered;
  } finally {
    forget();
    await app.stop();
  }
};
