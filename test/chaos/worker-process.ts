import { createFactline } from 'factline';
import { fulfilment } from './chaos-workflow.ts';

/** Runs the workflow until it is killed. It ends by itself only when it cannot start: the server is being restarted. */
export interface WorkerOptions {
  readonly database: string;
  readonly outsideUrl: string;
}

export const cannotStart = 3;

const { database, outsideUrl } = JSON.parse(process.argv[2] ?? '{}') as WorkerOptions;
const app = createFactline({
  name: 'chaos',
  database,
  consumers: [fulfilment(outsideUrl)],
  pools: { transactions: 8, readers: 2, operations: 4 },
  handleSignals: false,
});
process.once('disconnect', () => process.exit(0));
try {
  await app.start();
  process.send?.('ready');
} catch {
  process.exit(cannotStart);
}
