import pg from 'pg';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { createTestDatabase, type TestDatabase } from '../../../test/database.ts';
import { defineHandler, defineWorkflow, type HandlerDeclaration } from '../../consumers/index.ts';
import { defineCommand, defineEvent, type EventContract } from '../../contracts/index.ts';
import { TransientError } from '../../foundation/index.ts';
import { fromPg } from '../../postgres/index.ts';
import { createFactline, type Factline, type FactlineOptions, internals } from '../index.ts';

const schema = z.object({ orderId: z.string() });
const Charged = defineEvent({ type: 'payments.card.charged.v1', key: 'orderId', schema });
const Declined = defineEvent({ type: 'payments.card.declined.v1', key: 'orderId', schema });
const Noted = defineEvent({ type: 'payments.card.noted.v1', key: 'orderId', schema });
const ChargeCard = defineCommand({
  type: 'payments.card.charge.v1',
  key: 'orderId',
  schema: schema.extend({ pence: z.int().optional() }),
  replies: [Charged, Declined],
});

type Handle = HandlerDeclaration<typeof ChargeCard>['handle'];
const payment = (handle: Handle, more: object = {}) =>
  defineHandler({
    name: 'payment',
    on: ChargeCard,
    retry: { unclassified: { attempts: 2, base: '1ms' } },
    handle,
    ...more,
  });
const answer: Handle = ({ data: { orderId } }, { transaction }) =>
  transaction(async (tx) => tx.publish(Charged({ orderId })));

let database: TestDatabase;
let apps: Factline[] = [];
const start = async (name: string, consumers: ReturnType<typeof payment>[]): Promise<Factline> => {
  const app = create(name, consumers);
  await app.start();
  return app;
};
const create = (name: string, consumers: FactlineOptions['consumers']): Factline => {
  const contracts: EventContract[] = [ChargeCard, Charged, Declined];
  const app = createFactline({ name, database: database.url, consumers, contracts, handleSignals: false });
  apps.push(app);
  return app;
};
const stored = async (type: string): Promise<{ id: string; causation: string }[]> => {
  const { database } = await internals(apps[0]).open();
  const { rows } = await database.operations.query(
    `select id, meta ->> 'causationId' as causation from factline.events where type = $1 order by position`,
    [type],
  );
  return rows;
};

beforeEach(async () => {
  database = await createTestDatabase({ migrated: true });
});
afterEach(async () => {
  await Promise.all(apps.map((app) => app.stop()));
  apps = [];
  await database.drop();
});

