import { contenders } from '../contenders/index.ts';
import {
  type PublisherMessage,
  type PublisherRequest,
  publishSteadily,
  warmUp,
} from '../contenders/latency.ts';

/** The publishing process of the workload `latency-across`. */
const request = JSON.parse(process.argv[2] ?? '') as PublisherRequest;

const tell = (message: PublisherMessage): Promise<void> =>
  new Promise((resolve) => {
    process.send?.(message, () => resolve());
  });

const open = (await contenders[request.contender]?.load())?.open;
if (open === undefined) throw new RangeError(`${request.contender} does not publish across processes`);
const messaging = await open({ databaseUrl: request.databaseUrl, publishes: true, handled: null });
await warmUp(messaging);
const go = new Promise((resolve) => process.once('message', resolve));
await tell({ kind: 'ready' });
await go;
const before = process.cpuUsage();
const committed = await publishSteadily(messaging, request);
const { user, system } = process.cpuUsage(before);
await tell({ kind: 'done', committed, processorMs: (user + system) / 1000 });
await messaging.stop();
process.exit(0);
