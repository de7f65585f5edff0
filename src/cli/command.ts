import type { Clock } from '../foundation/index.ts';
import type { Style } from './style.ts';
import type { Terminal } from './terminal.ts';

export interface CommandArgument {
  /** As usage shows it: `ID`. */
  readonly name: string;
  readonly help: string;
  readonly required: boolean;
  /** Takes all further arguments as well. */
  readonly many?: boolean;
}

export interface CommandOption {
  /** Without dashes, in kebab-case. */
  readonly name: string;
  readonly help: string;
  /** Of an option with a value, as usage shows it: `URL`. Without it the option is a switch. */
  readonly value?: string;
  readonly short?: string;
  /** A switch that is on unless `--no-NAME` is given; help shows that form. */
  readonly negated?: boolean;
  /** May be given again; `given.all` has every value, in order. */
  readonly many?: boolean;
}

export interface CommandExample {
  readonly line: string;
  readonly does: string;
}

/** A command as data: parsing, help, the reference page and suggestions are made of it. */
export interface Command {
  /** `['quarantine', 'retry']`. */
  readonly path: readonly string[];
  readonly summary: string;
  readonly description?: string;
  readonly arguments?: readonly CommandArgument[];
  readonly options?: readonly CommandOption[];
  readonly examples: readonly CommandExample[];
  /** The fields of `--json`, for help and reference; a command without it has no `--json`. */
  readonly json?: readonly JsonField[];
  /** Returns the exit code; nothing is 0. */
  readonly run: (context: CommandContext) => Promise<number | undefined>;
}

export interface JsonField {
  readonly name: string;
  readonly help: string;
}

/** Options and arguments as they were given, checked against the command. */
export interface Given {
  readonly arguments: readonly string[];
  text(option: string): string | undefined;
  /** Of an option that may be given again. */
  all(option: string): readonly string[];
  has(option: string): boolean;
}

export interface CommandContext {
  readonly given: Given;
  readonly terminal: Terminal;
  readonly style: Style;
  readonly clock: Clock;
  /** `--json` was given: one JSON document (or one per line where the help says so) on standard output and nothing else. */
  readonly json: boolean;
  /** Aborts at Ctrl-C or SIGTERM: end in order, with exit code 0. */
  readonly signal: AbortSignal;
}

export const commandName = (command: Pick<Command, 'path'>): string => command.path.join(' ');
