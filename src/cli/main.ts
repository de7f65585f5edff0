#!/usr/bin/env node
import { exitCodes, systemClock } from '../foundation/index.ts';
import { runCli } from './run-cli.ts';
import { systemTerminal } from './terminal.ts';

/** Something in the user's configuration may keep the process alive when the command is done; it gets this long. */
const lingerMs = 1_000;

const controller = new AbortController();
let interrupts = 0;
process.on('SIGINT', () => {
  interrupts += 1;
  if (interrupts > 1) process.exit(exitCodes.interrupted);
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
