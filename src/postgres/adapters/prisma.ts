import { type ForeignTransaction, outsideTransaction } from '../foreign-transaction.ts';

/** What is used of Prisma: the client that an interactive `$transaction` passes to its callback. */
export interface PrismaTransaction {
  $queryRawUnsafe(query: string, ...values: unknown[]): PromiseLike<unknown>;
  /** The whole client has it, the client of a transaction does not. */
  readonly $connect?: never;
}

/**
 * An interactive transaction of Prisma.
 * @example
 * await prisma.$transaction(async (tx) => {
 *   await tx.order.create({ data: { id } })
 *   await app.publish(OrderPlaced({ orderId: id }), { tx: fromPrisma(tx) })   // publish last
 * })
 */
export const fromPrisma = (tx: PrismaTransaction): ForeignTransaction => {
  if (tx.$connect !== undefined)
    throw outsideTransaction('fromPrisma', 'the `tx` that prisma.$transaction passes to its callback');
  return {
    query: async (sql, parameter) =>
      (await tx.$queryRawUnsafe(sql, parameter)) as ReadonlyArray<Readonly<Record<string, unknown>>>,
  };
};