describe('a request', () => {
  it('is answered by the event that its handler publishes', async () => {
    const app = await start('shop', [payment(answer)]);
    const request = await app.request(ChargeCard, { orderId: 'A1' }, { within: '5s' });
    const reply = await request.reply();
    expect(reply).toMatchObject({
      type: Charged.type,
      data: { orderId: 'A1' },
      causationId: request.id,
      correlationId: request.id,
    });
    expect(await request.reply()).toBe(reply);
    expect(await stored(ChargeCard.type)).toMatchObject([{ id: request.id }]);
  });

  it('is answered from another process, whichever comes first', async () => {
    const shop = await start('shop', []);
    await start('payments', [payment(answer)]);
    const requests = await Promise.all(
      Array.from({ length: 50 }, (_, n) => shop.request(ChargeCard, { orderId: `A${n}` }, { within: '10s' })),
    );
    // Long there before anybody asks for it.
    await vi.waitFor(async () => expect(await stored(Charged.type)).toHaveLength(50), { timeout: 10_000 });
    const replies = await Promise.all(requests.map((request) => request.reply()));
    expect(replies.map(({ data }) => data.orderId)).toEqual(requests.map((_, n) => `A${n}`));
  });

  it('is answered once, by the attempt that commits; what an earlier one published or said beside it does not count', async () => {
    const beside: unknown[] = [];
    const handler = payment(async ({ data: { orderId } }, { attempt, transaction }) => {
      if (attempt === 1) beside.push(await app.publish(Declined({ orderId })));
      await transaction(async (tx) => {
        tx.publish(Charged({ orderId }));
        if (attempt === 1) throw new RangeError('the first time it fails');
      });
    });
    const app = await start('shop', [handler]);
    const request = await app.request(ChargeCard, { orderId: 'A1' }, { within: '10s' });
    expect(await request.reply()).toMatchObject({ type: Charged.type });
    expect(await stored(Charged.type)).toHaveLength(1);
    expect(await stored(Declined.type)).toEqual([expect.objectContaining({ causation: request.id })]);
    expect(beside).toHaveLength(1);
  });

  it('is answered by a workflow that the command starts, steps later; a handler beside it is refused', async () => {
    const charging = defineWorkflow({
      name: 'charging',
      on: ChargeCard,
      run: async ({ data: { orderId } }, { step, sleep, publish }) => {
        await step('ask the bank', async () => null);
        await sleep('20ms');
        publish(Charged({ orderId }));
      },
    });
    const app = create('shop', [charging]);
    await app.start();
    const request = await app.request(ChargeCard, { orderId: 'A1' }, { within: '10s' });
    expect(await request.reply()).toMatchObject({ type: Charged.type, causationId: request.id });
    expect(() => create('shop', [charging, payment(answer)])).toThrow(
      expect.objectContaining({
        code: 'COMMAND_HANDLED_TWICE',
        details: expect.objectContaining({ handlers: 'charging, payment' }),
      }),
    );
  });

  it('with a dedupeKey that was used before is the first request again, also when that one was answered long ago', async () => {
    const app = await start('shop', [payment(answer)]);
    const ask = (orderId: string) =>
      app.request(ChargeCard, { orderId }, { within: '5s', dedupeKey: 'checkout-1' });
    const first = await ask('A1');
    const reply = await first.reply();
    const again = await ask('A1');
    expect([again.id, again.position]).toEqual([first.id, first.position]);
    expect(await again.reply()).toEqual(reply);
    expect(await stored(ChargeCard.type)).toHaveLength(1);
    await expect(ask('A2')).rejects.toMatchObject({ code: 'DEDUPE_KEY_CONFLICT' });
    const [one, two] = await Promise.all(
      [1, 2].map(() => app.request(ChargeCard, { orderId: 'B' }, { within: '5s', dedupeKey: 'b' })),
    );
    expect(await one?.reply()).toEqual(await two?.reply());
  });

  it('whose payload is wrong, or whose transaction fails, or that has no time limit, leaves nothing in the log', async () => {
    const app = await start('shop', []);
    // @ts-expect-error no time limit
    await expect(app.request(ChargeCard, { orderId: 'A1' })).rejects.toMatchObject({
      code: 'REQUEST_INVALID',
    });
    await expect(app.request(ChargeCard, { orderId: 5 } as never, { within: '1s' })).rejects.toMatchObject({
      code: 'PAYLOAD_INVALID',
    });
    const { database } = await internals(app).open();
    await database.operations.query(
      'alter table factline.events add constraint none check (false) not valid',
    );
    await expect(app.request(ChargeCard, { orderId: 'A1' }, { within: '1s' })).rejects.toMatchObject({
      code: '23514',
    });
    expect(await stored(ChargeCard.type)).toEqual([]);
  });

  it('costs no statement while it waits, however many there are', async () => {
    const hold = Promise.withResolvers<void>();
    const app = await start('shop', [payment(async () => hold.promise, { timeout: '60s' })]);
    const statements = vi.spyOn(pg.Client.prototype, 'query');
    const countFor = async (ms: number): Promise<number> => {
      statements.mockClear();
      await new Promise((resolve) => setTimeout(resolve, ms));
      return statements.mock.calls.length;
    };
    for (let lot = 0; lot < 10; lot += 1)
      await Promise.all(
        Array.from({ length: 100 }, (_, n) =>
          app.request(ChargeCard, { orderId: `A${lot}-${n}` }, { within: '1m' }),
        ),
      );
    await countFor(2_000);
    const open = await countFor(2_000);
    statements.mockRestore();
    hold.resolve();
    // Two statements a second are what an app costs that does nothing, and a heartbeat every two seconds.
    expect(open).toBeLessThan(20);
  });
});

