import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { WorkerOptions } from './worker-options.ts';

/** Compiled once: whoever is killed every three seconds cannot spend one of them on reading its code. */
const forked = {
  execArgv: ['--conditions=factline-source'],
  env: {
    ...process.env,
    NODE_COMPILE_CACHE: fileURLToPath(new URL('../../.factline/compiled/', import.meta.url)),
  },
};

/** Starts a program of this folder. */
export const forkProgram = (name: string, argument: string): ChildProcess =>
  fork(fileURLToPath(new URL(`./${name}`, import.meta.url)), [argument], forked);

const sparesWanted = 2;

/**
 * Workers, each of which is replaced when it is killed. Some stand by that have read their code already: how long Node takes for that
 * on a busy machine is not what is tried here.
 */
export class Fleet {
  readonly #argument: string;
  readonly #onEndedByItself: (how: string) => void;
  readonly #all = new Set<ChildProcess>();
  readonly #working = new Set<ChildProcess>();
  readonly #spares: ChildProcess[] = [];
  #missing: number;
  #isOver = false;

  constructor(size: number, options: WorkerOptions, onEndedByItself: (how: string) => void) {
    this.#missing = size;
    this.#argument = JSON.stringify(options);
    this.#onEndedByItself = onEndedByItself;
    for (let spare = 0; spare < sparesWanted; spare += 1) this.#load();
  }

  /** Those that have started. */
  get working(): readonly ChildProcess[] {
    return [...this.#working];
  }

  stop(): void {
    this.#isOver = true;
    for (const worker of this.#all) worker.kill('SIGKILL');
  }

  #load(): void {
    const worker = forkProgram('worker-process.ts', this.#argument);
    this.#all.add(worker);
    worker.on('message', (message: 'loaded' | 'working') => {
      if (message === 'working') this.#working.add(worker);
      else this.#spares.push(worker);
      this.#replace();
    });
    worker.once('exit', (code, signal) => {
      this.#all.delete(worker);
      this.#working.delete(worker);
      if (this.#isOver) return;
      if (signal !== 'SIGKILL') this.#onEndedByItself(`a worker has ended by itself (${code ?? signal})`);
      this.#missing += 1;
      this.#replace();
    });
  }

  #replace(): void {
    while (this.#missing > 0) {
      const spare = this.#spares.shift();
      if (spare === undefined) return;
      this.#missing -= 1;
      spare.send('start');
      this.#load();
    }
  }
}
