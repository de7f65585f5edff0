import { contenders } from '../contenders/index.ts';
import type { RunContext, RunReport, RunRequest } from './workload.ts';

/**
 * The process of one run. Told what to do in its first argument (JSON), it says `begin` and `end` around the measured part
 * and waits for an answer each time, so that its parent reads the counters at exactly these moments.
 */
const request = JSON.parse(process.argv[2] ?? '') as RunRequest;

const tell = (message: object): Promise<void> =>
  new Promise((resolve) => {
    process.once('message', () => resolve());
    process.send?.(message);
  });

const context: RunContext = {
  databaseUrl: request.databaseUrl,
  size: request.size,
  measure: async (work) => {
    await tell({ kind: 'begin', processorUs: process.cpuUsage() });
    const start = performance.now();
    await work();
    const elapsedMs = performance.now() - start;
    await tell({ kind: 'end', processorUs: process.cpuUsage() });
    return elapsedMs;
  },
};

const workload = (await contenders[request.contender]?.load())?.workloads[request.workload];
if (workload === undefined) throw new RangeError(`${request.contender} does not do ${request.workload}`);
const report: RunReport = await workload(context);
await tell({ kind: 'report', report: { ...report, memoryMb: process.resourceUsage().maxRSS / 1024 } });
process.exit(0);
