import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { createFactline, type Factline, type FactlineOptions } from 'factline';
import { fulfilment } from './chaos-workflow.ts';
import { sessionNameOf } from './intruders.ts';
import { createTimed } from './timeline.ts';
import type { WorkerOptions } from './worker-options.ts';

/** Stands by until it is told to start, then runs the workflow until it is killed. */
const { database, outsideUrl, timeline } = JSON.parse(process.argv[2] ?? '{}') as WorkerOptions;
const named = new URL(database);
named.searchParams.set('application_name', sessionNameOf(process.pid));
const options: FactlineOptions = {
  name: 'chaos',
  database: named.href,
  consumers: [fulfilment(outsideUrl)],
  pools: { transactions: 8, readers: 2, operations: 4 },
  handleSignals: false,
};

/** As whatever supervises a process in production would: the server may be restarting. */
const start = async (): Promise<void> => {
  for (;;) {
    const app: Factline = timeline === undefined ? createFactline(options) : createTimed(options, timeline);
    try {
      return await app.start();
    } catch {
      await app.stop().catch(() => {});
      await sleep(100);
    }
  }
};

process.once('disconnect', () => process.exit(0));
// The first one loads what it needs.
await fetch(outsideUrl, { method: 'HEAD' });
process.send?.('loaded');
await once(process, 'message');
await start();
process.send?.('working');
