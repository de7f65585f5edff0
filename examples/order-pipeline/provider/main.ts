import { serve } from '@hono/node-server';
import pg from 'pg';
import { behaviourSchema, DEFAULT_BEHAVIOUR } from './behaviour.ts';
import { openLedger } from './ledger.ts';
import { providerApi } from './provider-api.ts';

// A process of its own, started by main.ts: it has its own database connections, its own ledger, and lives until its
// parent tells it to stop or is gone.
const [databaseUrl = '', behaviourJson = '{}'] = process.argv.slice(2);
const behaviour = behaviourSchema.parse({ ...DEFAULT_BEHAVIOUR, ...JSON.parse(behaviourJson) });

const pool = new pg.Pool({ connectionString: databaseUrl, max: 6, application_name: 'payment-provider' });
pool.on('error', () => {}); // an idle connection broke; the next query opens another one
const ledger = await openLedger(pool);
const api = providerApi(ledger, behaviour);
const server = serve({ fetch: api.fetch, hostname: '127.0.0.1', port: 0 }, ({ port }) => {
  process.send?.({ ready: true, port });
});

let stopping = false;
function stop(): void {
  if (stopping) return;
  stopping = true;
  server.close(() => void pool.end().finally(() => process.exit(0)));
  if ('closeIdleConnections' in server) server.closeIdleConnections();
}

process.on('disconnect', stop);
process.on('SIGTERM', stop);
// Ctrl-C reaches the whole process group; the parent drains first and then says when to stop.
process.on('SIGINT', () => {});
