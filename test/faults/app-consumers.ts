import { createFactline, defineEvent, defineHandler, defineProjection, type Factline } from 'factline';
import { z } from 'zod';

/** A small app of the real classes, whose tables can be audited: what a handler and a projection did to each event. */
export const Deposited = defineEvent({
  type: 'bank.account.deposited.v1',
  key: 'account',
  schema: z.object({ account: z.string(), sequence: z.int(), pence: z.int() }),
});
export const Booked = defineEvent({
  type: 'bank.account.booked.v1',
  key: 'account',
  schema: z.object({ account: z.string(), sequence: z.int() }),
});
/** Published only by code of the second release. */
export const Closed = defineEvent({
  type: 'bank.account.closed.v1',
  key: 'account',
  schema: z.object({ account: z.string(), sequence: z.int() }),
});

export const bookings = `create table bookings (
  ordinal bigint generated always as identity, account text, sequence int, type text, process int);
create table accounts (account text primary key, bookings int not null)`;

const balances = defineProjection({
  name: 'balances',
  on: [Deposited, Booked],
  primaryKey: 'account',
  columns: { account: 'text', pence: 'int8', deposits: 'int8', booked: 'int8', last: 'int8' },
  evolve: (row, event) => {
    const before = row ?? { pence: 0, deposits: 0, booked: 0, last: 0 };
    const last = event.data.sequence;
    return Deposited.is(event)
      ? { ...before, pence: before.pence + event.data.pence, deposits: before.deposits + 1, last }
      : { ...before, booked: before.booked + 1 };
  },
});

export interface AppOptions {
  readonly url: string;
  readonly lanes?: number;
  /** The first release knows deposits only. */
  readonly release?: 1 | 2;
}

export const createApp = ({ url, release = 1 }: AppOptions): Factline => {
  const bookkeeper = defineHandler({
    name: 'bookkeeper',
    on: release === 1 ? [Deposited] : [Deposited, Closed],
    startAt: 'beginning',
    handle: async (event, { transaction }) => {
      await transaction(async (tx) => {
        const { account, sequence } = event.data;
        await tx.query('insert into bookings (account, sequence, type, process) values ($1, $2, $3, $4)', [
          account,
          sequence,
          event.type,
          process.pid,
        ]);
        // Every account's row is locked for a while: what a stopped process leaves locked must not block its successor.
        await tx.query(
          `insert into accounts values ($1, 1) on conflict (account) do update set bookings = accounts.bookings + 1`,
          [account],
        );
        await new Promise((resolve) => setTimeout(resolve, 5));
        tx.publish(Booked({ account, sequence }));
      });
    },
  });
  return createFactline({
    name: 'bank',
    codeVersion: String(release),
    database: url,
    consumers: [balances, bookkeeper],
    contracts: [Deposited, Booked, Closed],
    pools: { transactions: 6 },
  });
};
