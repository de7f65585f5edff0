import { access, constants } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { FactlineError } from 'factline';
import { PortTaken } from './api/serve-api.ts';
import { DatabaseInUse } from './database.ts';
import { InputError } from './input/index.ts';
import { type Options, readOptions, USAGE, UsageError } from './options.ts';
import { OtherInput } from './run/feed-record.ts';
import { listenForInterrupts } from './run/interrupts.ts';
import { runPipeline } from './run/run-pipeline.ts';
import { stateDirectoryOf } from './run/state-directory.ts';
import { openScreen } from './screen/screen.ts';

// Exit codes: 0 everything drained and parity holds; 1 it does not, or the run failed; 2 wrong options.
const EXIT_FAILED = 1;
const EXIT_USAGE = 2;
const EXIT_INTERRUPTED = 130;

const SAMPLE = fileURLToPath(new URL('./data/online-retail-sample.csv', import.meta.url));

async function main(): Promise<number> {
  const options = readOptions(process.argv.slice(2));
  if (options === null) {
    console.log(USAGE);
    return 0;
  }
  return run(options);
}

async function run(options: Options): Promise<number> {
  if (options.input !== null) await checkInput(options.input);
  const screen = openScreen(process.stdout);
  const interrupts = listenForInterrupts(() => {
    screen.say('Stopped at once. Nothing is lost: npm start -- --keep goes on from here.');
    process.exit(EXIT_INTERRUPTED);
  });
  const { ok } = await runPipeline(options, {
    screen,
    interrupts,
    stateDirectory: stateDirectoryOf(options.database),
    sample: SAMPLE,
    stayUp: process.stdout.isTTY === true && !options.untilDrained,
  });
  return ok ? 0 : EXIT_FAILED;
}

/** Said before anything is started. */
async function checkInput(path: string): Promise<void> {
  await access(path, constants.R_OK).catch((cause: unknown) => {
    throw new UsageError(`--input: cannot read ${path}`, { cause });
  });
}

/** One cause, and one thing to do about it. */
function explain(error: unknown): { text: string; code: number } {
  if (error instanceof UsageError) {
    return { text: `${error.message}\n\nnpm start -- --help shows the options`, code: EXIT_USAGE };
  }
  if (error instanceof OtherInput) return { text: error.message, code: EXIT_USAGE };
  if (error instanceof PortTaken) {
    return { text: `${error.message}: npm start -- --port N chooses another one`, code: EXIT_FAILED };
  }
  if (error instanceof DatabaseInUse || error instanceof InputError) {
    return { text: error.message, code: EXIT_FAILED };
  }
  if (FactlineError.is(error)) return { text: `${error.message}\n${error.remedy}`, code: EXIT_FAILED };
  // The system's and PostgreSQL's own errors have a code and speak for themselves; a refused connection has no message.
  const known = error instanceof Error && 'code' in error;
  const text = known ? error.message || String(error.code) : String((error as Error)?.stack ?? error);
  return { text, code: EXIT_FAILED };
}

try {
  process.exitCode = await main();
} catch (error) {
  const { text, code } = explain(error);
  console.error(`✕ ${text}`);
  process.exitCode = code;
}
// Whatever still holds the process open (a pooled connection, a timer) is of no use any more.
process.exit();
