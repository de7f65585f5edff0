import { afterEach, beforeEach } from 'vitest';
import { z } from 'zod';
import { defineEvent } from '../../src/contracts/index.ts';
import { createTestDatabase, type TestDatabase } from '../database.ts';
import { createHandlerProcess, type HandlerProcess, type HandlerProcessOptions } from './handler-process.ts';

export const OrderPlaced = defineEvent({
  type: 'shop.order.placed.v1',
  key: 'orderId',
  schema: z.object({ orderId: z.string(), n: z.int() }),
});

export const OrderPaid = defineEvent({
  type: 'shop.order.paid.v1',
  key: 'orderId',
  schema: z.object({ orderId: z.string(), n: z.int() }),
});

export const placed = (orderId: string, n = 0): ReturnType<typeof OrderPlaced> => OrderPlaced({ orderId, n });

export interface TestBench {
  readonly url: string;
  /** Started; stopped after the test. */
  launch(options: Omit<HandlerProcessOptions, 'url'>): Promise<HandlerProcess>;
}

/** A fresh database for each test, and processes that are stopped after it. Call it at the top of a test file. */
export const useTestBench = (): TestBench => {
  let database: TestDatabase | null = null;
  let processes: HandlerProcess[] = [];
  beforeEach(async () => {
    database = await createTestDatabase({ migrated: true });
  });
  afterEach(async () => {
    await Promise.all(processes.map((each) => each.stop()));
    const killed = processes.some((each) => each.dead);
    processes = [];
    await database?.drop({ leaks: killed ? 'ignore' : 'fail' });
  });
  return {
    get url() {
      return database?.url ?? '';
    },
    launch: async (options) => {
      const process = createHandlerProcess({ url: database?.url ?? '', ...options });
      processes.push(process);
      await process.start();
      return process;
    },
  };
};

/** Resolves when the condition holds; fails after ten seconds. */
export const eventually = async (holds: () => boolean | Promise<boolean>, what: string): Promise<void> => {
  const deadline = Date.now() + 10_000;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`did not happen within 10 s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
};