describe('a request whose time is up', () => {
  const known = async (consumers: ReturnType<typeof payment>[], orderId = 'A1') => {
    const app = await start('shop', consumers);
    const request = await app.request(ChargeCard, { orderId }, { within: '700ms' });
    const error = await request.reply().then(
      () => expect.unreachable('it was answered'),
      (thrown: unknown) => thrown,
    );
    expect(error).toMatchObject({ code: 'REQUEST_TIMEOUT', details: { id: request.id, within: '700ms' } });
    return (error as { details: Record<string, unknown> }).details;
  };

  it('says that nobody handles the command', async () => {
    expect(await known([])).toMatchObject({ state: 'no handler', consumer: null });
  });

  it('says that its handler is not there', async () => {
    const payments = await start('payments', [payment(answer)]);
    await payments.stop();
    expect(await known([])).toMatchObject({ state: 'pending', consumer: 'payment' });
  });

  it('says that it was handled without a reply; an event that is not declared as one is none', async () => {
    const handler = payment(({ data: { orderId } }, { transaction }) =>
      transaction(async (tx) => tx.publish(Noted({ orderId }))),
    );
    expect(await known([handler])).toMatchObject({
      state: 'handled',
      known: 'payment has handled it without a reply',
    });
  });

  it('says that the reply cannot be read yet when a stranger holds up the log; it answers who asks again', async () => {
    const stranger = new pg.Client({ connectionString: database.url });
    await stranger.connect();
    const handler = payment(async (event, context) => {
      await stranger.query('begin');
      await app.publish(Noted({ orderId: 'stranger' }), { tx: fromPg(stranger as never) });
      await answer(event, context);
    });
    const app = await start('shop', [handler]);
    const ask = () => app.request(ChargeCard, { orderId: 'A1' }, { within: '700ms', dedupeKey: 'once' });
    await expect((await ask()).reply()).rejects.toMatchObject({
      code: 'REQUEST_TIMEOUT',
      details: { state: 'handled', known: expect.stringContaining('holds the log up') },
    });
    await stranger.query('rollback');
    await stranger.end();
    expect(await (await ask()).reply()).toMatchObject({ type: Charged.type });
  });

  it('says that its handler fails, why, and that it tries again', async () => {
    const handler = payment(async () => {
      throw new TransientError('the bank is closed', { retryAfter: '1h' });
    });
    expect(await known([handler])).toMatchObject({ state: 'retrying', reason: 'the bank is closed' });
  });

  it('says that it is in quarantine, and as what: a handler that answers twice', async () => {
    const handler = payment(({ data: { orderId } }, { transaction }) =>
      transaction(async (tx) => tx.publish(Charged({ orderId }), Declined({ orderId }))),
    );
    const details = await known([handler]);
    expect(details).toMatchObject({ state: 'quarantined', parkedId: expect.any(Number) });
    expect(details['known']).toContain(`in quarantine as ${details['parkedId']}`);
    expect(details['reason']).toContain('more than once');
    expect(await stored(Charged.type)).toEqual([]);
  });

  it('asks for all that run out together in few statements', async () => {
    const app = await start('shop', []);
    const requests = await Promise.all(
      Array.from({ length: 200 }, (_, n) => app.request(ChargeCard, { orderId: `A${n}` }, { within: '2s' })),
    );
    const statements = vi.spyOn(pg.Client.prototype, 'query');
    await Promise.allSettled(requests.map((request) => request.reply()));
    const asked = statements.mock.calls.filter(([query]) => JSON.stringify(query).includes('deliveries'));
    statements.mockRestore();
    expect(asked.length).toBeGreaterThan(0);
    expect(asked.length).toBeLessThan(100);
  });
});

