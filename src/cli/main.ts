#!/usr/bin/env node
import { systemClock } from '../foundation/index.ts';
import { runCli } from './run-cli.ts';
import { systemTerminal } from './terminal.ts';

/** As shells have it for a process that SIGINT ended. */
const interruptedExitCode = 130;
/** Something in the user's configuration may keep the process alive when the command is done; it gets this long. */
const lingerMs = 1_000;

const controller = new AbortController();
let interrupts = 0;
process.on('SIGINT', () => {
  interrupts += 1;
  if (interrupts > 1) process.exit(interruptedExitCode);
  controller.abort();
});
process.on('SIGTERM', () => controller.abort());

// `factline events tail | head` closes the pipe: whoever read has seen enough.
for (const stream of [process.stdout, process.stderr])
  stream.on('error', (error: Error & { code?: string }) => {
    if (error.code === 'EPIPE') process.exit(0);
    throw error;
  });

const code = await runCli(process.argv.slice(2), {
  terminal: systemTerminal(),
  clock: systemClock,
  signal: controller.signal,
});
process.exitCode = code;
systemClock.timer(lingerMs, () => process.exit(code), { unref: true });
