import { readFileSync } from 'node:fs';
import { type Clock, exitCodes, FactlineError } from '../foundation/index.ts';
import type { Command, CommandContext } from './command.ts';
import { lightCommands } from './commands/light.ts';
import { type HelpOptions, renderCommandHelp, renderGroupHelp } from './help.ts';
import { parse, route } from './parse.ts';
import { styleOf } from './style.ts';
import type { Terminal } from './terminal.ts';

export interface CliOptions {
  readonly terminal: Terminal;
  readonly clock: Clock;
  /** Aborts when a person or an orchestrator wants the command to end. */
  readonly signal: AbortSignal;
}

/** Runs one command line and resolves with its exit code; it never rejects and never ends the process. */
export const runCli = async (words: readonly string[], options: CliOptions): Promise<number> => {
  const { terminal } = options;
  try {
    return await dispatch(words, options);
  } catch (error) {
    const { failureLines, failureOf, interruptionOf } = await import('./failure.ts');
    const failure = failureOf(options.signal.aborted ? interruptionOf(error) : error);
    const debug = Boolean(terminal.environment['FACTLINE_DEBUG']);
    if (words.includes('--json')) {
      const { code, message, cause, remedy } = failure;
      terminal.err(JSON.stringify({ error: { code, message, cause, remedy } }));
    } else
      for (const line of failureLines(failure, {
        width: terminal.width,
        style: styleOf(terminal.colour),
        debug,
      }))
        terminal.err(line);
    return failure.exitCode;
  }
};

const helpWords: ReadonlySet<string> = new Set(['--help', '-h']);

const dispatch = async (words: readonly string[], options: CliOptions): Promise<number> => {
  const { terminal } = options;
  const help: HelpOptions = { width: terminal.width, style: styleOf(terminal.colour) };
  if (words[0] === '--version' || words[0] === '-V') {
    terminal.out(version());
    return 0;
  }
  // `factline help quarantine retry` as well as `factline quarantine retry --help`.
  const asked = words[0] === 'help' ? [...words.slice(1), '--help'] : words;
  const light = lightCommands.find(({ path }) => path.every((word, index) => asked[index] === word));
  if (light !== undefined) return runCommand(light, asked.slice(light.path.length), options);
  const { commands } = await import('./commands/index.ts');
  const found = route(commands, asked);
  if (found.kind === 'command') return runCommand(found.command, found.rest, options);
  const wanted = asked.find((word) => word.startsWith('-'));
  if (wanted !== undefined && !helpWords.has(wanted)) {
    throw new FactlineError('OPTION_UNKNOWN', {
      command: ['factline', ...found.path].join(' '),
      option: wanted,
      suggestion: '',
    });
  }
  const lines = renderGroupHelp(commands, found.path, help);
  const complete = wanted !== undefined || words.length === 0;
  for (const line of lines) (complete ? terminal.out : terminal.err)(line);
  return complete ? 0 : exitCodes.usage;
};

const runCommand = async (
  command: Command,
  words: readonly string[],
  { terminal, clock, signal }: CliOptions,
): Promise<number> => {
  const given = parse(command, words);
  const style = styleOf(terminal.colour);
  if (given.has('help')) {
    for (const line of renderCommandHelp(command, { width: terminal.width, style })) terminal.out(line);
    return 0;
  }
  const context: CommandContext = { given, terminal, style, clock, signal, json: given.has('json') };
  return (await command.run(context)) ?? 0;
};

/** package.json stands two folders above, in the source as in dist. */
const version = (): string => {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
};
