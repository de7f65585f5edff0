import { z } from 'zod';
import { defineProjection, defineSqlProjection } from '../../src/consumers/index.ts';
import { defineEvent } from '../../src/contracts/index.ts';
import { systemClock, TransientError } from '../../src/foundation/index.ts';

export const Counted = defineEvent({
  type: 'test.thing.counted.v1',
  key: 'thing',
  schema: z.object({ thing: z.string(), amount: z.int(), flaky: z.boolean() }),
});

/** A flaky event fails the first time it is seen in a process, in a way that is tried again. */
const met = new Set<string>();
/** With this amount, while the environment says so, it takes the process down. */
export const deadlyAmount = 666;

const meet = (id: string, { flaky, amount }: { flaky: boolean; amount: number }): void => {
  if (amount === deadlyAmount && process.env['TALLY_DEADLY']) process.kill(process.pid, 'SIGKILL');
  if (!flaky || met.has(id)) return;
  met.add(id);
  throw new TransientError('not at the first attempt');
};

/** Neither form is idempotent: an event that is applied twice shows. */
export const tally = defineProjection({
  name: 'tally',
  on: Counted,
  primaryKey: 'thing',
  columns: { thing: 'text', events: 'int4', amounts: 'text' },
  evolve: (row, event) => {
    meet(event.id, event.data);
    return { events: (row?.events ?? 0) + 1, amounts: `${row?.amounts ?? ''}${event.data.amount} ` };
  },
});

export const tallyBySql = defineSqlProjection({
  name: 'tally_sql',
  on: Counted,
  create: (sql) =>
    sql.query(
      `create table ${sql.table} (thing text primary key, events int not null, amounts text not null)`,
    ),
  apply: async (tx, event) => {
    await tx.query(
      `insert into ${tx.table} as t values ($1, 1, $2)
       on conflict (thing) do update set events = t.events + 1, amounts = t.amounts || excluded.amounts`,
      [event.data.thing, `${event.data.amount} `],
    );
    meet(event.id, event.data);
  },
});

const takingTime = (name: string, { ms, end }: { ms: number; end: () => void }) =>
  defineSqlProjection({
    name,
    on: Counted,
    create: (sql) => sql.query(`create table ${sql.table} (thing text)`),
    apply: async () => {
      await systemClock.sleep(ms);
      end();
    },
  });

/** Side by side in a process: one is innocent and still at its event when the other one takes the process down. */
export const innocent = takingTime('innocent', { ms: 500, end: () => {} });
export const deadly = takingTime('deadly', { ms: 150, end: () => process.kill(process.pid, 'SIGKILL') });
