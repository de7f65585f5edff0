import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { createTestDatabase, type TestDatabase } from '../../../test/database.ts';
import { OrderPaid, OrderPlaced, placed } from '../../../test/operational/fixtures.ts';
import { createHandlerProcess } from '../../../test/operational/handler-process.ts';
import { type Draft, defineEvent, defineUpcaster } from '../../contracts/index.ts';
import { type Clock, systemClock, systemRandomness, uuidv7 } from '../../foundation/index.ts';
import { publishingTransaction, readPositions, type StoredEvent } from '../../log/index.ts';
import { createDatabase, type Database } from '../../postgres/index.ts';
import {
  type ConsumerDefinition,
  type DryRunOutcome,
  defineHandler,
  defineProjection,
  defineSqlProjection,
  dryRun,
  type HandlerContext,
  withUpcasters,
} from '../index.ts';

let testDatabase: TestDatabase;
let database: Database;

beforeAll(async () => {
  testDatabase = await createTestDatabase({ migrated: true });
  database = createDatabase({ url: testDatabase.url, applicationName: 'dry run' });
  await rows(`create table shop_order (id text primary key, n int not null);
    create table shop_line (order_id text references shop_order (id) on delete cascade deferrable initially deferred, n int);
    create table shop_history (order_id text, at timestamptz default now());
    create function shop_note() returns trigger language plpgsql as $$ begin insert into shop_history (order_id) values (new.id); return new; end $$;
    create trigger shop_note after update on shop_order for each row execute function shop_note();
    insert into shop_order values ('A1', 1), ('A2', 2);
    insert into shop_line values ('A2', 1), ('A2', 2)`);
});
afterAll(async () => {
  await database.stop();
  await testDatabase.drop();
});

const rows = async (text: string, values: unknown[] = []): Promise<Record<string, unknown>[]> =>
  (await database.transactions.query(text, values)).rows;

/** Every row of every table, but what the test itself does between two looks. */
const everything = async (): Promise<Record<string, string>> => {
  const tables = await rows(`select format('%I.%I', n.nspname, c.relname) as name,
      md5(query_to_xml(format('select * from %I.%I t order by t::text', n.nspname, c.relname), true, false, '')::text) as content
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'm') and n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast')`);
  return Object.fromEntries(tables.map(({ name, content }) => [String(name), String(content)]));
};

let before: Record<string, string>;

/** What a test publishes or locks it does before it looks: `stage`. */
const stage = async (...drafts: readonly Draft[]): Promise<StoredEvent[]> => {
  const { positions } = await publishingTransaction(
    { database, source: 'test', nextId: () => uuidv7(Date.now(), systemRandomness), cause: undefined },
    async (tx) => {
      const [first, ...more] = drafts;
      if (first !== undefined) tx.publish(first, ...more);
    },
  );
  const events = await readPositions(database.operations, positions);
  before = await everything();
  return events;
};

beforeEach(async () => {
  before = await everything();
});
afterEach(async () => {
  // The promise of all of them: nothing whatsoever stays.
  expect(await everything()).toEqual(before);
});

const run = async (
  consumer: ConsumerDefinition,
  events: readonly StoredEvent[],
): Promise<DryRunOutcome[]> => [...(await dryRun({ consumer, events, database, source: 'test' }))];

type Handle = (event: { data: { orderId: string; n: number } }, context: HandlerContext) => Promise<void>;

const handlerOf = (handle: Handle, options: object = {}) =>
  defineHandler({ name: 'subject', on: [OrderPlaced], ...options, handle: handle as never });

/** The outcome at one event of what `handle` does. */
const outcomeOf = async (handle: Handle, options: object = {}): Promise<DryRunOutcome> => {
  const [outcome] = await run(handlerOf(handle, options), await stage(placed('A1', 1)));
  if (outcome === undefined) throw new Error('there is no outcome');
  return outcome;
};

const writeRows: Handle = async ({ data }, { transaction }) =>
  transaction(async (tx) => {
    await tx.query('update shop_order set n = n + 1 where id = $1', [data.orderId]);
    tx.publish(OrderPaid({ orderId: data.orderId, n: 1 }));
  });

