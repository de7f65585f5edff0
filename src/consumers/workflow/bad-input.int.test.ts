import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { eventually, Noted, ParcelScanned, rows, useApps } from '../../../test/workflow/fixtures.ts';
import { createFactline, internals } from '../../app/index.ts';
import { type Duration, PermanentError } from '../../foundation/index.ts';
import { migrate } from '../../postgres/index.ts';
import type { TestFactline } from '../../testing/index.ts';
import { defineWorkflow } from './index.ts';

const launch = useApps();
const input = z.object({ id: z.string() });
const begin = { key: 'A', input: { id: 'A' } };
const scan = (parcelId: string) => ParcelScanned({ parcelId, ok: true, place: 'door' });

/** Meets every kind of call, and sleeps for an hour before it goes on. */
const parcel = defineWorkflow({
  name: 'parcel',
  input,
  waits: ParcelScanned,
  run: async ({ id }, { step, sleep, waitFor, now, publish }) => {
    const reserved = await step('reserve', async () => ({ shelf: 7 }));
    const at = now();
    const declined = await step('charge', () => Promise.reject(new PermanentError('declined'))).catch(
      (error: Error) => error.message,
    );
    const scanned = await waitFor(ParcelScanned, { key: id });
    publish(Noted({ id, text: 'scanned' }));
    await sleep('1h');
    return { shelf: reserved.shelf, at: Number.isFinite(at.getTime()), declined, place: scanned.data.place };
  },
});
const undamaged = { shelf: 7, at: true, declined: 'declined', place: 'door' };

/** Sets the database's clock this far from the server's. */
const setClock = (kit: TestFactline, offset: string): Promise<unknown> =>
  rows(
    kit,
    `create or replace function factline.clock() returns timestamptz language sql volatile parallel safe
       as $$ select clock_timestamp() + interval '${offset}' $$`,
  );

describe('a journal that was edited by hand', () => {
  const edits: [string, string, 'nondeterministic' | 'damaged journal', RegExp][] = [
    ['a row deleted', 'delete from J where ordinal = 2', 'nondeterministic', /call 3 was wait/],
    ['its last row deleted', 'delete from J where ordinal = 5', 'damaged journal', /its last call is gone/],
    [
      'a row of no kind',
      `update J set kind = 'junk' where ordinal = 0`,
      'damaged journal',
      /call 0 .* nothing that/,
    ],
    [
      'a call of another kind',
      `update J set kind = 'sleep' where ordinal = 0`,
      'nondeterministic',
      /call 0 was reserve/,
    ],
    [
      'a call of another name',
      `update J set name = 'other' where ordinal = 0`,
      'nondeterministic',
      /call 0 was step other/,
    ],
    [
      'a row too many',
      `insert into J select instance_id, undo, 99, kind, name, state from J where ordinal = 1`,
      'nondeterministic',
      /call 4 was|call 99|nothing/,
    ],
    [
      'an event turned to junk',
      `update J set value = '5' where ordinal = 3`,
      'damaged journal',
      /call 3 .* no event/,
    ],
    ['an event gone', 'update J set value = null where ordinal = 3', 'damaged journal', /call 3 .* no event/],
    [
      'an error turned to junk',
      `update J set error = '[1]' where ordinal = 2`,
      'damaged journal',
      /call 2 \(step charge\) has failed without/,
    ],
    [
      'a result without its place',
      'update J set completion = null where ordinal = 0',
      'damaged journal',
      /call 0 \(step reserve\) has ended/,
    ],
    [
      'a place without a result',
      `update J set state = 'pending' where ordinal = 0`,
      'damaged journal',
      /call 0 \(step reserve\) has a place/,
    ],
  ];

  test.each(edits)(
    '%s: its instance is parked and says so, others go on, and mended it goes on',
    { timeout: 40_000 },
    async (_what, edit, reason, message) => {
      const kit = await launch({ consumers: [parcel], contracts: [Noted] });
      const start = (id: string) => kit.app.startWorkflow(parcel, { key: id, input: { id } });
      const [edited, other] = await Promise.all([start('A'), start('B')]);
      await eventually(
        async () => (await rows(kit, 'select from factline.workflow_waits')).length === 2,
        'both wait',
      );
      await kit.publish(scan('A'), scan('B'));
      await eventually(
        async () =>
          (
            await rows(
              kit,
              `select from factline.workflow_journal where kind = 'sleep' and state = 'pending'`,
            )
          ).length === 2 && (await edited.status()) === 'waiting',
        'both sleep',
      );
      const journal = 'factline.workflow_journal';
      await rows(kit, `create table backup as select * from ${journal}`);
      // Only the rows of A.
      await rows(kit, `create view edited as select * from ${journal} where instance_id = ${edited.id}`);
      await rows(kit, edit.replace(/\bJ\b/g, 'edited'));
      await kit.advance('61m');
      expect(await other.result({ within: '20s' })).toEqual(undamaged);
      await expect(edited.result({ within: '20s' })).rejects.toMatchObject({ code: 'WORKFLOW_STUCK' });
      const [stored] = await rows(
        kit,
        `select stuck from factline.workflow_instances where id = ${edited.id}`,
      );
      expect(stored?.['stuck']).toMatchObject({ reason, message: expect.stringMatching(message) });
      await rows(kit, `delete from ${journal} where instance_id = ${edited.id}`);
      await rows(kit, `insert into ${journal} select * from backup where instance_id = ${edited.id}`);
      await rows(
        kit,
        `update factline.workflow_instances set state = 'running', stuck = null, due_at = factline.clock() where id = ${edited.id}`,
      );
      expect(await edited.result({ within: '20s' })).toEqual(undamaged);
    },
  );

  test('a result of a step turned to junk is what the function gets: its own error is the failure', async () => {
    const kit = await launch({ consumers: [parcel], contracts: [Noted] });
    const handle = await kit.app.startWorkflow(parcel, begin);
    await eventually(async () => (await handle.status()) === 'waiting', 'it waits');
    await rows(kit, `update factline.workflow_journal set value = 'null' where ordinal = 0`);
    await kit.publish(scan('A'));
    const asleep = `select from factline.workflow_journal where kind = 'sleep'`;
    await eventually(async () => (await rows(kit, asleep)).length === 1, 'it sleeps');
    await kit.advance('61m');
    await expect(handle.result({ within: '20s' })).rejects.toMatchObject({
      code: 'WORKFLOW_FAILED',
      details: { reason: expect.stringMatching(/shelf/) },
    });
  });
});

