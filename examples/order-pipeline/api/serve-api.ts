import { once } from 'node:events';
import type { Server } from 'node:http';
import { createAdaptorServer } from '@hono/node-server';
import type { Hono } from 'hono';

export interface RunningApi {
  readonly url: string;
  /** The port that was wanted and taken, when another one was used. */
  readonly takenPort: number | null;
  stop(): Promise<void>;
}

/** The port that was asked for is taken. */
export class PortTaken extends Error {
  override readonly name = 'PortTaken';
}

const DEFAULT_PORT = 4000;
const PORTS_TRIED = 20;

/** Listens on the port that was asked for, or from 4000 on the first free one. */
export async function serveApi(api: Hono, port: number | null): Promise<RunningApi> {
  const first = port ?? DEFAULT_PORT;
  const tries = port === null ? PORTS_TRIED : 1;
  for (let candidate = first; candidate < first + tries; candidate += 1) {
    const server = createAdaptorServer({ fetch: api.fetch }) as Server;
    if (!(await listens(server, candidate))) continue;
    return {
      url: `http://127.0.0.1:${candidate}`,
      takenPort: candidate === first ? null : first,
      stop: async () => {
        server.close();
        server.closeIdleConnections();
        await once(server, 'close');
      },
    };
  }
  throw new PortTaken(
    port === null ? `ports ${first} to ${first + tries - 1} are taken` : `port ${port} is taken`,
  );
}

async function listens(server: Server, port: number): Promise<boolean> {
  server.listen(port, '127.0.0.1');
  try {
    await once(server, 'listening');
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EADDRINUSE' || code === 'EACCES') return false;
    throw error;
  }
}
