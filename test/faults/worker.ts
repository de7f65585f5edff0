import { declare } from './counting-class.ts';
import { createEngineProcess, lanesHeld } from './engine-process.ts';
import type { WorkerOptions, WorkerReport } from './worker-process.ts';

/** A process of its own that works consumers until SIGTERM; says on its channel what happens. */
const options = JSON.parse(process.argv[2] ?? '{}') as WorkerOptions;
const report = (message: WorkerReport): void => void process.send?.(message);
const made = createEngineProcess({
  url: options.url,
  definitions: options.declarations.map(declare),
  applicationName: options.applicationName ?? 'worker',
  beforeCommit: async () => {
    if (options.commitDelayMs) await new Promise((resolve) => setTimeout(resolve, options.commitDelayMs));
  },
  testStep: (step) => {
    if (step === options.killAt) process.kill(process.pid, 'SIGKILL');
  },
  carryOut: async () => ({ state: 'done', answer: {} }),
  onTake: (leases) =>
    report({ kind: 'taken', lanes: leases.length, clean: leases.every((lease) => lease.clean) }),
  onDrop: (lanes) => report({ kind: 'dropped', lanes: lanes.length }),
  onRelease: (lanes) => report({ kind: 'released', lanes: lanes.length }),
});
made.telemetry.listen((event) => {
  if (event.level === 'warn' || event.level === 'error') {
    report({
      kind: 'telemetry',
      name: event.name,
      text: String((event.fields as { error?: unknown }).error ?? ''),
    });
  }
});
const ending = async (): Promise<void> => {
  clearInterval(progress);
  await made.stop();
  process.exit(0);
};
const held = (): number =>
  options.declarations.reduce((sum, { name }) => sum + lanesHeld(made.engine, name), 0);
const progress = setInterval(() => report({ kind: 'held', lanes: held() }), 100);
process.once('SIGTERM', () => void ending());
process.once('disconnect', () => process.exit(1));
await made.start();
report({ kind: 'ready', lanes: held() });
