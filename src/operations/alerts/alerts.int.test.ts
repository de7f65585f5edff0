import { createHmac } from 'node:crypto';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../../test/database.ts';
import { createManualClock, type HttpPost } from '../../foundation/index.ts';
import type { Verdict, VerdictName } from '../verdict.ts';
import { type Delivered, deliverAlerts } from './deliver.ts';
import { type AlertChange, evaluateAlerts } from './evaluate.ts';
import { type ListedAlert, listAlerts, listReceivers } from './listing.ts';
import { checkAlerts } from './receivers.ts';

let database: TestDatabase;
let pool: pg.Pool;

beforeAll(async () => {
  database = await createTestDatabase({ migrated: true });
  pool = new pg.Pool({ connectionString: database.url, max: 6 });
});
afterAll(async () => {
  await pool.end();
  await database.drop();
});
beforeEach(async () => {
  await pool.query(`truncate factline.alerts, factline.alert_evaluations, factline.alert_told, factline.alert_messages, factline.alert_receivers,
    factline.quarantine_alerts, factline.quarantine_groups, factline.consumers restart identity`);
});

const verdict = (consumer: string, name: VerdictName, more: Partial<Verdict> = {}): Verdict =>
  ({
    consumer,
    verdict: name,
    state: 'live',
    reasons: [{ code: 'no-progress', text: 'nothing was handled' }],
    timeToBreachSeconds: null,
    breaker: null,
    paused: null,
    pausedParts: [],
    burn: [],
    ...more,
  }) as unknown as Verdict;

const receivers = checkAlerts({
  receivers: {
    onCall: { kind: 'webhook', url: 'https://on-call.example/', secret: 'sixteen letters…', only: 'page' },
    team: { kind: 'slack', url: 'https://team.example/' },
    second: { kind: 'slack', url: 'https://second.example/', fromLevel: 3 },
  },
});

/** Time passes by making everything older: the statements only know differences. */
const pass = async (seconds: number): Promise<void> => {
  for (const [table, columns] of Object.entries({
    alerts: ['met_at', 'fired_at', 'clear_since', 'resolved_at'],
    alert_evaluations: ['evaluated_at'],
    alert_told: ['told_at'],
    alert_messages: ['next_at', 'claimed_until', 'made_at', 'delivered_at'],
    alert_receivers: ['added_at', 'used_at'],
  }))
    await pool.query(
      `update factline.${table} set ${columns.map((column) => `${column} = ${column} - make_interval(secs => $1)`).join(', ')}`,
      [seconds],
    );
};

const evaluate = async (verdicts: readonly Verdict[]): Promise<readonly AlertChange[]> => {
  await pass(10);
  const evaluation = await evaluateAlerts(pool, { app: 'shop', verdicts: async () => verdicts, receivers });
  if (evaluation === null) throw new Error('it was somebody else’s turn');
  return evaluation.changes;
};
const states = async (): Promise<string[]> =>
  (await listAlerts(pool, { all: true })).map(({ key, state }) => `${key} ${state}`);

/** A receiver that answers with `status`, and what it was sent. */
const sent: HttpPost[] = [];
const deliver = (status = 200): Promise<readonly Delivered[]> =>
  deliverAlerts(pool, {
    app: 'shop',
    receivers,
    clock: createManualClock(),
    post: async (request) => {
      if (status < 300) sent.push(request);
      return { status, text: '' };
    },
  });
const messages = async (): Promise<Record<string, unknown>[]> =>
  (await pool.query('select receiver, class, state, attempts, body from factline.alert_messages order by id'))
    .rows;
beforeEach(() => void sent.splice(0));

const bodyOf = (request: HttpPost | undefined): { alerts: ListedAlert[]; state: string; message: number } =>
  JSON.parse(request?.body ?? '{}');