describe('a handler', () => {
  test('really runs its transaction, triggers included; what it would change and publish is told', async () => {
    const outcome = await outcomeOf(async (event, context) => {
      await context.transaction(async (tx) => {
        await tx.query('insert into shop_order values ($1, 5)', ['new']);
        await tx.query('update shop_order set n = n + 1');
        const { rows: seen } = await tx.query('select n from shop_order order by n');
        expect(seen).toEqual([{ n: 2 }, { n: 3 }, { n: 6 }]);
        await tx.savepoint(async (inner) => inner.publish(OrderPaid({ orderId: event.data.orderId, n: 1 })));
        await tx.query("delete from shop_order where id = 'A2'");
      });
    });
    expect(outcome).toMatchObject({
      outcome: 'would-change',
      published: [{ type: OrderPaid.type, key: 'orderId=A1' }],
      changes: [
        { table: 'public.shop_history', inserted: 3 },
        { table: 'public.shop_line', deleted: 2 },
        { table: 'public.shop_order', inserted: 1, updated: 3, deleted: 1 },
      ],
      effects: [],
    });
  });

  test('sees nothing of what the event before would have done', async () => {
    const outcomes = await run(
      handlerOf(writeRows),
      await stage(placed('A1'), placed('A1'), placed('nobody')),
    );
    const changed = outcomes.map(({ changes }) => changes.map(({ table, updated }) => [table, updated]));
    const once = [
      ['public.shop_history', 0],
      ['public.shop_order', 1],
    ];
    expect(changed).toEqual([once, once, []]);
    expect(outcomes.map(({ outcome }) => outcome)).toEqual(['would-change', 'would-change', 'would-change']);
  });

  test('that does nothing, or leaves early, is a no-op', async () => {
    expect(await outcomeOf(async () => {})).toMatchObject({ outcome: 'no-op', changes: [], published: [] });
    const reading: Handle = async (_event, { db, transaction }) => {
      expect((await db.query('select count(*)::int as n from shop_order')).rows).toEqual([{ n: 2 }]);
      await transaction(async (tx) => void (await tx.query('select 1')));
    };
    expect(await outcomeOf(reading)).toMatchObject({ outcome: 'no-op' });
  });

  test('goes as far as its first effect, and no further', async () => {
    const reached: string[] = [];
    const outcome = await outcomeOf(async (_event, { effect }) => {
      await effect('charge', async () => void reached.push('called'));
      reached.push('went on');
    });
    expect(outcome).toMatchObject({ outcome: 'effect-attempted', effects: ['charge'], changes: [] });
    expect(reached).toEqual([]);
  });

  test('that catches the closed effect away finds everything else closed', async () => {
    const refused: unknown[] = [];
    let ended: () => void = () => {};
    const done = new Promise<void>((resolve) => {
      ended = resolve;
    });
    const outcome = await outcomeOf(async (_event, { effect, transaction, db, signal }) => {
      const tries = [
        () => effect('charge', async () => 1),
        () => effect('another', async () => 1),
        () => transaction(async (tx) => tx.query('delete from shop_order')),
        () => db.query('select 1'),
      ];
      for (const each of tries) await each().catch((error: { code?: unknown }) => refused.push(error.code));
      expect(signal.aborted).toBe(true);
      ended();
    });
    await done;
    expect(outcome).toMatchObject({ outcome: 'effect-attempted', effects: ['charge'] });
    expect(refused).toEqual([
      'EFFECT_CLOSED',
      'TRANSACTION_CLOSED',
      'TRANSACTION_CLOSED',
      'TRANSACTION_CLOSED',
    ]);
  });

  test('that does not wait for its effect has its transaction rolled back as well', async () => {
    const outcome = await outcomeOf(async (event, context) => {
      void context.effect('charge', async () => 1);
      await writeRows(event, context);
    });
    expect(outcome).toMatchObject({ outcome: 'effect-attempted', effects: ['charge'] });
  });

  test('that publishes holds up no reader: the log is not locked, not for a moment', async () => {
    const held: unknown[] = [];
    await outcomeOf(async (event, context) => {
      await context.transaction(async (tx) => {
        await tx.query('update shop_order set n = n + 1');
        tx.publish(OrderPaid({ orderId: event.data.orderId, n: 1 }));
        held.push(
          ...(await rows(`select relation::regclass::text, mode from pg_locks
            where database = (select oid from pg_database where datname = current_database())
              and relation in ('factline.events'::regclass, 'factline.events_position_seq'::regclass) and mode <> 'AccessShareLock'`)),
        );
      });
    });
    expect(held).toEqual([]);
    expect(await rows('select last_value from factline.events_position_seq')).toEqual(
      await rows('select max(position) as last_value from factline.events'),
    );
  });

  test('whose effect is on record gets its result, and goes on', async () => {
    const charged: string[] = [];
    const handler = defineHandler({
      name: 'charging',
      on: [OrderPlaced],
      startAt: 'beginning',
      handle: async ({ data }, { effect, transaction }) => {
        const receipt = await effect('charge', async () => {
          charged.push(data.orderId);
          return `receipt ${data.orderId}`;
        });
        await transaction(
          async (tx) => void (await tx.query('insert into shop_history (order_id) values ($1)', [receipt])),
        );
      },
    });
    const live = createHandlerProcess({ url: testDatabase.url, definitions: [handler] });
    await live.start();
    const positions = await live.publish(placed('paid'));
    await live.settled();
    await live.stop();
    const [fresh] = await stage(placed('fresh'));
    const outcomes = await run(handler, [
      ...(await readPositions(database.operations, positions)),
      fresh as StoredEvent,
    ]);
    expect(outcomes).toMatchObject([
      { outcome: 'would-change', effects: [], reusedEffects: ['charge'], changes: [{ inserted: 1 }] },
      { outcome: 'effect-attempted', effects: ['charge'], reusedEffects: [] },
    ]);
    expect(charged.filter((id) => id === 'fresh')).toEqual([]);
  });

  test.each<[string, Handle, object]>([
    ['throws undefined', async () => Promise.reject(undefined), { code: 'HANDLER_THREW_NOTHING' }],
    [
      'throws junk',
      async () => {
        throw { reason: 7 };
      },
      { message: 'threw {"reason":7}' },
    ],
    [
      'swallows an error of the database',
      async (_event, { transaction }) =>
        transaction(async (tx) => void (await tx.query('select 1 / 0').catch(() => {}))),
      { code: 'TRANSACTION_ROLLED_BACK' },
    ],
    [
      'breaks a deferred constraint, which only a COMMIT would tell',
      async (_event, { transaction }) =>
        transaction(async (tx) => void (await tx.query("insert into shop_line values ('nobody', 1)"))),
      { code: '23503' },
    ],
    [
      'tries to commit',
      async (_event, { transaction }) =>
        transaction(async (tx) => {
          await tx.query("insert into shop_order values ('committed', 1)");
          await tx.client.query('/* now */ COMMIT');
        }),
      { code: 'TRANSACTION_STATEMENT_REFUSED' },
    ],
    [
      'commits in a procedure of the server',
      async (_event, { transaction }) =>
        transaction(async (tx) => {
          await tx.query("insert into shop_order values ('committed', 1)");
          await tx.query('do $$ begin commit; end $$');
        }),
      { code: '2D000' },
    ],
    [
      'writes where it may only read',
      async (_event, { db }) => void (await db.query("insert into shop_order values ('read', 1)")),
      { code: '25006' },
    ],
  ])('that %s would be parked, as in life', async (_what, handle, error) => {
    expect(await outcomeOf(handle)).toMatchObject({ outcome: 'error', error, changes: [] });
  });

  test('that fails after its transaction counts as handled, as in life', async () => {
    const outcome = await outcomeOf(async (event, context) => {
      await writeRows(event, context);
      await writeRows(event, context);
    });
    expect(outcome).toMatchObject({ outcome: 'would-change', published: [{ type: OrderPaid.type }] });
  });

  test('that begins two transactions at once would be parked, as in life', async () => {
    const outcome = await outcomeOf(async (event, context) => {
      await Promise.all([writeRows(event, context), writeRows(event, context)]);
    });
    expect(outcome).toMatchObject({ outcome: 'error', error: { code: 'TRANSACTION_TWICE' } });
  });

  test('has its time limit, and a transaction that hangs is rolled back before the next event', async () => {
    const never = new Promise<never>(() => {});
    const hanging: Handle = async ({ data }, { transaction }) => {
      if (data.orderId === 'waits') await never;
      await transaction(async (tx) => {
        await tx.query('update shop_order set n = n + 1');
        if (data.orderId === 'sleeps') await tx.query('select pg_sleep(60)');
        if (data.orderId === 'hangs') await never;
      });
    };
    const events = await stage(placed('waits'), placed('sleeps'), placed('hangs'), placed('goes'));
    const outcomes = await run(handlerOf(hanging, { timeout: '200ms' }), events);
    const given = { outcome: 'error', error: { code: 'HANDLER_TIMEOUT' } };
    expect(outcomes).toMatchObject([given, given, given, { outcome: 'would-change' }]);
    expect(
      await rows(
        "select count(*)::int as n from pg_stat_activity where datname = current_database() and state like 'idle in transaction%'",
      ),
    ).toEqual([{ n: 0 }]);
  });

  test('would contradict what was published under its dedupe key', async () => {
    const publishing =
      (n: number): Handle =>
      ({ data }, { transaction }) =>
        transaction(async (tx) => {
          tx.publish(OrderPaid({ orderId: data.orderId, n }, { dedupeKey: 'paid-A1' }));
        });
    await stage(OrderPaid({ orderId: 'A1', n: 1 }, { dedupeKey: 'paid-A1' }));
    expect(await outcomeOf(publishing(1))).toMatchObject({ outcome: 'would-change' });
    expect(await outcomeOf(publishing(2))).toMatchObject({
      outcome: 'error',
      error: { code: 'DEDUPE_KEY_CONFLICT' },
    });
  });

  test('is refused an event that its schema refuses, and gets older ones through upcasters', async () => {
    const V2 = defineEvent({
      type: 'shop.order.placed.v2',
      key: 'orderId',
      schema: z.object({ orderId: z.string(), pieces: z.int().positive() }),
    });
    const upcaster = defineUpcaster(OrderPlaced, V2, ({ orderId, n }) => ({ orderId, pieces: n }));
    const seen: unknown[] = [];
    const handler = defineHandler({
      name: 'new',
      on: [V2],
      handle: async ({ data }) => void seen.push(data),
    });
    const outcomes = await run(
      withUpcasters(handler, [upcaster]),
      await stage(placed('A1', 3), placed('A1', 0)),
    );
    expect(outcomes).toMatchObject([
      { outcome: 'no-op', type: OrderPlaced.type },
      { outcome: 'error', error: { code: 'UPCAST_FAILED', failureClass: 'schema' } },
    ]);
    expect(seen).toEqual([{ orderId: 'A1', pieces: 3 }]);
  });

  test('waits for nobody: rows that are locked are tried for a few times, then told as busy', async () => {
    const events = await stage(placed('A1'));
    const live = await database.transactions.connect();
    await live.query('begin');
    await live.query("update shop_order set n = n where id = 'A1'");
    const [outcome] = await run(handlerOf(writeRows), events);
    expect(outcome).toMatchObject({
      outcome: 'error',
      error: { code: 'DRY_RUN_BUSY', failureClass: 'transient' },
    });
    await live.query('rollback');
    live.release();
    expect(await run(handlerOf(writeRows), events)).toMatchObject([{ outcome: 'would-change' }]);
  });

  test('that fails as it did in life has the same fingerprint as in the quarantine', async () => {
    const failing = defineHandler({
      name: 'failing',
      on: [OrderPlaced],
      startAt: 'now',
      retry: { unclassified: { attempts: 1 } },
      handle: async ({ data }) => {
        throw new TypeError(`no price for ${data.orderId}`);
      },
    });
    const live = createHandlerProcess({ url: testDatabase.url, definitions: [failing] });
    await live.start();
    const positions = await live.publish(placed('F1'));
    await live.settled();
    await live.stop();
    const [parked] = await rows('select fingerprint from factline.parked_events where position = $1', [
      positions[0],
    ]);
    before = await everything();
    const [outcome] = await run(failing, await readPositions(database.operations, positions));
    expect(outcome?.error).toMatchObject({
      code: 'TypeError',
      message: 'no price for F1',
      fingerprint: parked?.['fingerprint'],
    });
  });

  test('can be stopped between two events', async () => {
    const events = await stage(placed('A1'), placed('A2'));
    const stopping = new AbortController();
    const told: number[] = [];
    const running = dryRun({
      consumer: handlerOf(writeRows),
      events,
      database,
      source: 'test',
      signal: stopping.signal,
      onOutcome: ({ position }) => {
        told.push(position);
        stopping.abort();
      },
    });
    await expect(running).rejects.toThrow(/abort/i);
    expect(told).toEqual([events[0]?.position]);
  });
});

