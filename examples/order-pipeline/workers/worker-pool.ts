import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Surroundings } from '../pipeline.ts';
import type { FromWorker, ToWorker } from './protocol.ts';

export interface Kill {
  readonly worker: number;
  readonly pid: number;
  readonly at: number;
  /** Until no lane was left with the dead process; null while some are. */
  movedAfterMs: number | null;
}

export interface WorkerPool {
  readonly kills: readonly Kill[];
  /** The latest metrics of every worker that ever ran, the dead ones included. */
  metrics(): string[];
  /** Told which processes own lanes, so that it can say when a dead one's have moved. */
  observeOwners(owners: { readonly pids: ReadonlySet<number>; readonly unowned: boolean }): void;
  endChaos(): void;
  stop(): Promise<void>;
}

const MAIN = fileURLToPath(new URL('./worker.ts', import.meta.url));
const KILL_EVERY_MS = [5_000, 10_000] as const;
const RESTART_MS = 500;

interface Worker {
  readonly number: number;
  child: ChildProcess;
  ready: boolean;
}

/** Starts the workers, restarts those that die, and with `chaos` sees to it that they do. */
export async function startWorkers(
  surroundings: Surroundings,
  { count, chaos }: { count: number; chaos: boolean },
): Promise<WorkerPool> {
  const metrics = new Map<ChildProcess, string>();
  const kills: Kill[] = [];
  let stopping = false;
  let failures = 0;

  const start = (worker: Worker): Promise<void> => {
    const { child } = worker;
    child.on('message', (message: FromWorker) => {
      if (message.kind === 'metrics') metrics.set(child, message.text);
      if (message.kind !== 'ready') return;
      worker.ready = true;
      failures = 0;
    });
    child.once('exit', () => {
      worker.ready = false;
      failures += 1;
      if (stopping || failures > count * 5) return;
      setTimeout(() => {
        if (stopping) return;
        worker.child = spawn(surroundings);
        void start(worker).catch(() => {}); // its end is seen by its own exit listener
      }, RESTART_MS);
    });
    return whenReady(child, worker.number);
  };

  const workers = Array.from(
    { length: count },
    (_, index): Worker => ({ number: index + 1, ready: false, child: spawn(surroundings) }),
  );
  await Promise.all(workers.map(start));
  const chaosTimer = chaos ? killEveryFewSeconds(workers, kills) : null;
  return {
    kills,
    metrics: () => [...metrics.values()],
    observeOwners: ({ pids, unowned }) => {
      for (const kill of kills) {
        if (kill.movedAfterMs === null && !pids.has(kill.pid) && !unowned) {
          kill.movedAfterMs = performance.now() - kill.at;
        }
      }
    },
    endChaos: () => chaosTimer?.stop(),
    stop: async () => {
      stopping = true;
      chaosTimer?.stop();
      await Promise.all(workers.map(({ child }) => stopWorker(child)));
    },
  };
}

function spawn(surroundings: Surroundings): ChildProcess {
  return fork(MAIN, [JSON.stringify(surroundings)], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
}

async function whenReady(child: ChildProcess, number: number): Promise<void> {
  const first = await Promise.race([
    once(child, 'message').then(([message]) => message as FromWorker),
    once(child, 'exit').then(() => null),
  ]);
  if (first?.kind === 'ready') return;
  const reason = first?.kind === 'failed' ? first.reason : 'it ended';
  throw new Error(`worker ${number} did not start: ${reason}`);
}

function killEveryFewSeconds(workers: readonly Worker[], kills: Kill[]): { stop(): void } {
  const [min, max] = KILL_EVERY_MS;
  let timer: NodeJS.Timeout;
  const schedule = (): void => {
    timer = setTimeout(kill, min + Math.random() * (max - min));
  };
  const kill = (): void => {
    const worker = workers[Math.floor(Math.random() * workers.length)];
    const pid = worker?.child.pid;
    // Only when all of them work: killing what has not started yet proves nothing.
    if (worker !== undefined && pid !== undefined && workers.every(({ ready }) => ready)) {
      worker.child.kill('SIGKILL');
      kills.push({ worker: worker.number, pid, at: performance.now(), movedAfterMs: null });
    }
    schedule();
  };
  schedule();
  return { stop: () => clearTimeout(timer) };
}

async function stopWorker(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  const message: ToWorker = { kind: 'stop' };
  if (child.connected) child.send(message);
  else child.kill('SIGTERM');
  await exited;
}
