import { createFactline, type Factline } from 'factline';
import { analyticsExport } from './analytics/analytics-export.ts';
import { SegmentWriter } from './analytics/segment-writer.ts';
import { fulfilment } from './boxes/fulfilment/fulfilment.ts';
import { inventory } from './boxes/inventory/inventory.ts';
import { customerNotification } from './boxes/notification/customer-notification.ts';
import { payment } from './boxes/payment/payment.ts';
import { shipping } from './boxes/shipping/shipping.ts';
import { createMailer } from './mail/mailer.ts';
import { customerSpend } from './read-models/customer-spend.ts';
import { orderSummary } from './read-models/order-summary.ts';

/** Where the pipeline's surroundings are; JSON, so that it travels to worker processes and the command line. */
export interface Surroundings {
  readonly databaseUrl: string;
  readonly providerUrl: string;
  readonly smtpUrl: string;
  readonly analyticsDirectory: string;
  /** Processes that share the server's connections. */
  readonly processes: number;
}

export interface Pipeline {
  readonly app: Factline;
  stop(): Promise<void>;
}

/** A server takes 100 connections by default; what the parent, the provider and a person need stays free. */
const CONNECTIONS_SHARED = 60;

/** The same composition in every process: API, worker, command line. */
export function createPipeline(surroundings: Surroundings): Pipeline {
  const { databaseUrl, providerUrl, smtpUrl, analyticsDirectory, processes } = surroundings;
  const mailer = createMailer(smtpUrl);
  const writer = new SegmentWriter(analyticsDirectory);
  const share = Math.floor(CONNECTIONS_SHARED / processes);
  const app = createFactline({
    name: 'order-pipeline',
    database: databaseUrl,
    pools: { transactions: Math.min(20, Math.max(3, share - 6)), readers: 3, operations: 4 },
    handleSignals: false,
    consumers: [
      inventory(),
      payment({ providerUrl }),
      fulfilment(),
      shipping(),
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
