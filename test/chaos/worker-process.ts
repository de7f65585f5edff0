import { createFactline, type FactlineOptions } from 'factline';
import { fulfilment } from './chaos-workflow.ts';
import { createTimed } from './timeline.ts';
import { cannotStart, type WorkerOptions } from './worker-options.ts';

/** Runs the workflow until it is killed. It ends by itself only when it cannot start. */
const { database, outsideUrl, timeline } = JSON.parse(process.argv[2] ?? '{}') as WorkerOptions;
const options: FactlineOptions = {
  name: 'chaos',
  database,
  consumers: [fulfilment(outsideUrl)],
  pools: { transactions: 8, readers: 2, operations: 4 },
  handleSignals: false,
};
const app = timeline === undefined ? createFactline(options) : createTimed(options, timeline);
process.once('disconnect', () => process.exit(0));
try {
  await app.start();
  process.send?.('ready');
} catch {
  process.exit(cannotStart);
}
