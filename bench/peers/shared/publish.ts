import pg from 'pg';
import type { Order } from '../../contenders/latency.ts';
import { businessRow, businessStatement, businessTable, runClients } from '../../contenders/load.ts';
import { type RunContext, type RunReport, sizeOf } from '../../harness/workload.ts';

/** Publishes one event on the connection of the user's open transaction. */
export type PublishInTransaction = (connection: pg.PoolClient, order: Order) => Promise<unknown>;

/**
 * The workload `publish` for a library that publishes inside the user's own transaction: BEGIN, one business row, the event,
 * COMMIT, on a connection of the user's pool.
 */
export const publishInTransactions = async (
  context: RunContext,
  publish: PublishInTransaction,
): Promise<RunReport> => {
  const pool = new pg.Pool({
    connectionString: context.databaseUrl,
    max: sizeOf(context, 'clients'),
  });
  await pool.query(businessTable);
  const report = await publishMany(context, async (row) => {
    const connection = await pool.connect();
    try {
      await connection.query('begin');
      await connection.query({ name: 'business', text: businessStatement, values: [row] });
      await publish(connection, { orderId: row, customerId: row, pence: 100 });
      await connection.query('commit');
    } finally {
      connection.release();
    }
  });
  await pool.end();
  return report;
};

/** The same load for whoever opens its transaction by itself. */
export const publishMany = async (
  context: RunContext,
  transaction: (row: string) => Promise<unknown>,
): Promise<RunReport> => {
  const clients = sizeOf(context, 'clients');
  let done = 0;
  const load = async (seconds: number): Promise<void> => {
    done = await runClients({ clients, seconds }, (client, turn) => transaction(businessRow(client, turn)));
  };
  await load(1);
  const elapsedMs = await context.measure(() => load(sizeOf(context, 'seconds')));
  return { done, elapsedMs, lost: 0, doubled: 0 };
};
