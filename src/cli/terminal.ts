import { once } from 'node:events';

/** What a command writes to and reads about; tests put in their own. */
export interface Terminal {
  /** What was asked for. */
  out(text: string): void;
  /** Progress and notices, never data: kept apart so that pipes stay clean. */
  err(text: string): void;
  /** Resolves when standard output takes more: whoever writes much waits for it, instead of filling the memory. */
  drained(): Promise<void>;
  /** What is piped into the command. */
  readonly input: AsyncIterable<Uint8Array>;
  /** Columns. */
  readonly width: number;
  /** Lines; 0 where nobody sees a screen. */
  readonly height: number;
  /** A person sees standard output. */
  readonly interactive: boolean;
  readonly colour: boolean;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly directory: string;
}

/** Where output goes to a file or a pipe nothing is cut: whoever reads it has a width of their own. */
const widthWithoutTerminal = 10_000;
const widthMin = 40;

/**
 * Colour only for people: on a terminal, unless NO_COLOR (any value but empty) or TERM=dumb says otherwise;
 * FORCE_COLOR (any value but empty and 0) asks for it.
 */
export const wantsColour = (environment: Terminal['environment'], interactive: boolean): boolean => {
  if (environment['NO_COLOR']) return false;
  const forced = environment['FORCE_COLOR'];
  if (forced !== undefined && forced !== '' && forced !== '0') return true;
  return interactive && environment['TERM'] !== 'dumb';
};

export const systemTerminal = (): Terminal => {
  const { stdout, stderr, env } = process;
  const interactive = stdout.isTTY === true;
  return {
    out: (text) => void stdout.write(`${text}\n`),
    err: (text) => void stderr.write(`${text}\n`),
    drained: async () => {
      if (stdout.writableNeedDrain) await once(stdout, 'drain');
    },
    get input() {
      return process.stdin;
    },
    get width() {
      // A terminal that does not know its size says 0.
      return interactive ? Math.max(stdout.columns || 80, widthMin) : widthWithoutTerminal;
    },
    get height() {
      return interactive ? stdout.rows || 24 : 0;
    },
    interactive,
    colour: wantsColour(env, interactive),
    environment: env,
    directory: process.cwd(),
  };
};
