import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Behaviour } from './behaviour.ts';

export interface ProviderProcess {
  readonly url: string;
  stop(): Promise<void>;
}

const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url));

/** Starts the payment provider as a process of its own; it ends with its parent. */
export async function startProvider(
  databaseUrl: string,
  behaviour: Partial<Behaviour> = {},
): Promise<ProviderProcess> {
  const child = fork(MAIN, [databaseUrl, JSON.stringify(behaviour)], {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  let complaints = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    complaints = (complaints + chunk.toString()).slice(-2_000);
  });
  const exited = once(child, 'exit');
  const ready = once(child, 'message').then(([message]) => message as { port: number });
  const first = await Promise.race([ready, exited.then(() => null)]);
  if (first === null) throw new Error(`the payment provider did not start: ${complaints.trim()}`);
  return {
    url: `http://127.0.0.1:${first.port}`,
    stop: async () => {
      child.kill('SIGTERM');
      await exited;
    },
  };
}
