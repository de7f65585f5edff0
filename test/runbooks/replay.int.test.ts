import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type PipelineAtHand, startPipeline } from './pipeline-at-hand.ts';
import { readRunbooks } from './runbook-page.ts';

/*
 * "When something is wrong" of docs/replay.md is walked through on the order pipeline: a replay gets into the state, and the commands
 * that stand there are run.
 */

const orders = Array.from({ length: 20 }, (_, n) => `A${n}`);
const { commandsOf } = readRunbooks('replay');

let pipeline: PipelineAtHand;
/** Of the orders, in their order. */
let positions: number[];
beforeAll(async () => {
  pipeline = await startPipeline();
  await pipeline.place(orders);
  while ((await pipeline.app.catchUp({ within: '20s' })).remaining > 0);
  const { rows } = await pipeline.query(
    `select position::int from factline.events where type = 'orders.order.placed.v1' order by position`,
  );
  positions = rows.map(({ position }) => position);
}, 60_000);
afterAll(() => pipeline.end());

const state = async (id: number): Promise<string> =>
  (await pipeline.json<{ state: string }>(`replay show ${id}`)).state;
const becomes = (id: number, wanted: string): Promise<void> =>
  expect.poll(() => state(id), { timeout: 30_000, message: `replay ${id}` }).toBe(wanted);

/** A replay of the orders that has begun. */
const begun = async (consumer: string, options: string): Promise<number> => {
  const planned = await pipeline.run(
    `replay plan ${consumer} ${options} --reason "the provider lost mails on Monday" --json`,
  );
  expect(planned).toMatchObject({ code: 0 });
  const { id } = JSON.parse(planned.out);
  await pipeline.run(`replay estimate ${id} --no-sample`);
  await pipeline.run(`replay request ${id}`);
  const { frozen } = await pipeline.json<{ frozen: { digest: string } }>(`replay show ${id}`);
  // A read model needs nobody else, executed effects need two.
  for (const approver of ['bob', 'carol'])
    await pipeline.run(`replay approve ${id} --digest ${frozen.digest.slice(0, 12)} --by ${approver}`);
  expect(await pipeline.run(`replay run ${id} --reason "the fix is out"`)).toMatchObject({ code: 0 });
  return id;
};
/** Of the mails about those orders. */
const mailsAgain = (options: string): Promise<number> =>
  begun(
    'customer-notification',
    `--type orders.order.placed.v1 --to ${positions.at(-1)} --rate 50 --canary 2 ${options}`,
  );
const execute = '--effects execute --rollback "write to the customers" --effects-max';

/** Runs one of the page's commands, for this replay instead of number 7. */
const follow = async (command: string, id: number): Promise<string> => {
  const ran = await pipeline.run(command.replace(/ 7\b/, ` ${id}`));
  expect({ command, ...ran }).toMatchObject({ code: 0 });
  return ran.out;
};

describe('a replay of the pipeline', () => {
  it.each([
    ['payment', '--effects skip', 'payment_provider.ledger'],
    ['customer-notification', '--effects reuse', 'notification.notifications'],
    ['fulfilment', '--effects skip', 'fulfilment.orders'],
  ])(
    'handles everything of %s once more, and the books stay as they are',
    async (consumer, effects, books) => {
      const digest = async (): Promise<unknown> =>
        (
          await pipeline.query(
            `select count(*), md5(string_agg(b::text, ',' order by b::text)) from ${books} b`,
          )
        ).rows;
      const before = await digest();
      const id = await begun(consumer, `--to head --rate 500 --canary 1 ${effects}`);
      await becomes(id, 'done');
      expect(await digest()).toEqual(before);
    },
    60_000,
  );

  it('is tried as it will be asked: the sample fails nowhere', async () => {
    const { id } = await pipeline.json<{ id: number }>(
      'replay plan payment --to head --reason "the books lack payments of Monday"',
    );
    const { estimate } = await pipeline.json<{ estimate: { sample: object } }>(`replay estimate ${id}`);
    expect(estimate.sample).toMatchObject({ events: 20, outcomes: { error: 0, 'no-op': 20 } });
    await pipeline.run(`replay abort ${id} --reason "only tried"`);
  }, 60_000);
});

