import { type Command, commandName } from './command.ts';
import { exitCodeRows, optionLabel, usageOf } from './help.ts';
import { optionsOf } from './parse.ts';

/** docs/cli.md, made of the same declarations as parsing and help. */
export const renderReference = (commands: readonly Command[]): string =>
  `${[introduction, ...commands.map(commandSection), exitCodeSection()].join('\n\n')}\n`;

const introduction = `# The command line

<!-- Made of src/cli/commands by src/cli/reference.test.ts; run it with -u after a change. -->

\`npx factline COMMAND\`. \`factline --help\` and \`factline COMMAND --help\` say what stands here.

- **The app** is read from \`factline.config.ts\` (or \`.mts\`, \`.js\`, \`.mjs\`) in the present folder, which exports it as \`app\` or as default: \`export { app as default } from './src/app.ts'\`. \`--app FILE\` names another file.
- **The database** is, in this order: \`--database URL\`, that of the app, \`DATABASE_URL\`, the embedded server of this folder. Commands that show \`--database\` need no app.
- **\`--json\`** writes one JSON document (or one per line, where it says so) to standard output and nothing else; the fields named here are stable: fields are added, never renamed. An error is \`{ "error": { code, message, cause, remedy } }\` on standard error.
- **Colour** is used on terminals only; \`NO_COLOR\` switches it off, \`FORCE_COLOR\` on. Tables fit the width of the terminal; in pipes nothing is cut.
- **Errors** say what is wrong, why, and the next step. \`FACTLINE_DEBUG=1\` adds the stack of unexpected ones.`;

const cell = (text: string): string => text.replace(/\|/g, '\\|');

const table = (head: readonly [string, string], rows: readonly (readonly [string, string])[]): string =>
  [
    `| ${head[0]} | ${head[1]} |`,
    '|---|---|',
    ...rows.map(([term, meaning]) => `| ${cell(term)} | ${cell(meaning)} |`),
  ].join('\n');

const commandSection = (command: Command): string => {
  const parts = [
    `## factline ${commandName(command)}`,
    command.description ?? command.summary,
    `\`${usageOf(command)}\``,
  ];
  const rows = [
    ...(command.arguments ?? []).map(({ name, help }) => [`\`${name}\``, help] as const),
    ...optionsOf(command)
      .filter(({ name }) => name !== 'help')
      .map((option) => [`\`${optionLabel(option)}\``, option.help] as const),
  ];
  if (rows.length > 0) parts.push(table(['argument or option', ''], rows));
  if (command.json !== undefined) {
    const fields = command.json.map(
      ({ name, help }) => [name.startsWith('(') ? name : `\`${name}\``, help] as const,
    );
    parts.push(table(['field of `--json`', ''], fields));
  }
  parts.push(['```sh', ...command.examples.map(({ line, does }) => `${line}  # ${does}`), '```'].join('\n'));
  return parts.join('\n\n');
};

const exitCodeSection = (): string =>
  `## Exit codes\n\n${table(['code', ''], exitCodeRows)}\n\nThe codes of errors: [errors.md](errors.md).`;
