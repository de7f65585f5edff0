import { PrismaPg } from '@prisma/adapter-pg';
import { fromPrisma } from 'factline/prisma';
import { type Library, type Scope, testAdapter } from './conformance.ts';
import { type Prisma, PrismaClient } from './prisma/generated/client.ts';

const scopeOf = (tx: Prisma.TransactionClient): Scope => ({
  tx: fromPrisma(tx),
  insertOrder: (id, total) => tx.order.create({ data: { id, total } }),
  nested: (work) => tx.$transaction((inner) => work(scopeOf(inner))),
});

const open = (url: string): PrismaClient =>
  new PrismaClient({ adapter: new PrismaPg({ connectionString: url }) });

testAdapter('Prisma', (url): Library => {
  const prisma = open(url);
  return {
    transaction: (work) => prisma.$transaction((tx) => work(scopeOf(tx))),
    close: () => prisma.$disconnect(),
  };
});

testAdapter('Prisma with a client extension', (url): Library => {
  const prisma = open(url);
  const extended = prisma.$extends({
    query: { order: { create: ({ args, query }) => query(args) } },
  });
  return {
    transaction: (work) =>
      extended.$transaction((tx) => work(scopeOf(tx as unknown as Prisma.TransactionClient))),
    close: () => prisma.$disconnect(),
  };
});
