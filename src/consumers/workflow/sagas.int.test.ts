import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { eventually, Noted, rows, useApps } from '../../../test/workflow/fixtures.ts';
import { createFactline, internals } from '../../app/index.ts';
import { PermanentError, systemClock } from '../../foundation/index.ts';
import { awaitAnswer, sendRequest } from '../../operations/index.ts';
import type { TestFactline, TestFactlineOptions } from '../../testing/index.ts';
import { defineWorkflow } from './index.ts';

const launch = useApps();
const start = (consumers: TestFactlineOptions['consumers']): ReturnType<typeof launch> =>
  launch({ consumers, contracts: [Noted] });
const input = z.object({ id: z.string() });
const begin = { key: 'A', input: { id: 'A' } };

/** As a person does with `factline workflow …`. */
const act = async (
  kit: TestFactline,
  request: { readonly workflow: string; readonly verb: string; readonly arguments: Record<string, unknown> },
): Promise<Readonly<Record<string, unknown>>> => {
  const { database } = await internals(kit.app).open();
  const name = `${request.workflow}@1`;
  const [consumer] = await rows(kit, 'select id from factline.consumers where name = $1', [name]);
  const asked = {
    consumer: { id: consumer?.['id'] as number, name },
    verb: request.verb,
    arguments: request.arguments,
    actor: 'ada',
    reason: 'as the test wants it',
  };
  const id = await sendRequest(database.operations, asked);
  return (
    await awaitAnswer(database.operations, { id, request: asked, withinMs: 10_000, clock: systemClock })
  ).answer;
};

const journalOf = (kit: TestFactline, id: number): Promise<Readonly<Record<string, unknown>>[]> =>
  rows(
    kit,
    `select case when undo then 'undo ' else '' end || name as call, state, attempts from factline.workflow_journal
      where instance_id = $1 order by undo, case when undo then -ordinal else ordinal end`,
    [id],
  );

