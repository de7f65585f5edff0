import { afterEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { eventually, Noted, rows, useApps } from '../../../test/workflow/fixtures.ts';
import { live } from '../../../test/workflow/lives.ts';
import { createFactlineWith, internals, systemSeams } from '../../app/index.ts';
import { PermanentError, systemClock } from '../../foundation/index.ts';
import { sendRequest } from '../../operations/index.ts';
import type { TestFactline } from '../../testing/index.ts';
import { type AnyWorkflow, defineWorkflow } from './index.ts';

const launch = useApps();
const input = z.object({ id: z.string() });
const begin = { key: 'A', input: { id: 'A' } };

/** The outside world: it lives on whoever dies. */
let outside: string[] = [];
afterEach(() => {
  outside = [];
});

const emptyDatabase = (): Promise<TestFactline> => launch({ consumers: [], contracts: [Noted] });

/** Starts one instance from a process that runs none. */
const startFrom = async (kit: TestFactline, workflow: AnyWorkflow): Promise<void> => {
  const { database } = await internals(kit.app).open();
  await database.operations.query(
    `insert into factline.workflow_instances (workflow_id, consumer_id, version, key, key_hash, state, input, start_position, due_at)
     select w.id, x.id, 1, 'A', 0, 'running', '{"id":"A"}', 0, factline.clock()
       from factline.consumers w join factline.consumers x on x.name = w.name || '@1' where w.name = $1`,
    [workflow.name],
  );
};

const ask = async (kit: TestFactline, verb: string, more: Record<string, unknown> = {}): Promise<void> => {
  const [found] = await rows(kit, 'select id, consumer_id from factline.workflow_instances');
  const { database } = await internals(kit.app).open();
  await sendRequest(database.operations, {
    consumer: { id: found?.['consumer_id'] as number, name: 'saga@1' },
    verb,
    arguments: { instance: Number(found?.['id']), ...more },
    actor: 'ada',
    reason: 'as the test wants it',
  });
};

const stateOf = async (kit: TestFactline): Promise<unknown> =>
  (await rows(kit, 'select state from factline.workflow_instances'))[0]?.['state'];
const ends = (kit: TestFactline, state: string): Promise<void> =>
  eventually(async () => (await stateOf(kit)) === state, `it is ${state}`, 30_000);

describe('a step that may have happened', () => {
  /** A charge whose process dies, or is cut off, before anybody has its answer; a look at the books takes it back. */
  const charging = (hang = false): AnyWorkflow =>
    defineWorkflow({
      name: 'saga',
      input,
      lanes: 1,
      retry: { attempts: 2, firstDelay: '1ms' },
      run: async (_, { step }) => {
        await step('reserve', async () => 1, {
          undo: async (result) => void outside.push(`release ${result}`),
        });
        const charge = await step(
          'charge',
          async ({ idempotencyKey }) => {
            outside.push(`charge ${idempotencyKey}`);
            if (hang) await new Promise(() => {});
            return { id: 'ch-1' };
          },
          {
            undo: async (result, { stepKey, inDoubt }) =>
              void outside.push(`refund ${inDoubt ? `whatever ${stepKey} was` : result?.id}`),
          },
        );
        await step('ship', async () => 2, { undo: async () => void outside.push('unship') });
        return charge.id;
      },
    });

  test('since its process was killed is taken back without a result when the instance is cancelled', {
    timeout: 60_000,
  }, async () => {
    const kit = await emptyDatabase();
    const first = await live(kit, { consumers: [charging()] }, 'workflow.after-step');
    void first.app.startWorkflow(charging() as never, begin as never).catch(() => {});
    await first.died;
    // The first step's record was lost with the process: it is the one in doubt.
    const gate = Promise.withResolvers<void>();
    await using app = createFactlineWith(
      { name: 'shop', consumers: [charging()], database: kit.databaseUrl, handleSignals: false },
      { ...systemSeams, testStep: (step) => (step === 'workflow.before-suspect' ? gate.promise : undefined) },
    );
    try {
      await ask(kit, 'cancel');
      await app.start();
      await eventually(
        async () => (await rows(kit, 'select from factline.workflow_repairs')).length === 1,
        'the cancel is on record before anybody begins the suspect',
      );
      gate.resolve();
      await ends(kit, 'cancelled');
      expect(outside).toEqual(['release undefined']);
      expect(
        await rows(kit, 'select undo, name, state from factline.workflow_journal order by undo, ordinal'),
      ).toEqual([
        { undo: false, name: 'reserve', state: 'pending' },
        { undo: true, name: 'reserve', state: 'done' },
      ]);
    } finally {
      gate.resolve();
    }
  });

  test('since the cancel cut it off is taken back; the step after it, which never began, is not', async () => {
    const kit = await launch({ consumers: [charging(true)], contracts: [] });
    const handle = await kit.app.startWorkflow(charging() as never, begin as never);
    await eventually(async () => outside.some((call) => call.startsWith('charge')), 'the charge hangs');
    await handle.cancel('no longer wanted');
    await ends(kit, 'cancelled');
    const key = `saga:${handle.id}:charge`;
    expect(outside).toEqual([`charge ${key}`, `refund whatever ${key} was`, 'release 1']);
  });

  test('but finished while it was cancelled has its result; the step after it never began', async () => {
    const begun = Promise.withResolvers<void>();
    const saga = defineWorkflow({
      name: 'saga',
      input,
      run: async (_, { step }) => {
        const undo = (name: string) => async (result: unknown) => void outside.push(`${name} ${result}`);
        await step(
          'one',
          // Ends as soon as it is told that nobody wants it any more.
          async ({ signal }) => {
            begun.resolve();
            await new Promise((resolve) => signal.addEventListener('abort', resolve));
            return 1;
          },
          { undo: undo('un-one') },
        );
        await step('two', async () => 2, { undo: undo('un-two') });
      },
    });
    const kit = await launch({ consumers: [saga], contracts: [] });
    const handle = await kit.app.startWorkflow(saga, begin);
    await begun.promise;
    await handle.cancel('no longer wanted');
    await ends(kit, 'cancelled');
    expect(outside).toEqual(['un-one 1']);
  });

  test('since its time limit passed is taken back; one that failed with an error of its own is not', async () => {
    const saga = defineWorkflow({
      name: 'saga',
      input,
      retry: { attempts: 1 },
      run: async (_, { step }) => {
        const undo = (name: string) => async (result: unknown) => void outside.push(`${name} ${result}`);
        await step('hang', () => new Promise<number>(() => {}), {
          timeout: '30ms',
          undo: undo('un-hang'),
        }).catch(() => {});
        await step('throw', () => Promise.reject<number>(new Error('no')), { undo: undo('un-throw') });
      },
    });
    const kit = await launch({ consumers: [saga], contracts: [] });
    await kit.app.startWorkflow(saga, begin);
    await ends(kit, 'failed');
    expect(outside).toEqual(['un-hang undefined']);
  });

  test('and whose undo fails for good is skipped with evidence like any other', async () => {
    const saga = defineWorkflow({
      name: 'saga',
      input,
      run: async (_, { step }) =>
        step('charge', () => new Promise<number>(() => outside.push('charge')), {
          retry: { attempts: 1 },
          undo: () => Promise.reject(new PermanentError('the bank does not answer')),
        }),
    });
    const kit = await launch({ consumers: [saga], contracts: [] });
    const handle = await kit.app.startWorkflow(saga, begin);
    await eventually(async () => outside.length === 1, 'the charge hangs');
    await handle.cancel('no longer wanted');
    await ends(kit, 'stuck');
    await ask(kit, 'skip', { step: 'charge', evidence: 'nothing was charged' });
    await ends(kit, 'cancelled');
  });
});

describe('the undo of a transaction', () => {
  const booking = (): AnyWorkflow =>
    defineWorkflow({
      name: 'saga',
      input,
      lanes: 1,
      run: async ({ id }, { step, sleep }) => {
        await step.transaction('book', (tx) => tx.query('insert into book values ($1)', [id]).then(() => 7), {
          undo: async (result, { tx }) => {
            await tx.query('update book set undone = undone + $1', [result]);
            tx.publish(Noted({ id, text: 'unbooked' }));
          },
        });
        await sleep('1h');
      },
    });

  test.each([
    'workflow.before-undo',
    'workflow.before-transaction-commit',
    'workflow.after-transaction-commit',
    'workflow.after-undo',
  ])('commits with its record: a death at %s leaves it done once', { timeout: 60_000 }, async (step) => {
    const kit = await emptyDatabase();
    await rows(kit, 'create table book (id text, undone int not null default 0)');
    const first = await live(kit, { consumers: [booking()], contracts: [Noted] });
    await startFrom(kit, booking());
    await ends(kit, 'waiting');
    await first.app.stop();
    const second = await live(kit, { consumers: [booking()], contracts: [Noted] }, step);
    await ask(kit, 'cancel');
    await second.died;
    const last = await live(kit, { consumers: [booking()], contracts: [Noted] });
    await ends(kit, 'cancelled');
    expect(await rows(kit, 'select * from book')).toEqual([{ id: 'A', undone: 7 }]);
    expect(await rows(kit, `select data->>'text' as text from factline.events`)).toEqual([
      { text: 'unbooked' },
    ]);
    expect(
      await rows(kit, 'select name, state, attempts from factline.workflow_journal where undo'),
    ).toMatchObject([{ name: 'book', state: 'done' }]);
    await last.app.stop();
  });

  test('that fails writes nothing and is tried again', async () => {
    let attempts = 0;
    const saga = defineWorkflow({
      name: 'saga',
      input,
      retry: { firstDelay: '1ms' },
      run: async ({ id }, { step }) => {
        await step.transaction('book', (tx) => tx.query('insert into book values ($1)', [id]).then(() => 7), {
          undo: async (result, { tx, attempt, inDoubt }) => {
            attempts = attempt;
            expect(inDoubt).toBe(false);
            await tx.query('update book set undone = undone + $1', [result]);
            if (attempt === 1) throw new Error('after the write');
          },
        });
        throw new PermanentError('take it back');
      },
    });
    const kit = await launch({ consumers: [saga], contracts: [] });
    await rows(kit, 'create table book (id text, undone int not null default 0)');
    await kit.app.startWorkflow(saga, begin);
    await ends(kit, 'failed');
    expect(attempts).toBe(2);
    expect(await rows(kit, 'select * from book')).toEqual([{ id: 'A', undone: 7 }]);
  });
});

test('an act on an instance that hangs holds up no other one', { timeout: 60_000 }, async () => {
  const saga = defineWorkflow({
    name: 'saga',
    input,
    run: async ({ id }, { step, sleep }) => {
      if (id === 'hangs')
        await step('hang', () => new Promise(() => outside.push('hangs')), { timeout: '1h' });
      await sleep('20ms');
      return id;
    },
  });
  // What hangs is waited for until the test says so; so is whatever else has a time limit of five seconds.
  let isOver = false;
  const graces = new Set<() => void>();
  const clock: typeof systemClock = {
    ...systemClock,
    timer: (ms, run, options) => {
      if (ms !== 5_000 || isOver) return systemClock.timer(ms === 5_000 ? 0 : ms, run, options);
      graces.add(run);
      return { cancel: () => void graces.delete(run) };
    },
  };
  const endGraces = (): void => {
    isOver = true;
    for (const run of graces) run();
  };
  let isActing = false;
  const testStep = (step: string): void => {
    if (step === 'workflow.before-act') isActing = true;
  };
  const kit = await emptyDatabase();
  const options = { name: 'shop', consumers: [saga], database: kit.databaseUrl, handleSignals: false };
  await using app = createFactlineWith(options, { ...systemSeams, clock, testStep });
  try {
    await app.start();
    const hangs = await app.startWorkflow(saga, { key: 'hangs', input: { id: 'hangs' } });
    await eventually(async () => outside.length === 1, 'the step hangs');
    let isCancelled = false;
    const cancelled = hangs.cancel('it hangs').then(() => {
      isCancelled = true;
    });
    await eventually(async () => isActing, 'the cancel waits for the step');
    const other = await app.startWorkflow(saga, { key: 'other', input: { id: 'other' } });
    expect(await other.result({ within: '20s' })).toBe('other');
    expect(isCancelled).toBe(false);
    endGraces();
    await cancelled;
    await expect(hangs.result({ within: '20s' })).rejects.toMatchObject({ details: { state: 'cancelled' } });
  } finally {
    endGraces();
  }
});