describe('when something is wrong with a replay', () => {
  it('a guard paused it: report says what failed, then abort ends it, or resume accepts the failures', async () => {
    const [report = '', abort = '', resume = '', ...others] = commandsOf('A guard paused it');
    expect(others).toEqual([]);
    // The provider takes one mail more; then effects are blocked.
    const first = await mailsAgain(`${execute} 1 --same-failure 1`);
    await becomes(first, 'paused');
    const { paused } = await pipeline.json<{ paused: object }>(`replay show ${first}`);
    expect(paused).toMatchObject({
      kind: 'guard',
      reason: expect.stringMatching(/^1 events failed with [0-9a-f]{16}$/),
    });
    const said = await follow(report, first);
    expect(said).toContain('new failure');
    // It has not ended: its estimate is neither right nor wrong yet.
    expect(said).not.toContain('outside of the estimate');
    expect(said).not.toMatch(/^ +estimated/m);
    await follow(abort, first);
    expect(await state(first)).toBe('aborted');

    const second = await mailsAgain(`${execute} 15 --failure-rate 1 --same-failure 4`);
    await becomes(second, 'paused');
    await follow(resume, second);
    await becomes(second, 'done_with_failures');
  }, 90_000);

  it('it stands still: the live consumer is what is looked at, and the replay can be paused meanwhile', async () => {
    // Somebody has locked the payments, and half an hour of that has passed.
    const client = new pg.Client({ connectionString: pipeline.databaseUrl });
    await client.connect();
    try {
      await client.query('begin; lock table payment.payments in exclusive mode');
      await pipeline.place(['late']);
      await pipeline.query(
        "update factline.events set recorded_at = recorded_at - interval '30 minutes' where key = 'orderId=late'",
      );
      const id = await mailsAgain('--effects reuse');
      const [status = '', pause = '', ...others] = commandsOf('It stands still');
      expect(others).toEqual([]);
      const shown = (): Promise<string> => follow(`replay show ${id} --json`, id);
      await expect
        .poll(shown, { timeout: 20_000 })
        .toContain('stands still: payment would break its promise');
      expect(await follow(status, id)).toContain('LATE');
      await follow(pause, id);
      expect(await state(id)).toBe('paused');
      await client.query('rollback');
      expect(await pipeline.run(`replay resume ${id} --reason "the burst is over"`)).toMatchObject({
        code: 0,
      });
      const released = async (): Promise<number> =>
        (await pipeline.json<{ run: { released: number } }>(`replay show ${id}`)).run.released;
      await expect.poll(released, { timeout: 20_000 }).toBeGreaterThan(3);
      await pipeline.run(`replay abort ${id} --reason "it goes on"`);
    } finally {
      await client.end();
    }
  }, 90_000);

  it('other code runs: it is paused, goes on after the roll-back, or is planned again', async () => {
    const [show = '', resume = '', abort = '', ...others] = commandsOf('Other code runs');
    expect(others).toEqual([]);
    const id = await mailsAgain('--effects reuse --rate 2');
    const deployed = await pipeline.deploy('2.0.0');
    try {
      await becomes(id, 'paused');
      expect(await follow(show, id)).toContain('it was approved for the code 0.0.0, and 2.0.0 is running');
      await follow(resume, id);
      await becomes(id, 'paused');
    } finally {
      await deployed.stop();
    }
    await follow(resume, id);
    expect(['canary', 'running']).toContain(await state(id));
    await follow(abort, id);
    expect(await state(id)).toBe('aborted');
  }, 90_000);

  it('rows differ: they are compared, and accepted, or the build is dropped', async () => {
    const commands = commandsOf('Rows differ').map((line) => line.replace(/ orders\b/, ' order-summary'));
    const [compare = '', accept = '', abort = '', ...others] = commands;
    expect(others).toEqual([]);
    const differing = async (): Promise<number> => {
      await pipeline.query(`update "order-summary" set status = 'by hand' where "orderId" = 'A1'`);
      const id = await begun('order-summary', '--to head');
      await becomes(id, 'paused');
      return id;
    };
    const dropped = await differing();
    const compared = await pipeline.run(compare);
    expect(compared.code).toBe(1);
    expect(compared.out).toContain('A1');
    await follow(abort, dropped);
    expect(await state(dropped)).toBe('aborted');
    const building = `select from factline.consumers where name = 'order-summary' and state = 'building'`;
    await expect.poll(async () => (await pipeline.query(building)).rowCount, { timeout: 30_000 }).toBe(0);
    const accepted = await differing();
    await follow(accept, accepted);
    await becomes(accepted, 'done');
    const { rows } = await pipeline.query(`select status from "order-summary" where "orderId" = 'A1'`);
    expect(rows).toEqual([{ status: 'shipped' }]);
  }, 120_000);

  it('it failed: report counts what is missing, and another replay begins where it says', async () => {
    const [report = '', plan = '', ...others] = commandsOf('It failed');
    expect(others).toEqual([]);
    const id = await mailsAgain('--effects reuse --canary 5 --rate 4');
    await becomes(id, 'running');
    const [, , third] = positions;
    await pipeline.query('delete from factline.inbox where replay_id = $1 and position = $2', [id, third]);
    await becomes(id, 'failed');
    // Wrapped to the width of a terminal.
    expect((await follow(report, id)).replaceAll(/\s+/g, ' ')).toContain(
      `1 event is neither handled nor failed; the first is at position ${third}`,
    );
    const again = plan
      .replace('mailing', 'customer-notification')
      .replace('--from 3 --to 20', `--from ${third} --to ${positions.at(-1)}`);
    expect(await follow(again, id)).toMatch(/draft/);
  }, 90_000);

  it('harm was done: abort ends it, and what happened can be found', async () => {
    const commands = commandsOf('Harm was done');
    expect(commands).toHaveLength(3);
    const id = await mailsAgain(`${execute} 20 --rate 2`);
    const executed = async (): Promise<number | null> =>
      (
        await pipeline.query(
          `select from factline.effects where replay_id = $1 and disposition = 'executed' and state = 'done'`,
          [id],
        )
      ).rowCount;
    await expect.poll(executed, { timeout: 20_000 }).toBeGreaterThan(0);
    let said = '';
    for (const command of commands) said += await follow(command, id);
    expect(await state(id)).toBe('aborted');
    expect(said).toMatch(/mail: \d+ executed/);
    expect(said).toContain('write to the customers');
  }, 90_000);
});
