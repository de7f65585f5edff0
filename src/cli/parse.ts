import { parseArgs } from 'node:util';
import { type Duration, FactlineError, toMilliseconds } from '../foundation/index.ts';
import { type Command, type CommandOption, commandName, type Given } from './command.ts';
import { suggestion } from './suggest.ts';

const jsonOption: CommandOption = { name: 'json', help: 'Machine-readable output with stable fields.' };
const helpOption: CommandOption = { name: 'help', short: 'h', help: 'Show this help.' };

export const optionsOf = (command: Command): readonly CommandOption[] => [
  ...(command.options ?? []),
  ...(command.json === undefined ? [] : [jsonOption]),
  helpOption,
];

export type Route =
  | { readonly kind: 'command'; readonly command: Command; readonly rest: readonly string[] }
  | { readonly kind: 'group'; readonly path: readonly string[] };

/**
 * Finds the command whose path begins the words; words before the first option, that is.
 * @throws FactlineError COMMAND_UNKNOWN
 */
export const route = (commands: readonly Command[], words: readonly string[]): Route => {
  const matching = (path: readonly string[]): readonly Command[] =>
    commands.filter((command) => path.every((word, index) => command.path[index] === word));
  const path: string[] = [];
  for (const [index, word] of words.entries()) {
    if (word.startsWith('-')) break;
    const candidates = matching([...path, word]);
    if (candidates.length === 0) throw unknownCommand(matching(path), path, word);
    path.push(word);
    const [command] = candidates;
    if (command !== undefined && candidates.length === 1 && command.path.length === path.length) {
      return { kind: 'command', command, rest: words.slice(index + 1) };
    }
  }
  return { kind: 'group', path };
};

const unknownCommand = (
  siblings: readonly Command[],
  path: readonly string[],
  word: string,
): FactlineError => {
  const known = [...new Set(siblings.map((command) => command.path[path.length] ?? ''))];
  return new FactlineError('COMMAND_UNKNOWN', {
    command: [...path, word].join(' '),
    suggestion: suggestion(word, known),
    known,
  });
};

/**
 * Checks the words after the command's name against what it declares.
 * @throws FactlineError OPTION_UNKNOWN, OPTION_INVALID, ARGUMENT_MISSING, ARGUMENT_UNEXPECTED
 */
export const parse = (command: Command, words: readonly string[]): Given => {
  const options = optionsOf(command);
  const { values, positionals } = parseWords(command, options, words);
  const declared = command.arguments ?? [];
  if (values['help'] !== true) {
    const missing = declared.find((argument, index) => argument.required && positionals[index] === undefined);
    if (missing)
      throw new FactlineError('ARGUMENT_MISSING', { command: commandName(command), argument: missing.name });
    const extra = positionals[declared.length];
    if (extra !== undefined && declared.at(-1)?.many !== true) {
      throw new FactlineError('ARGUMENT_UNEXPECTED', { command: commandName(command), argument: extra });
    }
  }
  return {
    arguments: positionals,
    text: (option) => {
      const value = values[option];
      return typeof value === 'string' ? value : undefined;
    },
    all: (option) => {
      const value = values[option];
      return Array.isArray(value) ? value : [];
    },
    has: (option) => values[option] === true,
  };
};

type Values = Readonly<Record<string, string | boolean | readonly string[] | undefined>>;

const parseWords = (
  command: Command,
  options: readonly CommandOption[],
  words: readonly string[],
): { values: Values; positionals: string[] } => {
  const config = Object.fromEntries(
    options.map(({ name, value, short, negated, many }) => [
      negated ? `no-${name}` : name,
      {
        type: value === undefined ? ('boolean' as const) : ('string' as const),
        ...(short === undefined ? {} : { short }),
        ...(many === undefined ? {} : { multiple: many }),
      },
    ]),
  );
  try {
    const { values, positionals } = parseArgs({
      args: [...words],
      options: config,
      allowPositionals: true,
      strict: true,
    });
    return { values: values as Values, positionals };
  } catch (error) {
    throw explain(command, options, { error, words });
  }
};

/** Node's errors name the option in quotes; their codes are documented. */
const explain = (
  command: Command,
  options: readonly CommandOption[],
  { error, words }: { readonly error: unknown; readonly words: readonly string[] },
): unknown => {
  const { code, message } = error as { code?: string; message: string };
  const quoted = /'(?:-\w, )?(--?[^' =]+)/.exec(message)?.[1] ?? 'given';
  if (code === 'ERR_PARSE_ARGS_UNKNOWN_OPTION') {
    const known = options.map(({ name, negated }) => (negated ? `no-${name}` : name));
    const near = suggestion(quoted.replace(/^--?/, ''), known).replace(/"(.*)"/, '"--$1"');
    return new FactlineError('OPTION_UNKNOWN', {
      command: commandName(command),
      option: quoted,
      suggestion: near,
    });
  }
  if (code === 'ERR_PARSE_ARGS_INVALID_OPTION_VALUE') {
    const option = options.find(({ name }) => `--${name}` === quoted);
    const wantsValue = option?.value !== undefined;
    return new FactlineError('OPTION_INVALID', {
      option: quoted,
      expected: wantsValue ? `a value: ${quoted} ${option.value}` : 'no value',
      actual: wantsValue ? withoutValue(quoted, words[words.indexOf(quoted) + 1]) : 'one',
    });
  }
  return error;
};

/** What follows with a dash is taken for the next option. */
const withoutValue = (option: string, next = ''): string =>
  /^-[^-]/.test(next) ? `${next}, which looks like an option; if it is meant: ${option}=${next}` : 'none';

/** @throws FactlineError OPTION_INVALID */
export const wholeNumber = (
  given: Given,
  option: string,
  limits: { min: number; max: number; fallback: number },
): number => {
  const text = given.text(option);
  if (text === undefined) return limits.fallback;
  const number = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (number >= limits.min && number <= limits.max) return number;
  throw new FactlineError('OPTION_INVALID', {
    option: `--${option}`,
    expected: `a whole number from ${limits.min} to ${limits.max}`,
    actual: text,
  });
};

/** Milliseconds. @throws FactlineError OPTION_INVALID */
export const duration = (given: Given, option: string, fallback: Duration): number =>
  toMilliseconds((given.text(option) ?? fallback) as Duration, `--${option}`);