describe('a folding projection', () => {
  const orders = (
    version: number,
    evolve: (row: { n: number } | null, event: { data: { n: number } }) => { n: number } | null,
  ) =>
    defineProjection({
      name: 'dry_orders',
      version,
      on: [OrderPlaced],
      primaryKey: 'orderId',
      columns:
        version === 1
          ? { orderId: 'text', n: 'int4' }
          : ({ orderId: 'text', n: 'int4', more: 'text?' } as never),
      indexes: [['n']],
      evolve: evolve as never,
    });
  const adding = (row: { n: number } | null, event: { data: { n: number } }) => ({
    n: (row?.n ?? 0) + event.data.n,
  });

  test('is folded on the rows that are there, and the difference is told by row and column', async () => {
    const projection = orders(1, adding);
    const live = createHandlerProcess({ url: testDatabase.url, definitions: [projection] });
    await live.start();
    const positions = await live.publish(placed('P1', 5), placed('P2', 7));
    await live.settled();
    await live.stop();
    const events = [
      ...(await readPositions(database.operations, positions)),
      ...(await stage(placed('P3', 1), placed('P1', 0))),
    ];
    const outcomes = await run(projection, events);
    expect(outcomes.map(({ outcome, rows: differences }) => [outcome, differences])).toEqual([
      [
        'would-change',
        [
          {
            key: 'orderId=P1',
            columns: ['n'],
            before: { orderId: 'P1', n: 5 },
            after: { orderId: 'P1', n: 10 },
          },
        ],
      ],
      [
        'would-change',
        [
          {
            key: 'orderId=P2',
            columns: ['n'],
            before: { orderId: 'P2', n: 7 },
            after: { orderId: 'P2', n: 14 },
          },
        ],
      ],
      [
        'would-change',
        [{ key: 'orderId=P3', columns: ['orderId', 'n'], before: null, after: { orderId: 'P3', n: 1 } }],
      ],
      ['no-op', []],
    ]);
    expect(outcomes[0]?.changes).toMatchObject([{ updated: 1 }]);
    const deleting = await run(
      orders(1, () => null),
      events.slice(0, 1),
    );
    expect(deleting).toMatchObject([
      { rows: [{ key: 'orderId=P1', before: { n: 5 }, after: null }], changes: [{ deleted: 1 }] },
    ]);
  });

  test('of another declaration is folded in a table of its own, which goes away with the rest', async () => {
    const outcomes = await run(orders(2, adding as never), await stage(placed('P1', 5), placed('P1', 6)));
    expect(outcomes).toMatchObject([
      { outcome: 'error', error: { code: 'PROJECTION_VALUE_INVALID' } },
      { outcome: 'error' },
    ]);
    const filled = (row: { n: number } | null, event: { data: { n: number } }) => ({
      ...adding(row, event),
      more: 'x',
    });
    expect(
      await run(orders(2, filled as never), await stage(placed('P1', 5), placed('P1', 6))),
    ).toMatchObject([
      { outcome: 'would-change', rows: [{ before: null, after: { n: 5 } }] },
      { outcome: 'would-change', rows: [{ before: null, after: { n: 6 } }] },
    ]);
  });

  test('that throws, or whose row the server refuses, would be parked', async () => {
    const [thrown] = await run(
      orders(1, () => {
        throw new RangeError('no such order');
      }),
      await stage(placed('P1')),
    );
    expect(thrown).toMatchObject({
      outcome: 'error',
      error: { code: 'RangeError', failureClass: 'permanent' },
    });
    // More than an index of the table takes.
    const random = Array.from({ length: 900 }, (_, n) => `${n}${Math.sin(n)}`).join('');
    const wide = defineProjection({
      name: 'dry_wide',
      on: [OrderPlaced],
      primaryKey: 'orderId',
      columns: { orderId: 'text', text: 'text' },
      indexes: [['text']],
      evolve: () => ({ text: random }),
    });
    expect(await run(wide, await stage(placed('P1')))).toMatchObject([
      { outcome: 'error', error: { code: '54000' } },
    ]);
  });
});