describe('a saga', () => {
  test('that fails takes back what it did, the last step first, each once, and then is failed', async () => {
    const done: string[] = [];
    const saga = defineWorkflow({
      name: 'saga',
      input,
      run: async (_, { step }) => {
        const undo =
          (name: string) =>
          async (result: number | undefined, { idempotencyKey }: { idempotencyKey: string }) => {
            done.push(`${name} ${result} ${idempotencyKey.split(':').slice(2).join(':')}`);
          };
        await step('reserve', async () => 1, { undo: undo('release') });
        await step('look', async () => 2);
        await step('authorise', async () => 3, { undo: undo('void') });
        await step('capture', async () => {
          throw new PermanentError('no funds');
        });
        return 'never';
      },
    });
    const kit = await start([saga]);
    const handle = await kit.app.startWorkflow(saga, begin);
    await expect(handle.result({ within: '10s' })).rejects.toMatchObject({
      code: 'WORKFLOW_FAILED',
      details: { state: 'failed' },
      cause: { code: 'PERMANENT_FAILURE', message: 'no funds' },
    });
    expect(done).toEqual(['void 3 authorise:undo', 'release 1 reserve:undo']);
    expect(await journalOf(kit, handle.id)).toEqual([
      { call: 'reserve', state: 'done', attempts: 1 },
      { call: 'look', state: 'done', attempts: 1 },
      { call: 'authorise', state: 'done', attempts: 1 },
      { call: 'capture', state: 'failed', attempts: 1 },
      { call: 'undo authorise', state: 'done', attempts: 1 },
      { call: 'undo reserve', state: 'done', attempts: 1 },
    ]);
    const [stored] = await rows(kit, `select failure->>'stack' as stack from factline.workflow_instances`);
    // Where it was thrown, not where it was handed to the function.
    expect(String(stored?.['stack']).split('\n')[1]).toContain('sagas.int.test.ts');
  });

  test('whose function handles the failure goes on', async () => {
    const saga = defineWorkflow({
      name: 'saga',
      input,
      run: async (_, { step }) =>
        step('charge', async () => {
          throw new PermanentError('declined');
        }).catch((error: Error) => `went on after: ${error.message}`),
    });
    const kit = await start([saga]);
    const handle = await kit.app.startWorkflow(saga, begin);
    expect(await handle.result({ within: '10s' })).toBe('went on after: declined');
  });

  test('that is cancelled while it sleeps, or while a step runs, takes back what was done', async () => {
    const done: string[] = [];
    const running = Promise.withResolvers<void>();
    const saga = defineWorkflow({
      name: 'saga',
      input,
      run: async ({ id }, { step, sleep }) => {
        await step('reserve', async () => id, {
          undo: async (result) => void done.push(`release ${result}`),
        });
        if (id === 'sleeps') await sleep('30d');
        await step('wait', async ({ signal }) => {
          running.resolve();
          await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
        });
        return 'never';
      },
    });
    const kit = await start([saga]);
    const sleeps = await kit.app.startWorkflow(saga, { key: 'sleeps', input: { id: 'sleeps' } });
    const runs = await kit.app.startWorkflow(saga, { key: 'runs', input: { id: 'runs' } });
    await running.promise;
    await eventually(async () => (await sleeps.status()) === 'waiting', 'it sleeps');
    await Promise.all([sleeps.cancel('no longer wanted'), runs.cancel('no longer wanted')]);
    for (const handle of [sleeps, runs]) {
      await expect(handle.result({ within: '10s' })).rejects.toMatchObject({
        code: 'WORKFLOW_FAILED',
        details: { state: 'cancelled', reason: 'no longer wanted' },
      });
    }
    expect(done.sort()).toEqual(['release runs', 'release sleeps']);
    expect(await rows(kit, 'select verb, actor, reason from factline.workflow_repairs')).toEqual([
      { verb: 'cancel', actor: 'test', reason: 'no longer wanted' },
      { verb: 'cancel', actor: 'test', reason: 'no longer wanted' },
    ]);
  });

  test('is completed when it is cancelled while its last step happens, and nothing is taken back', async () => {
    const done: string[] = [];
    const handingOver = Promise.withResolvers<void>();
    const cancelling = Promise.withResolvers<void>();
    const saga = defineWorkflow({
      name: 'saga',
      input,
      run: async ({ id }, { step }) => {
        await step('pack', async () => id, { undo: async () => void done.push('unpack') });
        await step('hand over', async ({ signal }) => {
          handingOver.resolve();
          // It is too late for it to heed its signal.
          signal.addEventListener('abort', () => cancelling.resolve());
          await cancelling.promise;
        });
        return 'gone';
      },
    });
    const kit = await start([saga]);
    const handle = await kit.app.startWorkflow(saga, begin);
    await handingOver.promise;
    await expect(handle.cancel('no longer wanted')).rejects.toMatchObject({
      message: expect.stringContaining('everything in it has happened'),
    });
    expect(await handle.result({ within: '10s' })).toBe('gone');
    expect(done).toEqual([]);
  });

  test('whose compensation fails for good is stuck, until a person retries it or skips it with evidence', async () => {
    let broken = true;
    const done: string[] = [];
    const saga = defineWorkflow({
      name: 'saga',
      input,
      retry: { attempts: 2, firstDelay: '1ms' },
      run: async (_, { step }) => {
        await step('first', async () => 1, { undo: async () => void done.push('first') });
        await step('second', async () => 2, {
          undo: async () => {
            if (broken) throw new Error('the bank is closed');
            done.push('second');
          },
        });
        throw new PermanentError('take it back');
      },
    });
    const kit = await start([saga]);
    const handle = await kit.app.startWorkflow(saga, begin);
    await expect(handle.result({ within: '10s' })).rejects.toMatchObject({ code: 'WORKFLOW_STUCK' });
    expect(await rows(kit, 'select state, ending, stuck from factline.workflow_instances')).toMatchObject([
      { state: 'stuck', ending: 'failed', stuck: { reason: 'compensation failed', step: 'second' } },
    ]);
    expect(done).toEqual([]);
    await act(kit, { workflow: 'saga', verb: 'retry', arguments: { instance: handle.id } });
    await eventually(
      async () =>
        (await rows(kit, `select from factline.workflow_journal where undo and state = 'failed'`)).length ===
        1,
      'it failed again',
    );
    await eventually(async () => (await handle.status()) === 'stuck', 'it is stuck again');
    broken = false;
    await act(kit, {
      workflow: 'saga',
      verb: 'skip',
      arguments: { instance: handle.id, step: 'second', evidence: 'repaid by hand, receipt 17' },
    });
    await expect(handle.result({ within: '10s' })).rejects.toMatchObject({ code: 'WORKFLOW_FAILED' });
    expect(done).toEqual(['first']);
    expect(await rows(kit, 'select verb, detail from factline.workflow_repairs order by id')).toMatchObject([
      { verb: 'retry' },
      { verb: 'skip', detail: { step: 'second', evidence: 'repaid by hand, receipt 17' } },
    ]);
  });

  test('is compensated from a step; patched; forked', async () => {
    const done: string[] = [];
    const saga = defineWorkflow({
      name: 'saga',
      input,
      run: async (_, { step, sleep, publish }) => {
        const first = await step('first', async () => ({ n: 1 }), {
          undo: async (result) => void done.push(`first ${result?.n}`),
        });
        publish(Noted({ id: 'A', text: 'once' }));
        await step('second', async () => 2, { undo: async () => void done.push('second') });
        await sleep('1h');
        return first.n;
      },
    });
    const kit = await start([saga]);
    const handle = await kit.app.startWorkflow(saga, begin);
    await eventually(async () => (await handle.status()) === 'waiting', 'it sleeps');
    const patched = { instance: handle.id, step: 'first', value: { n: 7 }, before: { n: 1 } };
    await act(kit, { workflow: 'saga', verb: 'patch', arguments: patched });
    await expect(act(kit, { workflow: 'saga', verb: 'patch', arguments: patched })).rejects.toMatchObject({
      code: 'REQUEST_REFUSED',
    });
    const { instance } = await act(kit, {
      workflow: 'saga',
      verb: 'fork',
      arguments: { instance: handle.id, step: 'first', key: 'B' },
    });
    await act(kit, {
      workflow: 'saga',
      verb: 'compensate',
      arguments: { instance: handle.id, from: 'first' },
    });
    await expect(handle.result({ within: '10s' })).rejects.toMatchObject({ code: 'WORKFLOW_FAILED' });
    expect(done).toEqual(['first 7']);
    const fork = await kit.app.workflow(saga, { id: instance as number });
    await eventually(async () => (await fork.status()) === 'waiting', 'the fork sleeps');
    await kit.advance('61m');
    expect(await fork.result({ within: '10s' })).toBe(7);
    // What was published before the fork is not published again.
    expect(await rows(kit, 'select from factline.events')).toHaveLength(1);
  });

  test('with a transaction of its own writes and publishes exactly once with its record', async () => {
    const saga = defineWorkflow({
      name: 'saga',
      input,
      retry: { firstDelay: '1ms' },
      run: async (_, { step, all }) => {
        const write = (n: number) =>
          step.transaction(`write ${n}`, async (tx, { attempt }) => {
            await tx.query('insert into book values ($1)', [n]);
            await tx.query('select pg_sleep(0.05)');
            tx.publish(Noted({ id: 'A', text: `wrote ${n}` }));
            if (attempt === 1) throw new Error('after the writes');
            return n;
          });
        return all([write(1), write(2), step('beside', async () => 3)]);
      },
    });
    const kit = await start([saga]);
    await rows(kit, 'create table book (n int)');
    const handle = await kit.app.startWorkflow(saga, begin);
    expect(await handle.result({ within: '10s' })).toEqual([1, 2, 3]);
    expect(await rows(kit, 'select n from book order by n')).toEqual([{ n: 1 }, { n: 2 }]);
    expect(await rows(kit, `select data->>'text' as text from factline.events order by 1`)).toEqual([
      { text: 'wrote 1' },
      { text: 'wrote 2' },
    ]);
    const slow = `select name from factline.workflow_journal where kind = 'transaction' and ended_at - began_at > interval '40 ms' order by 1`;
    expect(await rows(kit, slow)).toEqual([{ name: 'write 1' }, { name: 'write 2' }]);
  });
});

