import { type Command, type CommandOption, commandName } from './command.ts';
import { optionsOf } from './parse.ts';
import { type Style, textWidth, wrap } from './style.ts';

export interface HelpOptions {
  readonly width: number;
  readonly style: Style;
}

/** Lines longer than this are hard to read, however wide the terminal is. */
const readableWidth = 100;

export const usageOf = (command: Command): string => {
  const words = (command.arguments ?? []).map(({ name, required, many }) => {
    const text = many ? `${name}…` : name;
    return required ? text : `[${text}]`;
  });
  return ['factline', commandName(command), ...words, '[OPTIONS]'].join(' ');
};

export const optionLabel = ({ name, value, short, negated, many }: CommandOption): string => {
  const given = value === undefined ? '' : ` ${value}${many ? '…' : ''}`;
  const long = negated ? `--no-${name}` : `--${name}${given}`;
  return short === undefined ? long : `-${short}, ${long}`;
};

/** `factline COMMAND --help`. */
export const renderCommandHelp = (command: Command, { width: available, style }: HelpOptions): string[] => {
  const width = Math.min(available, readableWidth);
  const lines = [
    style.bold(usageOf(command)),
    '',
    ...wrap(command.description ?? command.summary, width),
    '',
  ];
  const section = (title: string, rows: readonly (readonly [string, string])[]): void => {
    if (rows.length > 0) lines.push(style.bold(title), ...definitions(rows, { width, style }), '');
  };
  section(
    'Arguments',
    (command.arguments ?? []).map(({ name, help }) => [name, help]),
  );
  section(
    'Options',
    optionsOf(command).map((option) => [optionLabel(option), option.help]),
  );
  if (command.json !== undefined) {
    section(
      'Fields of --json',
      command.json.map(({ name, help }) => [name, help]),
    );
  }
  section(
    'Examples',
    command.examples.map(({ line, does }) => [line, does]),
  );
  return lines.slice(0, -1);
};

/** `factline --help`, or the commands of one group: `factline quarantine`. */
export const renderGroupHelp = (
  commands: readonly Command[],
  path: readonly string[],
  options: HelpOptions,
): string[] => {
  const width = Math.min(options.width, readableWidth);
  const { style } = options;
  const shown = commands.filter((command) => path.every((word, index) => command.path[index] === word));
  const rows = shown.map((command) => [commandName(command), command.summary] as const);
  const usage = ['factline', ...path, 'COMMAND [OPTIONS]'].join(' ');
  const lines = [style.bold(usage), '', ...definitions(rows, { width, style }), ''];
  if (path.length > 0)
    return [...lines, ...wrap(`More on each: factline ${path.join(' ')} COMMAND --help`, width)];
  return [
    ...lines,
    ...wrap('More on each: factline COMMAND --help', width),
    ...wrap(
      'The app is read from factline.config.ts (or --app FILE). Commands that only need the database also work with --database URL or DATABASE_URL.',
      width,
    ),
    '',
    style.bold('Exit codes'),
    ...definitions(exitCodeRows, { width, style }),
  ];
};

export const exitCodeRows: readonly (readonly [string, string])[] = [
  ['0', 'done'],
  ['1', 'it failed; the message says why'],
  ['2', 'wrong usage or configuration'],
  ['3', 'the database cannot be reached or used'],
  ['4', 'the schema does not fit: migrate, or deploy the newer release'],
  ['5', 'the log cannot be read safely, or was restored'],
  ['6', 'no running process has answered in time'],
  ['130', 'it was interrupted'],
];

/** Terms and what they mean; the meaning goes below its term where the width does not do. */
const definitions = (
  rows: readonly (readonly [string, string])[],
  { width, style }: HelpOptions,
): string[] => {
  const widest = Math.max(...rows.map(([term]) => textWidth(term)));
  const column = Math.min(widest, Math.floor(width / 2));
  const left = width < 60 ? 4 : column + 4;
  return rows.flatMap(([term, meaning]) => {
    const [first = '', ...rest] = wrap(meaning, Math.max(20, width - left));
    const indent = ' '.repeat(left);
    const fits = left > 4 && textWidth(term) <= column;
    const head = fits
      ? [`  ${style.cyan(term)}${' '.repeat(left - 2 - textWidth(term))}${first}`]
      : [`  ${style.cyan(term)}`, `${indent}${first}`];
    return [...head, ...rest.map((line) => `${indent}${line}`)];
  });
};
