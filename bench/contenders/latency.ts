import { fork } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type RunContext, type RunReport, sizeOf } from '../harness/workload.ts';
import type { Workloads } from './index.ts';
import { orderOf, poissonWaitMs } from './load.ts';

export type Order = ReturnType<typeof orderOf>;

export interface Roles {
  readonly databaseUrl: string;
  readonly publishes: boolean;
  /** Called when a handler is entered; null: this process handles nothing. Who handles also makes the schema. */
  readonly handled: ((orderId: string) => void) | null;
}

/** One process of a contender. */
export interface Messaging {
  /** Resolves when the commit is acknowledged. */
  publish(order: Order): Promise<unknown>;
  stop(): Promise<unknown>;
}

export type OpenMessaging = (roles: Roles) => Promise<Messaging>;

/** Milliseconds of the monotonic clock that all processes of this machine share. */
const now = (): number => Number(process.hrtime.bigint()) / 1e6;

/** For connections and plans; not counted. */
const warmUpEvents = 50;
/** What has not arrived by then is lost. */
const arrivalMsMax = 10_000;

export type Committed = readonly (readonly [orderId: string, at: number])[];

export const warmUp = async (messaging: Messaging): Promise<void> => {
  for (let index = 1; index <= warmUpEvents; index += 1) {
    await messaging.publish({ ...orderOf(index), orderId: `warm-${index}` });
  }
};

/** Publishes at random moments, `perSecond` on average, whatever the answers take. */
export const publishSteadily = async (
  messaging: Messaging,
  { perSecond, seconds }: { perSecond: number; seconds: number },
): Promise<Committed> => {
  const committed: [string, number][] = [];
  const publishing: Promise<void>[] = [];
  const until = now() + seconds * 1000;
  let due = now();
  for (let index = 0; due < until; index += 1) {
    const order = orderOf(index);
    publishing.push(messaging.publish(order).then(() => void committed.push([order.orderId, now()])));
    due += poissonWaitMs(perSecond);
    // Timers are late by up to a millisecond or two: what is already due goes out together.
    if (due > now()) await sleep(due - now());
  }
  await Promise.all(publishing);
  return committed;
};

class Arrivals {
  readonly #times = new Map<string, number>();
  #doubled = 0;

  readonly note = (orderId: string): void => {
    if (orderId.startsWith('warm-')) return;
    if (this.#times.has(orderId)) this.#doubled += 1;
    else this.#times.set(orderId, now());
  };

  async all(committed: Committed): Promise<void> {
    const until = now() + arrivalMsMax;
    while (now() < until && committed.some(([id]) => !this.#times.has(id))) await sleep(5);
  }

  report(committed: Committed, elapsedMs: number): RunReport & { readonly latenciesMs: readonly number[] } {
    // A handler may be entered before the publisher has read its acknowledgement: that is no time at all.
    const latenciesMs = committed.flatMap(([id, at]) => {
      const time = this.#times.get(id);
      return time === undefined ? [] : [Math.max(0, time - at)];
    });
    const lost = committed.length - latenciesMs.length;
    return { done: committed.length, elapsedMs, latenciesMs, lost, doubled: this.#doubled };
  }
}

const inOneProcess = async (context: RunContext, open: OpenMessaging): Promise<RunReport> => {
  const arrivals = new Arrivals();
  const messaging = await open({
    databaseUrl: context.databaseUrl,
    publishes: true,
    handled: arrivals.note,
  });
  await warmUp(messaging);
  let committed: Committed = [];
  const elapsedMs = await context.measure(async () => {
    committed = await publishSteadily(messaging, {
      perSecond: sizeOf(context, 'perSecond'),
      seconds: sizeOf(context, 'seconds'),
    });
    await arrivals.all(committed);
  });
  await messaging.stop();
  return arrivals.report(committed, elapsedMs);
};

const publisherProgram = fileURLToPath(new URL('../harness/publisher-child.ts', import.meta.url));

export interface PublisherRequest {
  readonly contender: string;
  readonly databaseUrl: string;
  readonly perSecond: number;
  readonly seconds: number;
}

export type PublisherMessage =
  | { readonly kind: 'ready' }
  | { readonly kind: 'done'; readonly committed: Committed; readonly processorMs: number };

const startPublisher = (request: PublisherRequest) => {
  const child = fork(publisherProgram, [JSON.stringify(request)], { execArgv: process.execArgv });
  const message = <Kind extends PublisherMessage['kind']>(kind: Kind) =>
    new Promise<Extract<PublisherMessage, { kind: Kind }>>((resolve, reject) => {
      child.on('message', (each: PublisherMessage) => {
        if (each.kind === kind) resolve(each as Extract<PublisherMessage, { kind: Kind }>);
      });
      child.once('exit', (code) => reject(new RangeError(`the publisher ended with ${code}`)));
    });
  return { ready: message('ready'), done: message('done'), go: () => child.send('go') };
};

const acrossProcesses = async (
  context: RunContext,
  contender: string,
  open: OpenMessaging,
): Promise<RunReport> => {
  const arrivals = new Arrivals();
  const { databaseUrl } = context;
  const messaging = await open({ databaseUrl, publishes: false, handled: arrivals.note });
  const publisher = startPublisher({
    contender,
    databaseUrl,
    perSecond: sizeOf(context, 'perSecond'),
    seconds: sizeOf(context, 'seconds'),
  });
  await publisher.ready;
  let committed: Committed = [];
  let publisherProcessorMs = 0;
  const elapsedMs = await context.measure(async () => {
    publisher.go();
    const done = await publisher.done;
    committed = done.committed;
    publisherProcessorMs = done.processorMs;
    await arrivals.all(committed);
  });
  await messaging.stop();
  return { ...arrivals.report(committed, elapsedMs), otherProcessorMs: publisherProcessorMs };
};

/** Both latency workloads of one contender. */
export const latencyWorkloads = (
  contender: string,
  open: OpenMessaging,
): Required<Pick<Workloads, 'latency' | 'latency-across'>> => ({
  latency: (context) => inOneProcess(context, open),
  'latency-across': (context) => acrossProcesses(context, contender, open),
});