describe('the evaluation of alerts', () => {
  it('is done by one process of an app at a time, and goes on when that one is gone', async () => {
    const options = { app: 'shop', receivers, verdicts: async () => [verdict('payment', 'STALLED')] };
    const turns = await Promise.all(Array.from({ length: 5 }, () => evaluateAlerts(pool, options)));
    expect(turns.filter((turn) => turn !== null)).toHaveLength(1);
    expect(await evaluateAlerts(pool, options)).toBeNull();
    expect(await evaluateAlerts(pool, { ...options, app: 'another' })).not.toBeNull();
    await pass(10);
    expect(await evaluateAlerts(pool, options)).not.toBeNull();
    await pool.query(
      "update factline.alert_evaluations set evaluated_at = factline.clock() + interval '1 hour'",
    );
    expect(await evaluateAlerts(pool, options)).not.toBeNull();
  });

  it('fires once what has held for a minute, through restarts, and resolves it once when it has been over for a minute', async () => {
    expect(await evaluate([verdict('payment', 'STALLED')])).toEqual([]);
    expect(await states()).toEqual(['consumer-stopped:payment: pending']);
    await pass(50);
    expect(await evaluate([verdict('payment', 'STALLED')])).toMatchObject([
      { key: 'consumer-stopped:payment:', state: 'firing', severity: 'page' },
    ]);
    expect(await evaluate([verdict('payment', 'STALLED')])).toEqual([]);
    expect(await evaluate([verdict('payment', 'OK')])).toEqual([]);
    await pass(40);
    expect(await evaluate([verdict('payment', 'OK')])).toEqual([]);
    expect(await evaluate([verdict('payment', 'OK')])).toMatchObject([{ state: 'resolved' }]);
    expect(await states()).toEqual(['consumer-stopped:payment: resolved']);
    await evaluate([verdict('payment', 'STALLED')]);
    expect(await states()).toEqual([
      'consumer-stopped:payment: pending',
      'consumer-stopped:payment: resolved',
    ]);
  });

  it('forgets what passed by itself before it fired', async () => {
    await evaluate([verdict('payment', 'STALLED')]);
    await evaluate([verdict('payment', 'OK')]);
    expect(await states()).toEqual([]);
  });

  it('ends nothing while nothing can be seen, and says that nothing can be seen', async () => {
    await evaluate([verdict('payment', 'STALLED')]);
    await pass(60);
    await evaluate([verdict('payment', 'STALLED')]);
    const blind = verdict('payment', 'UNKNOWN', {
      burn: null,
      reasons: [{ code: 'not-measured', text: 'the server is away' }],
    });
    await evaluate([blind]);
    await pass(600);
    expect(await evaluate([blind])).toMatchObject([{ key: 'measurement-blind:payment:', state: 'firing' }]);
    expect(await states()).toEqual(['measurement-blind:payment: firing', 'consumer-stopped:payment: firing']);
    // The consumer was retired: nobody will ever say that it is over.
    await evaluate([]);
    await pass(60);
    expect(await evaluate([])).toHaveLength(2);
  });

  it('burns by rule, each an alert of its own, which UNKNOWN neither begins nor ends', async () => {
    const burn = (state: 'BURNING' | 'OK' | 'UNKNOWN'): Partial<Verdict> => {
      const window = { seconds: 3_600, burn: 20, coverage: 1 };
      return { burn: [{ rate: 14.4, severity: 'page', state, long: window, short: window }] };
    };
    expect(await evaluate([verdict('payment', 'OK', burn('UNKNOWN'))])).toEqual([]);
    expect(await evaluate([verdict('payment', 'OK', burn('BURNING'))])).toMatchObject([
      { key: 'burn-rate:payment:14.4x' },
    ]);
    await evaluate([verdict('payment', 'OK', burn('UNKNOWN'))]);
    await pass(600);
    await evaluate([verdict('payment', 'UNKNOWN', { burn: null })]);
    expect(await states()).toContain('burn-rate:payment:14.4x firing');
    await evaluate([verdict('payment', 'OK', burn('OK'))]);
    await pass(60);
    expect(await evaluate([verdict('payment', 'OK', burn('OK'))])).toMatchObject([{ state: 'resolved' }]);
  });
});

