#!/usr/bin/env node
// The `factline` command. Plain JavaScript, so that an old Node gets a sentence and not a syntax error.
// In the published package it runs dist/; in the repository, where there may be no dist/, it runs the source.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import module from 'node:module';
import { fileURLToPath } from 'node:url';

const [major, minor] = process.versions.node.split('.').map(Number);
const source = new URL('../src/cli/main.ts', import.meta.url);

const ownNode = fileURLToPath(new URL('../node_modules/.bin/node', import.meta.url));

if (major < 22 || (major === 22 && minor < 18)) {
  // The repository brings a Node of its own.
  if (existsSync(source) && existsSync(ownNode)) {
    const parameters = [fileURLToPath(import.meta.url), ...process.argv.slice(2)];
    process.exitCode = spawnSync(ownNode, parameters, { stdio: 'inherit' }).status ?? 2;
  } else {
    process.stderr.write(`Factline needs Node 22.18 or newer; this is ${process.version}.\n`);
    process.exitCode = 2;
  }
} else {
  // A command shall answer at once: what was compiled is kept for the next time (NODE_DISABLE_COMPILE_CACHE=1 turns it off).
  module.enableCompileCache();
  await run();
}

async function run() {
  if (!existsSync(source)) return import('../dist/cli/main.js');
  // What `node --conditions=factline-source` does: the user's configuration imports 'factline' and must get the same source.
  module.registerHooks({
    resolve: (specifier, context, next) =>
      next(specifier, { ...context, conditions: ['factline-source', ...context.conditions] }),
  });
  return import(source.href);
}
