import { serve } from '@hono/node-server';
import type { Hono } from 'hono';
import pg from 'pg';
import { DEFAULT_BEHAVIOUR } from '../provider/behaviour.ts';
import { openLedger } from '../provider/ledger.ts';
import { providerApi } from '../provider/provider-api.ts';

/** The pipeline's payment provider once for each database, its ledger in it: what a run of an exploration books goes with it. */
export interface LedgerProviders {
  urlFor(databaseUrl: string): string;
  stop(): Promise<void>;
}

/** This order is declined; all others are accepted. */
export const declinedOrder = 'A-DECLINED';

interface Provider {
  readonly accepting: Hono;
  readonly declining: Hono;
}

const ordersOf = async (request: Request): Promise<string> =>
  new URL(request.url).searchParams.get('orderId') ?? JSON.stringify(await request.json());

export async function startLedgerProviders(serverUrl: string): Promise<LedgerProviders> {
  const pools: pg.Pool[] = [];
  const open = async (name: string): Promise<Provider> => {
    const pool = new pg.Pool({ connectionString: databaseNamed(serverUrl, name), max: 2 });
    pool.on('error', () => {}); // the exploration cuts every session of a database that it gives back
    pools.push(pool);
    const ledger = await openLedger(pool);
    return {
      accepting: providerApi(ledger),
      declining: providerApi(ledger, { ...DEFAULT_BEHAVIOUR, declinePercent: 100 }),
    };
  };
  const providers = new Map<string, Promise<Provider>>();
  const fetch = async (request: Request): Promise<Response> => {
    const url = new URL(request.url);
    const [, name = '', ...path] = url.pathname.split('/');
    const provider = providers.get(name) ?? open(name);
    providers.set(name, provider);
    const { accepting, declining } = await provider;
    const isDeclined = (await ordersOf(request.clone())).includes(declinedOrder);
    url.pathname = `/${path.join('/')}`;
    return (isDeclined ? declining : accepting).fetch(new Request(url, request));
  };
  const { server, port } = await new Promise<{ server: ReturnType<typeof serve>; port: number }>(
    (resolve) => {
      const server = serve({ fetch, hostname: '127.0.0.1', port: 0 }, (info) =>
        resolve({ server, port: info.port }),
      );
    },
  );
  return {
    urlFor: (databaseUrl) => `http://127.0.0.1:${port}${new URL(databaseUrl).pathname}`,
    stop: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      if ('closeAllConnections' in server) server.closeAllConnections();
      await closed;
      await Promise.all(pools.map((pool) => pool.end()));
    },
  };
}

function databaseNamed(serverUrl: string, name: string): string {
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  return url.href;
}