describe('what the detector of the quarantine found', () => {
  const group = async (growing: boolean, escalation: number): Promise<number> => {
    const { rows } = await pool.query(
      `with c as (insert into factline.consumers (app, class, name, types, lanes, start_position) values ('shop', 'operational', 'payment', '{a}', 1, 0) returning id)
       insert into factline.quarantine_groups (consumer_id, fingerprint, event_type, error_code, error_message, disposition, first_seen_at, last_seen_at, growing, escalation)
       select id, 'f1', 'shop.order.placed.v1', 'TypeError', 'no total', 'poison', factline.clock(), factline.clock(), $1, $2 from c returning id::integer`,
      [growing, escalation],
    );
    return rows[0].id;
  };
  const found = (id: number, kind: string, level: number): Promise<unknown> =>
    pool.query(
      `insert into factline.quarantine_alerts (group_id, kind, level, facts) values ($1, $2, $3, '{}')`,
      [id, kind, level],
    );

  it('is carried by an alert, row by row, also where it is over by now', async () => {
    const id = await group(false, 0);
    await found(id, 'growth', 1);
    await found(id, 'age', 1);
    expect(await evaluate([])).toHaveLength(2);
    const carried = await pool.query('select alert_id::integer from factline.quarantine_alerts order by id');
    expect(carried.rows.map((row) => row.alert_id > 0)).toEqual([true, true]);
    expect(await states()).toEqual(
      expect.arrayContaining([
        'quarantine-growth:payment:f1@shop.order.placed.v1 firing',
        'quarantine-age:payment:f1@shop.order.placed.v1 firing',
      ]),
    );
    await evaluate([]);
    await pass(60);
    expect(await evaluate([])).toHaveLength(2);
    await pass(30);
    await evaluate([]);
    expect(await messages()).toMatchObject([
      { receiver: 'onCall', class: 'quarantine-growth', body: { state: 'resolved' } },
      { receiver: 'team', class: 'quarantine-age' },
      { receiver: 'team', class: 'quarantine-growth' },
    ]);
  });

  it('is told again, as a page, when it reaches a further level of on-call', async () => {
    const id = await group(false, 1);
    await found(id, 'age', 1);
    await evaluate([]);
    await pass(30);
    await evaluate([]);
    await deliver();
    await pool.query('update factline.quarantine_groups set escalation = 2');
    await found(id, 'age', 2);
    await pass(300);
    await evaluate([]);
    await evaluate([]);
    expect(await messages()).toMatchObject([
      { receiver: 'team', body: { severity: 'ticket' } },
      { receiver: 'onCall', body: { severity: 'page', alerts: [{ level: 2 }] } },
      { receiver: 'team', body: { severity: 'page' } },
    ]);
    await deliver();
    await pool.query('update factline.quarantine_groups set escalation = 3');
    await found(id, 'age', 3);
    await pass(300);
    await evaluate([]);
    await evaluate([]);
    expect((await messages()).map(({ receiver }) => receiver).sort()).toEqual([
      'onCall',
      'onCall',
      'second',
      'team',
      'team',
      'team',
    ]);
  });
});

const stopAll = async (names: readonly string[]): Promise<void> => {
  const verdicts = names.map((name) => verdict(name, 'STALLED'));
  await evaluate(verdicts);
  await pass(60);
  await evaluate(verdicts);
  await pass(30);
  await evaluate(verdicts);
};