describe('a clock that jumps by an hour', () => {
  /** Instances are called after what they do; what runs ends when the gate is opened. */
  const jumping = (sleeps: Duration) => {
    const gate = Promise.withResolvers<void>();
    const begun = Promise.withResolvers<void>();
    const jump = defineWorkflow({
      name: 'jump',
      input,
      waits: ParcelScanned,
      run: async ({ id }, { step, sleep, waitFor }) => {
        const scanned = async (within: Duration) =>
          (await waitFor(ParcelScanned, { key: id, within }))?.data.place ?? 'late';
        if (id === 'sleeps') await sleep(sleeps);
        if (id === 'waits') return scanned('2h');
        if (id === 'late') return scanned('30m');
        const hold = (): Promise<void> => {
          begun.resolve();
          return gate.promise;
        };
        if (id === 'runs') await step('run', hold, { retry: { attempts: 1 } });
        return step('end', async () => id);
      },
    });
    return { jump, gate, begun };
  };

  test('ahead: what is due fires, a running step is not cut off, an event still wakes its wait', async () => {
    const { jump, gate, begun } = jumping('30m');
    const kit = await launch({ consumers: [jump], contracts: [] });
    try {
      const ids = ['sleeps', 'waits', 'late', 'runs'];
      const handles = await Promise.all(
        ids.map((id) => kit.app.startWorkflow(jump, { key: id, input: { id } })),
      );
      await begun.promise;
      await eventually(
        async () =>
          (await rows(kit, `select from factline.workflow_instances where state = 'waiting'`)).length === 3,
        'three rest',
      );
      await setClock(kit, '1 hour');
      expect(await handles[0]?.result({ within: '15s' })).toBe('sleeps');
      expect(await handles[2]?.result({ within: '15s' })).toBe('late');
      expect(await handles[1]?.status()).toBe('waiting');
      await kit.publish(scan('waits'));
      expect(await handles[1]?.result({ within: '15s' })).toBe('door');
      gate.resolve();
      expect(await handles[3]?.result({ within: '15s' })).toBe('runs');
    } finally {
      gate.resolve();
    }
  });

  test('back: what is at work, starts or waits for an event goes on; a sleep is as much longer, and ends', async () => {
    const { jump, gate, begun } = jumping('1s');
    const kit = await launch({ consumers: [jump], contracts: [] });
    try {
      await setClock(kit, '2 hours');
      const start = (id: string) => kit.app.startWorkflow(jump, { key: id, input: { id } });
      const [sleeps, waits, runs] = await Promise.all(['sleeps', 'waits', 'runs'].map(start));
      await begun.promise;
      await eventually(async () => (await waits?.status()) === 'waiting', 'it waits');
      await setClock(kit, '1 hour');
      expect(await (await start('young')).result({ within: '15s' })).toBe('young');
      await kit.publish(scan('waits'));
      expect(await waits?.result({ within: '15s' })).toBe('door');
      gate.resolve();
      expect(await runs?.result({ within: '15s' })).toBe('runs');
      expect(await sleeps?.status()).toBe('waiting');
      await setClock(kit, '2 hours 1 minute');
      expect(await sleeps?.result({ within: '15s' })).toBe('sleeps');
    } finally {
      gate.resolve();
    }
  });

  test('back over an instance that waits for a slot: it is taken when one is free', async () => {
    const gate = Promise.withResolvers<void>();
    const jump = defineWorkflow({
      name: 'jump',
      input,
      concurrency: 1,
      run: async ({ id }, { step }) => {
        if (id === 'first') await step('run', () => gate.promise);
        return id;
      },
    });
    const kit = await launch({ consumers: [jump], contracts: [] });
    try {
      const start = (id: string) => kit.app.startWorkflow(jump, { key: id, input: { id } });
      const first = await start('first');
      const second = await start('second');
      await setClock(kit, '-1 hour');
      gate.resolve();
      expect(await first.result({ within: '15s' })).toBe('first');
      expect(await second.result({ within: '15s' })).toBe('second');
    } finally {
      gate.resolve();
    }
  });

  test('back over instances that nobody works at: their owner takes them', async () => {
    const kit = await launch({ consumers: [], contracts: [] });
    const quick = defineWorkflow({ name: 'quick', input, run: async ({ id }) => id });
    const options = { name: 'shop', consumers: [quick], database: kit.databaseUrl, handleSignals: false };
    await using publisher = createFactline(options);
    await setClock(kit, '2 hours');
    const handle = await publisher.startWorkflow(quick, begin);
    await setClock(kit, '1 hour');
    await using app = createFactline(options);
    await app.start();
    expect(await handle.result({ within: '15s' })).toBe('A');
  });
});

