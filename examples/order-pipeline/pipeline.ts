import { createFactline, type Duration, type Factline } from 'factline';
import { analyticsExport } from './analytics/analytics-export.ts';
import { SegmentWriter } from './analytics/segment-writer.ts';
import { type CarrierBehaviour, carrier } from './boxes/carrier/carrier.ts';
import { fulfilment } from './boxes/fulfilment/fulfilment.ts';
import { inventory } from './boxes/inventory/inventory.ts';
import { customerNotification } from './boxes/notification/customer-notification.ts';
import { payment } from './boxes/payment/payment.ts';
import { shipping } from './boxes/shipping/shipping.ts';
import { createMailer } from './mail/mailer.ts';
import { cancelFulfilment } from './orchestration/cancel-fulfilment.ts';
import { fulfilOrder } from './orchestration/fulfil-order.ts';
import { takeBack } from './orchestration/take-back.ts';
import manifest from './package.json' with { type: 'json' };
import { customerSpend } from './read-models/customer-spend.ts';
import { orderSummary } from './read-models/order-summary.ts';

/** Where the pipeline's surroundings are; JSON, so that it travels to worker processes and the command line. */
export interface Surroundings {
  readonly databaseUrl: string;
  readonly providerUrl: string;
  readonly smtpUrl: string;
  readonly analyticsDirectory: string;
  /** Processes that run the consumers; 0: the one that runs the API does. */
  readonly workers: number;
  /** Null: the boxes follow each other's events. Otherwise a workflow fulfils each order. */
  readonly orchestrated: Orchestration | null;
}

/** The carrier that the workflows wait for, and how long. */
export interface Orchestration {
  readonly carrier: CarrierBehaviour;
  readonly collectedWithin: Duration;
}

/** What a process is for: it decides how many connections it needs. The gate, which starts nothing, sees both compositions. */
export type Role = 'parent' | 'worker' | 'gate';

export interface Pipeline {
  readonly app: Factline;
  stop(): Promise<void>;
}

/** A server takes 100 connections by default; what the parent, the provider and a person need stays free. */
const WORKER_CONNECTIONS = 66;
/** A started app holds these beside its pools: one that listens, one that leases. */
const SESSIONS = 2;

type PoolSizes = NonNullable<Parameters<typeof createFactline>[0]['pools']>;

/** A handler waits for a connection as for anything else: too few, and the consumers with many handlers starve the others. */
function poolsOf(role: Role, workers: number): PoolSizes {
  if (workers === 0) return { transactions: 20, readers: 4, operations: 6 };
  if (role !== 'worker') return { transactions: 10, readers: 2, operations: 2 };
  const share = Math.floor(WORKER_CONNECTIONS / workers) - SESSIONS;
  const operations = Math.max(2, Math.round(share / 4));
  const readers = Math.max(1, Math.round(share / 8));
  return { transactions: Math.max(3, share - operations - readers), readers, operations };
}

/** The boxes follow each other's events; nobody knows the whole way of an order. */
function choreography({ providerUrl }: Surroundings) {
  return [inventory(), payment({ providerUrl }), fulfilment(), shipping()];
}

/** One workflow knows the whole way of an order, and asks the same boxes. */
function orchestration({ providerUrl }: Surroundings, options: Orchestration, app: () => Factline) {
  const workflow = fulfilOrder({
    providerUrl,
    collectedWithin: options.collectedWithin,
    transaction: (...work) => app().transaction(...work),
  });
  const cancelWorkflow = (orderId: string) => cancelFulfilment(app(), workflow, orderId);
  return [workflow, takeBack({ providerUrl, cancelWorkflow }), carrier(options.carrier)];
}

/** The same composition in every process: API, worker, command line. */
export function createPipeline(surroundings: Surroundings, role: Role): Pipeline {
  const { databaseUrl, smtpUrl, analyticsDirectory, workers, orchestrated } = surroundings;
  const mailer = createMailer(smtpUrl);
  const writer = new SegmentWriter(analyticsDirectory);
  const app: Factline = createFactline({
    name: 'order-pipeline',
    database: databaseUrl,
    pools: poolsOf(role, workers),
    // Not by the folder that a process was started in: the command line is started in another one than `npm start`.
    codeVersion: process.env['FACTLINE_CODE_VERSION'] ?? manifest.version,
    handleSignals: false,
    consumers: [
      ...(orchestrated === null || role === 'gate' ? choreography(surroundings) : []),
      ...(orchestrated === null ? [] : orchestration(surroundings, orchestrated, () => app)),
      customerNotification({ mailer }),
      analyticsExport({ writer }),
      orderSummary,
      customerSpend,
    ],
  });
  return {
    app,
    stop: async () => {
      await app.stop();
      mailer.stop();
      writer.close();
    },
  };
}
