import { createPipeline, type Surroundings } from '../pipeline.ts';
import { startTracing } from '../tracing.ts';
import type { FromWorker, ToWorker } from './protocol.ts';

// A process that runs the consumers. It shares the work with the other workers through the database alone, so it may be
// killed at any moment.
const tracing = await startTracing('worker');
const pipeline = createPipeline(JSON.parse(process.argv[2] ?? '{}') as Surroundings, 'worker');

const METRICS_MS = 1_000;

function tell(message: FromWorker): void {
  if (process.connected) process.send?.(message);
}

const tellMetrics = (): void => tell({ kind: 'metrics', text: pipeline.app.metrics() });

process.on('message', (message: ToWorker) => {
  if (message.kind === 'stop') void stop();
});
// Without its parent nobody would ever stop it.
process.on('disconnect', () => process.exit(1));
// Ctrl-C reaches the whole process group; the parent drains first and then says when to stop.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => void stop());

async function stop(): Promise<void> {
  await pipeline.stop();
  await tracing.stop();
  tellMetrics();
  process.disconnect();
  process.exit(0);
}

try {
  await pipeline.app.start();
  tell({ kind: 'ready' });
  setInterval(tellMetrics, METRICS_MS).unref();
} catch (error) {
  tell({ kind: 'failed', reason: error instanceof Error ? error.message : String(error) });
  process.exitCode = 1;
  process.disconnect();
}