describe('the delivery', () => {
  const forty = Array.from({ length: 40 }, (_, index) => `consumer-${index}`);

  it('makes one message of an outage that stops forty consumers, and no further one until it is time to repeat it', async () => {
    await stopAll(forty);
    const delivered = await deliver();
    expect(delivered.map(({ receiver, failure }) => [receiver, failure])).toEqual(
      expect.arrayContaining([
        ['onCall', null],
        ['team', null],
      ]),
    );
    expect(bodyOf(sent.find(({ url }) => url.includes('on-call')))).toMatchObject({
      state: 'firing',
      alerts: { length: 40 },
    });
    const verdicts = forty.map((name) => verdict(name, 'STALLED'));
    for (let count = 0; count < 30; count += 1) {
      await evaluate(verdicts);
      await deliver();
    }
    expect(sent).toHaveLength(2);
    await pass(4 * 3_600);
    await evaluate(verdicts);
    await deliver();
    expect(sent).toHaveLength(4);
  }, 30_000);

  it('loses nothing while a receiver is down, and does not flood it when it is back', async () => {
    await stopAll(['a']);
    expect(await deliver(503)).toMatchObject([
      { failure: 'it answered 503: ' },
      { failure: 'it answered 503: ' },
    ]);
    const changing = [['a', 'b'], ['b'], ['b', 'c'], ['c', 'd'], []] as const;
    for (const stopped of changing) {
      const verdicts = ['a', 'b', 'c', 'd'].map((name) =>
        verdict(name, (stopped as readonly string[]).includes(name) ? 'STALLED' : 'OK'),
      );
      for (let count = 0; count < 3; count += 1) {
        await evaluate(verdicts);
        await pass(60);
        await deliver(503);
      }
    }
    expect(await messages()).toHaveLength(2);
    expect(await listReceivers(pool)).toMatchObject([
      { name: 'onCall', waiting: 1, lastError: 'it answered 503: ' },
      { name: 'second', waiting: 0 },
      { name: 'team', waiting: 1 },
    ]);
    await pass(300);
    await deliver();
    await evaluate([]);
    await deliver();
    const told = sent.filter(({ url }) => url.includes('on-call')).map(bodyOf);
    expect(told.map(({ alerts }) => alerts.map(({ consumer, state }) => `${consumer} ${state}`))).toEqual([
      ['a firing'],
      ['a resolved', 'b resolved', 'c resolved', 'd resolved'],
    ]);
    expect((await listReceivers(pool)).map(({ waiting }) => waiting)).toEqual([0, 0, 0]);
  }, 30_000);

  it('gives each message to one process, and to another one under the same number when that process died', async () => {
    await stopAll(['a']);
    const [first] = await Promise.all([
      pool.query(
        "update factline.alert_messages set attempts = 1, claimed_until = factline.clock() + interval '60 s' returning id",
      ),
    ]);
    expect(first.rowCount).toBe(2);
    expect(await deliver()).toEqual([]);
    await pass(60);
    const both = await Promise.all([deliver(), deliver(), deliver()]);
    expect(both.flat().map(({ attempt }) => attempt)).toEqual([2, 2]);
    expect(sent).toHaveLength(2);
  });

  it('tries again at longer and longer intervals, of at most five minutes', async () => {
    await stopAll(['a']);
    const waits: number[] = [];
    for (let count = 0; count < 9; count += 1) {
      await deliver(500);
      const { rows } = await pool.query(
        `select round(extract(epoch from next_at - factline.clock()))::integer as seconds from factline.alert_messages where receiver = 'team'`,
      );
      waits.push(rows[0].seconds);
      await pass(rows[0].seconds + 1);
    }
    expect(waits).toEqual([5, 10, 20, 40, 80, 160, 300, 300, 300]);
  });

  it('reaches a real server, which can prove who sent it', async () => {
    const requests: { request: IncomingMessage; body: string }[] = [];
    const server = createServer((request, response) => {
      let body = '';
      request.on('data', (part) => {
        body += part;
      });
      request.on('end', () => {
        requests.push({ request, body });
        response.end();
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const secret = 'known to both sides';
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/alerts`;
    const real = checkAlerts({ receivers: { onCall: { kind: 'webhook', url, secret } } });
    await stopAll(['a']);
    const clock = createManualClock(new Date());
    expect(await deliverAlerts(pool, { app: 'shop', receivers: real, clock })).toMatchObject([
      { failure: null },
    ]);
    const [{ request, body } = { request: undefined, body: '' }] = requests;
    const [, time, given] =
      /^t=(\d+),v1=([0-9a-f]{64})$/.exec(String(request?.headers['factline-signature'])) ?? [];
    expect(createHmac('sha256', secret).update(`${time}.${body}`).digest('hex')).toBe(given);
    expect(Number(time)).toBe(Math.floor(clock.wall().getTime() / 1_000));
    server.close();
    server.closeAllConnections();
  });
});