describe('stopping', () => {
  it('ends the waiting and not the command', async () => {
    const shop = await start('shop', []);
    const request = await shop.request(ChargeCard, { orderId: 'A1' }, { within: '1m' });
    const reply = request.reply();
    await Promise.all([expect(reply).rejects.toMatchObject({ code: 'STOPPED' }), shop.stop()]);
    await expect(shop.request(ChargeCard, { orderId: 'A2' }, { within: '1s' })).rejects.toMatchObject({
      code: 'NOT_STARTED',
    });
    await start('payments', [payment(answer)]);
    await vi.waitFor(async () => expect(await stored(Charged.type)).toHaveLength(1), { timeout: 5_000 });
    // The same app, once more.
    await shop.start();
    const next = await shop.request(ChargeCard, { orderId: 'A3' }, { within: '5s' });
    expect(await next.reply()).toMatchObject({ data: { orderId: 'A3' } });
  });
});

describe('sending', () => {
  it('is part of the transaction, of its own or of another library', async () => {
    const app = await start('shop', [payment(answer)]);
    await expect(
      app.transaction(async (tx) => {
        tx.send(ChargeCard({ orderId: 'undone' }));
        throw new RangeError('no');
      }),
    ).rejects.toThrow('no');
    await app.transaction(async (tx) => {
      tx.send(ChargeCard({ orderId: 'A1' }));
      tx.publish(Noted({ orderId: 'A1' }));
    });
    const { database } = await internals(app).open();
    const client = await database.operations.connect();
    for (const end of ['rollback', 'commit']) {
      await client.query('begin');
      await app.send(ChargeCard({ orderId: end }), { tx: fromPg(client) });
      await client.query(end);
    }
    client.release();
    await app.send([ChargeCard({ orderId: 'A2' })]);
    await app.catchUp({ within: '10s' });
    expect(await stored(ChargeCard.type)).toHaveLength(3);
    expect(await stored(Charged.type)).toHaveLength(3);
  });

  it('takes no events, and publishing no commands, in a transaction as well', async () => {
    const app = await start('shop', []);
    const misdirected = { code: 'DRAFT_MISDIRECTED' };
    const event = Charged({ orderId: 'A1' });
    await expect(
      app.transaction(async (tx) => tx.publish(ChargeCard({ orderId: 'A1' }))),
    ).rejects.toMatchObject(misdirected);
    await expect(app.transaction(async (tx) => tx.send(event as never))).rejects.toMatchObject(misdirected);
  });
});

describe('the first handler of a command', () => {
  it('takes what was sent before it was there; a later one does not do again what the first may have done', async () => {
    const shop = await start('shop', []);
    await shop.send(ChargeCard({ orderId: 'early' }));
    const first = await start('payments', [payment(answer)]);
    await first.catchUp({ within: '5s' });
    expect(await stored(Charged.type)).toHaveLength(1);
    await first.stop();
    const { database } = await internals(shop).open();
    await database.operations.query(`update factline.consumers set state = 'retired' where name = 'payment'`);
    const second = await start('payments', [payment(answer, { name: 'charging' })]);
    await second.catchUp({ within: '5s' });
    expect(await stored(Charged.type)).toHaveLength(1);
    await second.send(ChargeCard({ orderId: 'late' }));
    await second.catchUp({ within: '5s' });
    expect(await stored(Charged.type)).toHaveLength(2);
  });
});

describe('a second handler of a command', () => {
  const refused = { code: 'COMMAND_HANDLED_TWICE' };

  it('in another app is refused, whether the first one runs or not', async () => {
    const first = await start('payments', [payment(answer)]);
    const second = payment(answer, { name: 'fraud' });
    const intruder = create('fraud', [second]);
    await expect(intruder.start()).rejects.toMatchObject({
      ...refused,
      details: { handlers: 'fraud, payment (of the app payments)' },
    });
    await first.stop();
    await expect(intruder.start()).rejects.toMatchObject(refused);
    // More processes of the first one are welcome, also under a new name.
    await start('payments', [payment(answer)]);
    await start('payments', [payment(answer, { name: 'charging', formerly: ['payment'] })]);
  });

  it('is refused when both come at the same time', async () => {
    const both = [
      create('payments', [payment(answer)]),
      create('fraud', [payment(answer, { name: 'fraud' })]),
    ];
    const outcomes = await Promise.allSettled(both.map((app) => app.start()));
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(outcomes.find(({ status }) => status === 'rejected')).toMatchObject({ reason: refused });
  });
});
