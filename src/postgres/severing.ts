import type { Duplex } from 'node:stream';
import type pg from 'pg';

/** Ends the connection at once: `end` would say goodbye first, and wait for the other side. */
export const severClient = (client: pg.ClientBase): void => {
  (client as unknown as { readonly connection: { readonly stream: Duplex } }).connection.stream.destroy();
};

const processOf = (client: pg.PoolClient): number =>
  (client as unknown as { readonly processID: number }).processID;

/** The connections of a pool, to be ended without asking anybody: over a deaf one no answer comes, and no end of it. */
export interface Severable {
  /** `idle`: only those that nobody works with. How many it ended; whoever waited for an answer gets the error of a lost connection. */
  sever(which: 'all' | 'idle'): number;
  /** Of the connections: who serves them on the other side. */
  processes(): readonly number[];
  /** Ends those that are served by nobody any more. */
  severServedBy(processes: ReadonlySet<number>): number;
}

/** @example const handlers = severable(pool); handlers.sever('all') */
export const severable = (pool: pg.Pool): Severable => {
  const clients = new Set<pg.PoolClient>();
  const busy = new Set<pg.PoolClient>();
  pool.on('connect', (client) => clients.add(client));
  pool.on('remove', (client) => {
    clients.delete(client);
    busy.delete(client);
  });
  pool.on('acquire', (client) => busy.add(client));
  pool.on('release', (_error, client) => busy.delete(client));
  const severThose = (ended: (client: pg.PoolClient) => boolean): number => {
    const found = [...clients].filter(ended);
    for (const client of found) severClient(client);
    return found.length;
  };
  return {
    sever: (which) => severThose((client) => which === 'all' || !busy.has(client)),
    processes: () => [...clients].map(processOf),
    severServedBy: (processes) => severThose((client) => processes.has(processOf(client))),
  };
};
