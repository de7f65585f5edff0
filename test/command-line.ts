import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { runCli } from '../src/cli/run-cli.ts';
import type { Terminal } from '../src/cli/terminal.ts';
import { systemClock } from '../src/foundation/index.ts';

export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export interface Surroundings {
  readonly environment: Terminal['environment'];
  readonly directory: string;
  readonly signal?: AbortSignal;
  /** Columns. Default: 100. */
  readonly width?: number;
  /** What standard input holds. */
  readonly input?: readonly Uint8Array[];
  /** Told each line of standard output as it is written. */
  readonly onLine?: (line: string) => void;
}

/** Runs one command line in this process, as `main.ts` does; words in double quotes stay together. */
export const runWords = async (words: string, surroundings: Surroundings): Promise<Ran> => {
  const { environment, directory, onLine, input = [], signal = new AbortController().signal } = surroundings;
  const out: string[] = [];
  const err: string[] = [];
  const terminal: Terminal = {
    out: (text) => {
      out.push(text);
      onLine?.(text);
    },
    err: (text) => void err.push(text),
    drained: () => Promise.resolve(),
    input: Readable.from(input),
    width: surroundings.width ?? 100,
    height: 0,
    interactive: false,
    colour: false,
    environment,
    directory,
  };
  const split = words.match(/"[^"]*"|\S+/g)?.map((word) => word.replace(/^"|"$/g, '')) ?? [];
  const code = await runCli(split, { terminal, clock: systemClock, signal });
  return { code, out: out.join('\n'), err: err.join('\n') };
};

export interface Project {
  readonly directory: string;
  /** Returns the name. */
  write(name: string, text: string): string;
  remove(): void;
}

/** A folder of a user of ours, outside the repository: it finds `factline` and everything else as if installed. */
export const createProject = (name: string): Project => {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'factline-project-'));
  symlinkSync(path.resolve('node_modules'), path.join(directory, 'node_modules'));
  const write = (file: string, text: string): string => {
    writeFileSync(path.join(directory, file), text);
    return file;
  };
  write('package.json', JSON.stringify({ name, version: '1.2.3', type: 'module' }));
  return { directory, write, remove: () => rmSync(directory, { recursive: true, force: true }) };
};
