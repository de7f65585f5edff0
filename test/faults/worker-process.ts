import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Declaration } from './counting-class.ts';
import { until } from './engine-process.ts';

export interface WorkerOptions {
  readonly url: string;
  readonly declarations: readonly Declaration[];
  readonly applicationName?: string;
  /** Between reading a batch and committing it. */
  readonly commitDelayMs?: number;
  /** A marked step of the engine at which the process kills itself with -9. */
  readonly killAt?: string;
}

export type WorkerReport =
  | { readonly kind: 'ready' | 'held' | 'dropped' | 'released'; readonly lanes: number }
  | { readonly kind: 'taken'; readonly lanes: number; readonly clean: boolean }
  | { readonly kind: 'telemetry'; readonly name: string; readonly text: string };

/** A worker as the test sees it from outside: what it said last, and signals. */
export class WorkerProcess {
  readonly #child: ChildProcess;
  readonly reports: WorkerReport[] = [];
  /** Lanes at its last report. */
  held = 0;

  constructor(options: WorkerOptions) {
    const program = fileURLToPath(new URL('./worker.ts', import.meta.url));
    this.#child = fork(program, [JSON.stringify(options)], {
      execArgv: ['--conditions=factline-source'],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    this.#child.on('message', (message) => {
      const report = message as WorkerReport;
      if (report.kind === 'held' || report.kind === 'ready') this.held = report.lanes;
      if (report.kind !== 'held') this.reports.push(report);
    });
  }

  get ready(): boolean {
    return this.reports.some((report) => report.kind === 'ready');
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  /** Ends when the process has ended; answers its exit code. */
  async ended(): Promise<number | null> {
    if (this.running) await once(this.#child, 'exit');
    this.held = 0;
    return this.#child.exitCode;
  }

  async end(): Promise<void> {
    if (!this.running) return;
    this.#child.kill('SIGCONT');
    this.#child.kill('SIGKILL');
    await this.ended();
  }

  static async start(options: WorkerOptions): Promise<WorkerProcess> {
    const worker = new WorkerProcess(options);
    await until(() => worker.ready || !worker.running, 20_000);
    return worker;
  }
}