describe('an instance whose code has changed', () => {
  test('is parked with journal and code side by side, and goes on with the code that fits', async () => {
    let changed = false;
    const workflow = defineWorkflow({
      name: 'changing',
      input,
      run: async (_, { step, sleep }) => {
        await step(changed ? 'other' : 'one', async () => 1);
        await sleep('1h');
        return 'done';
      },
    });
    const kit = await start([workflow]);
    const handle = await kit.app.startWorkflow(workflow, begin);
    await eventually(async () => (await handle.status()) === 'waiting', 'it sleeps');
    changed = true;
    await kit.advance('61m');
    await expect(handle.result({ within: '10s' })).rejects.toMatchObject({ code: 'WORKFLOW_STUCK' });
    expect(await rows(kit, 'select stuck from factline.workflow_instances')).toMatchObject([
      {
        stuck: {
          reason: 'nondeterministic',
          recorded: ['step one', 'sleep 1'],
          called: ['step other'],
          ordinal: 0,
        },
      },
    ]);
    changed = false;
    await act(kit, { workflow: 'changing', verb: 'retry', arguments: { instance: handle.id } });
    expect(await handle.result({ within: '10s' })).toBe('done');
  });

  test('finishes on its own version, while new ones begin on the highest', async () => {
    const version = (number: number) =>
      defineWorkflow({
        name: 'versioned',
        version: number,
        input,
        run: async (_, { sleep }) => {
          await sleep('1h');
          return number;
        },
      });
    const kit = await start([version(1)]);
    const old = await kit.app.startWorkflow(version(1), begin);
    await eventually(async () => (await old.status()) === 'waiting', 'it sleeps');
    await kit.app.stop();
    await using app = createFactline({
      name: 'test',
      database: kit.databaseUrl,
      consumers: [version(2), version(1)],
      handleSignals: false,
    });
    await app.start();
    const young = await app.startWorkflow(version(2), { key: 'B', input: { id: 'B' } });
    await eventually(async () => (await young.status()) === 'waiting', 'it sleeps, too');
    // The journal first: who is loaded before its sleep is over rests again until its old moment.
    await rows(kit, 'update factline.workflow_journal set due_at = factline.clock()');
    await rows(kit, 'update factline.workflow_instances set due_at = factline.clock()');
    expect(await (await app.workflow(version(1), { id: old.id })).result({ within: '10s' })).toBe(1);
    expect(await young.result({ within: '10s' })).toBe(2);
  });
});

