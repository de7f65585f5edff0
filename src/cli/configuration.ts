import { existsSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Factline, type Internals, internals } from '../app/index.ts';
import { FactlineError } from '../foundation/index.ts';
import type { CommandContext, CommandOption } from './command.ts';

export const appOption: CommandOption = {
  name: 'app',
  value: 'FILE',
  help: 'The file that exports the app. Default: factline.config.ts in this folder.',
};

/** The user's app, and what the command line may reach inside it. */
export interface LoadedApp {
  readonly app: Factline;
  readonly internals: Internals;
  readonly file: string;
}

const names = [
  'factline.config.ts',
  'factline.config.mts',
  'factline.config.js',
  'factline.config.mjs',
] as const;

type Place = Pick<CommandContext, 'given' | 'terminal'>;

/** The configuration that the command would read; undefined when there is none and none was asked for. */
const findFile = ({ given, terminal }: Place): string | undefined => {
  const asked = given.text('app');
  if (asked !== undefined) return path.resolve(terminal.directory, asked);
  return names.map((name) => path.join(terminal.directory, name)).find((file) => existsSync(file));
};

/** @throws FactlineError CONFIG_MISSING, CONFIG_INVALID, and what the configuration itself throws. */
export const loadApp = async (place: Place): Promise<LoadedApp> => {
  const file = findFile(place);
  if (file === undefined || !existsSync(file)) {
    throw new FactlineError('CONFIG_MISSING', {
      file: file ?? path.join(place.terminal.directory, names[0]),
    });
  }
  const app = exportedApp(file, await importFile(file));
  return { app, internals: reach(file, app), file };
};

/** As `loadApp`, for commands that can do without: null when there is no configuration and none was asked for. */
export const loadAppIfAny = async (place: Place): Promise<LoadedApp | null> =>
  findFile(place) === undefined ? null : loadApp(place);

const importFile = async (file: string): Promise<Readonly<Record<string, unknown>>> => {
  try {
    return (await import(pathToFileURL(file).href)) as Readonly<Record<string, unknown>>;
  } catch (error) {
    if (FactlineError.is(error)) throw error;
    const { code, message } = error as { code?: string; message?: string };
    const old = code === 'ERR_UNKNOWN_FILE_EXTENSION';
    const reason = old
      ? `Node ${process.version} does not run TypeScript; 22.18 or newer does`
      : (message ?? String(error));
    throw new FactlineError('CONFIG_INVALID', { file, reason }, { cause: error });
  }
};

const exportedApp = (file: string, module: Readonly<Record<string, unknown>>): Factline => {
  const app = module['app'] ?? module['default'];
  if (typeof app === 'object' && app !== null) return app as Factline;
  const found = Object.keys(module).join(', ') || 'nothing';
  throw new FactlineError('CONFIG_INVALID', {
    file,
    reason: `it exports ${found}, but neither app nor default`,
  });
};

const reach = (file: string, app: Factline): Internals => {
  try {
    return internals(app);
  } catch (error) {
    const looksRight = typeof app.publish === 'function' && typeof app.transaction === 'function';
    const reason = looksRight
      ? 'its app was made by another copy of factline than this command belongs to'
      : 'what it exports was not made by createFactline';
    throw new FactlineError('CONFIG_INVALID', { file, reason }, { cause: error });
  }
};