describe('a projection of SQL', () => {
  const totals = (
    apply: (
      tx: { table: string; query: (text: string, values?: unknown[]) => Promise<unknown> },
      event: { data: { orderId: string; n: number } },
    ) => Promise<unknown>,
  ) =>
    defineSqlProjection({
      name: 'dry_totals',
      on: [OrderPlaced],
      create: (sql) => sql.query(`create table ${sql.table} (id text primary key, n int not null)`),
      apply: apply as never,
    });
  const add = totals((tx, { data }) =>
    tx.query(
      `insert into ${tx.table} as t values ($1, $2) on conflict (id) do update set n = t.n + excluded.n where excluded.n > 0`,
      [data.orderId, data.n],
    ),
  );

  test('writes to its own table: live, or made for the moment', async () => {
    const events = await stage(placed('S1', 2), placed('S1', 0));
    expect(await run(add, events)).toMatchObject([
      { outcome: 'would-change', changes: [{ inserted: 1 }] },
      { outcome: 'would-change', changes: [{ inserted: 1 }] },
    ]);
    const live = createHandlerProcess({ url: testDatabase.url, definitions: [add] });
    await live.start();
    await live.publish(placed('S1', 4));
    await live.settled();
    await live.stop();
    before = await everything();
    expect(await run(add, events)).toMatchObject([
      { outcome: 'would-change', changes: [{ table: 'factline.dry_totals__b1', inserted: 0, updated: 1 }] },
      { outcome: 'no-op', changes: [] },
    ]);
  });

  test.each<[string, Parameters<typeof totals>[0], string]>([
    ['fails', (tx) => tx.query(`insert into ${tx.table} values ('x', null)`), '23502'],
    ['swallows', (tx) => tx.query('select 1 / 0').catch(() => {}), 'TRANSACTION_ROLLED_BACK'],
    ['commits', (tx) => tx.query('commit'), 'TRANSACTION_STATEMENT_REFUSED'],
  ])('that %s would be parked', async (_what, apply, code) => {
    const [outcome] = await run(totals(apply), await stage(placed('S1', 1)));
    expect(outcome).toMatchObject({ outcome: 'error', error: { code } });
  });

  test('has no time limit in life, but a dry run of it ends', async () => {
    // A limit that nobody waits for in a test.
    const hasty: Clock = {
      ...systemClock,
      timer: (ms, work, options) => systemClock.timer(Math.min(ms, 100), work, options),
    };
    const events = await stage(placed('S1', 1), placed('S2', 2));
    const hanging = totals(async (tx, { data }) => {
      if (data.n === 1) await new Promise(() => {});
      await tx.query('select pg_sleep(60)');
    });
    const outcomes = await dryRun({ consumer: hanging, events, database, source: 'test', clock: hasty });
    const given = { outcome: 'error', error: { code: 'HANDLER_TIMEOUT' } };
    expect(outcomes).toMatchObject([given, given]);
  });
});