test('a later migration while instances sleep, wait and run loses nothing, also for who starts afterwards', async () => {
  const gate = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  const long = defineWorkflow({
    name: 'long',
    input,
    waits: ParcelScanned,
    run: async ({ id }, { step, sleep, waitFor }) => {
      if (id === 'sleeps') await sleep('1h');
      if (id === 'waits') await waitFor(ParcelScanned, { key: id });
      if (id === 'runs')
        await step('run', async () => {
          begun.resolve();
          await gate.promise;
        });
      return step('end', async () => id);
    },
  });
  const kit = await launch({ consumers: [long], contracts: [] });
  try {
    const ids = ['sleeps', 'waits', 'runs'];
    const start = (id: string) => kit.app.startWorkflow(long, { key: id, input: { id } });
    const handles = await Promise.all(ids.map(start));
    await begun.promise;
    await eventually(
      async () =>
        (await rows(kit, `select from factline.workflow_instances where state = 'waiting'`)).length === 2,
      'two rest',
    );
    const { database } = await internals(kit.app).open();
    expect(await migrate(database)).toEqual({ applied: [] });
    await rows(
      kit,
      `begin;
       alter table factline.workflow_instances add column later integer not null default 0;
       alter table factline.workflow_journal add column later text, alter column attempts type bigint;
       create index later on factline.workflow_waits (key);
       insert into factline.migrations (name, breaking) values ('9999_later', false);
       select pg_sleep(0.3);
       commit`,
    );
    expect(await migrate(database)).toEqual({ applied: [] });
    gate.resolve();
    await kit.publish(scan('waits'));
    await kit.advance('61m');
    for (const handle of [...handles, await start('young')])
      expect(await handle.result({ within: '15s' })).toBe(handle.key);
    await kit.app.stop();
    await using app = createFactline({
      name: 'test',
      consumers: [long],
      database: kit.databaseUrl,
      handleSignals: false,
    });
    await app.start();
    const last = await app.startWorkflow(long, begin);
    expect(await last.result({ within: '15s' })).toBe('A');
  } finally {
    gate.resolve();
  }
});

test('an endless loop of steps ends as stuck; results and inputs of 10 MB are refused', {
  timeout: 60_000,
}, async () => {
  const endless = defineWorkflow({
    name: 'endless',
    input,
    run: async (_, { step, all }) => {
      for (let round = 0; ; round += 1)
        await all(
          Array.from({ length: 1_000 }, (_each, index) => step(`${round}/${index}`, async () => null)),
        );
    },
  });
  const large = 'x'.repeat(10_000_000);
  const result = defineWorkflow({ name: 'result', input, run: async () => large });
  const kit = await launch({ consumers: [endless, result], contracts: [] });
  const runs = await kit.app.startWorkflow(endless, begin);
  const returns = await kit.app.startWorkflow(result, begin);
  await expect(returns.result({ within: '20s' })).rejects.toMatchObject({ code: 'WORKFLOW_STUCK' });
  await expect(kit.app.startWorkflow(result, { key: 'B', input: { id: large } })).rejects.toMatchObject({
    code: 'WORKFLOW_INPUT_INVALID',
  });
  await expect(runs.result({ within: '40s' })).rejects.toMatchObject({ code: 'WORKFLOW_STUCK' });
  expect(
    await rows(
      kit,
      `select workflow_id, stuck->>'reason' as reason from factline.workflow_instances order by id`,
    ),
  ).toMatchObject([{ reason: 'too many calls' }, { reason: 'cannot be recorded' }]);
});