describe('bad input', () => {
  test('results that JSON cannot hold fail the step at once, with a clear error', async () => {
    let calls = 0;
    const bad = defineWorkflow({
      name: 'bad',
      input,
      run: async ({ id }, { step }) =>
        step('bad', async () => {
          calls += 1;
          return (id === 'large' ? 'x'.repeat(10_000_000) : { at: new Date(0) }) as never;
        }).catch((error: { code: string }) => error.code),
    });
    const kit = await start([bad]);
    for (const id of ['date', 'large']) {
      const handle = await kit.app.startWorkflow(bad, { key: id, input: { id } });
      expect(await handle.result({ within: '10s' })).toBe('WORKFLOW_RESULT_INVALID');
    }
    expect(calls).toBe(2);
    await expect(kit.app.startWorkflow(bad, { key: '', input: { id: 'A' } })).rejects.toMatchObject({
      code: 'WORKFLOW_KEY_INVALID',
    });
    await expect(kit.app.startWorkflow(bad, { key: 'A', input: {} as never })).rejects.toMatchObject({
      code: 'WORKFLOW_INPUT_INVALID',
    });
  });

  test('a workflow that never awaits, one that repeats a step name, one whose result is no JSON, one that never ends', async () => {
    const quick = defineWorkflow({ name: 'quick', input, run: async () => 'at once' });
    const repeats = defineWorkflow({
      name: 'repeats',
      input,
      run: async (_, { step }) => {
        await step('one', async () => 1);
        return step('one', async () => 1);
      },
    });
    const odd = defineWorkflow({ name: 'odd', input, run: async () => new Map() as never });
    const endless = defineWorkflow({
      name: 'endless',
      input,
      run: async (_, { now }) => {
        for (;;) now();
      },
    });
    const kit = await start([quick, repeats, odd, endless]);
    const result = async (workflow: typeof quick) =>
      (await kit.app.startWorkflow(workflow, begin)).result({ within: '20s' });
    expect(await result(quick)).toBe('at once');
    await expect(result(repeats as never)).rejects.toMatchObject({
      cause: { code: 'WORKFLOW_STEP_REPEATED' },
    });
    await expect(result(odd as never)).rejects.toMatchObject({ code: 'WORKFLOW_STUCK' });
    await expect(result(endless as never)).rejects.toMatchObject({ code: 'WORKFLOW_STUCK' });
  });
});
