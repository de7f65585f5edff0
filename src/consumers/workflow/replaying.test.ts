import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { defineEvent } from '../../contracts/index.ts';
import type { WorkflowContext } from './context.ts';
import { defineWorkflow } from './define-workflow.ts';
import type { AnyWorkflow } from './definition.ts';
import { functionContext } from './function-context.ts';
import type { JournalEntry } from './journal.ts';
import { recordFailure } from './recorded-failure.ts';
import { FunctionRun, type Turn } from './replaying.ts';
import { runJournal, verifyJournal } from './verify.ts';

const Noted = defineEvent({
  type: 'shop.note.noted.v1',
  key: 'id',
  schema: z.object({ id: z.string(), text: z.string() }),
});

const workflowOf = (run: (context: WorkflowContext) => Promise<unknown>): AnyWorkflow =>
  defineWorkflow({ name: 'subject', waits: [Noted], run: (_, context) => run(context as never) as never });

const instance = { id: 7, key: 'A1', input: null };

/** Carries out a workflow in memory: `choose` says which of the open calls ends next. The journal grows with each turn. */
const carryOut = async (
  workflow: AnyWorkflow,
  choose: (open: number) => number,
): Promise<{ journal: JournalEntry[]; history: JournalEntry[][]; last: Turn }> => {
  const facts = {
    workflow,
    id: 7,
    key: 'A1',
    signal: new AbortController().signal,
    now: () => new Date(0),
    random: () => 0.5,
    admit: () => {},
  };
  const run = new FunctionRun({
    journal: [],
    start: (own) => Promise.resolve().then(() => workflow.run(null, functionContext(own, facts))),
  });
  const journal: JournalEntry[] = [];
  const history: JournalEntry[][] = [[]];
  let open: Turn['calls'][number][] = [];
  let turn = await run.replay();
  for (let completion = 1; ; completion += 1) {
    journal.push(...turn.entries);
    open.push(...turn.calls);
    history.push([...journal]);
    if (turn.end !== null || open.length === 0) return { journal, history, last: turn };
    const chosen = open[choose(open.length)] as Turn['calls'][number];
    open = open.filter((call) => call !== chosen);
    const { request, ordinal, name } = chosen;
    const base = { undo: false, ordinal, kind: request.kind, name, attempts: 1, completion };
    let entry: JournalEntry = { ...base, state: 'done', value: null, error: null };
    if (request.kind === 'step') {
      try {
        const call = { idempotencyKey: name, attempt: 1, signal: facts.signal };
        entry = { ...entry, value: await request.run(call, null) };
      } catch (error) {
        entry = { ...entry, state: 'failed', error: recordFailure(error) };
      }
    }
    journal.push(entry);
    turn = await run.deliver(
      ordinal,
      entry.error === null ? { ok: true, value: entry.value } : { ok: false, error: entry.error },
    );
  }
};

/** A program as a tree: steps, some failing, in sequence or side by side, with immediate calls in between. */
type Program =
  | { readonly do: 'step'; readonly fails: boolean }
  | { readonly do: 'sleep' | 'now' | 'publish' }
  | { readonly do: 'sequence' | 'all'; readonly parts: readonly Program[] };

const program = fc.letrec<{ tree: Program }>((tie) => ({
  tree: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.record({ do: fc.constant('step' as const), fails: fc.boolean() }),
    fc.record({ do: fc.constantFrom('sleep' as const, 'now' as const, 'publish' as const) }),
    fc.record({
      do: fc.constantFrom('sequence' as const, 'all' as const),
      parts: fc.array(tie('tree'), { maxLength: 4 }),
    }),
  ),
})).tree;

/** Every path through `perform` is decided by results only. */
const perform = async (tree: Program, context: WorkflowContext, path = 'p'): Promise<unknown> => {
  switch (tree.do) {
    case 'step':
      return context
        .step(path, async () => {
          if (tree.fails) throw new Error(`${path} failed`);
          return path;
        })
        .catch((error: unknown) => context.step(`${path} again`, async () => (error as Error).message));
    case 'sleep':
      return context.sleep('1s');
    case 'now':
      return context.now().getTime();
    case 'publish':
      return context.publish(Noted({ id: 'A1', text: path }));
    case 'sequence': {
      const results: unknown[] = [];
      for (const [index, part] of tree.parts.entries())
        results.push(await perform(part, context, `${path}.${index}`));
      return results.length;
    }
    case 'all':
      return (await context.all(tree.parts.map((part, index) => perform(part, context, `${path}/${index}`))))
        .length;
  }
};

describe('a run from the journal', () => {
  test('makes the same calls in the same places, whatever ended in which order and wherever it was cut', async () => {
    await fc.assert(
      fc.asyncProperty(program, fc.array(fc.nat(), { minLength: 1 }), async (tree, choices) => {
        const workflow = workflowOf((context) => perform(tree, context));
        let at = 0;
        const choose = (open: number): number => (choices[at++ % choices.length] ?? 0) % open;
        const { journal, history, last } = await carryOut(workflow, choose);
        expect(last.end?.kind).toBe('returned');
        for (const cut of [...history, journal]) {
          const { turn } = await runJournal(workflow, { ...instance, entries: cut });
          expect(turn.difference).toBeNull();
          // What is recorded is neither begun nor published again.
          const recorded = new Set(
            cut
              .filter(({ kind, completion }) => completion !== null || kind === 'publish')
              .map((e) => e.ordinal),
          );
          for (const { ordinal } of [...turn.calls, ...turn.drafts])
            expect(recorded.has(ordinal)).toBe(false);
        }
        const whole = await runJournal(workflow, { ...instance, entries: journal });
        expect(whole.turn.end).toEqual(last.end);
        expect(whole.turn.entries).toEqual([]);
      }),
      { numRuns: 60 },
    );
  });

  test('hands results over one at a time, so that racing chains keep their ordinals', async () => {
    const chain = async ({ step }: WorkflowContext, name: string): Promise<void> => {
      await step(`${name} 1`, async () => null);
      await step(`${name} 2`, async () => null);
    };
    const workflow = workflowOf(async (context) => {
      await context.all([chain(context, 'a'), chain(context, 'b')]);
      return null;
    });
    // b 1 ends first, so `b 2` is the third call.
    const { journal } = await carryOut(workflow, (open) => open - 1);
    expect(journal.map(({ name, ordinal }) => [name, ordinal])).toEqual([
      ['b 1', 1],
      ['b 2', 2],
      ['a 1', 0],
      ['a 2', 3],
    ]);
    expect(await verifyJournal(workflow, fixture(journal, true))).toEqual({ ok: true });
  });

  test('that goes another way names the first difference and both sequences, and begins nothing', async () => {
    const before = workflowOf(async ({ step }) => {
      await step('reserve', async () => 1);
      await step('charge', async () => 2);
      return null;
    });
    const { journal } = await carryOut(before, () => 0);
    const after = workflowOf(async ({ step }) => {
      await step('reserve', async () => 1);
      await step('authorise', async () => 2);
      return null;
    });
    const { turn } = await runJournal(after, { ...instance, entries: journal });
    expect(turn.difference).toEqual({
      ordinal: 1,
      recorded: ['step reserve', 'step charge'],
      called: ['step reserve', 'step authorise'],
    });
    expect(turn.calls).toEqual([]);
    expect(turn.end).toBeNull();
  });

  test('that ends, or waits, before the journal does is different', async () => {
    const { journal } = await carryOut(
      workflowOf(async ({ step, now }) => {
        await step('one', async () => 1);
        now();
        return null;
      }),
      () => 0,
    );
    const shorter = workflowOf(async ({ step }) => step('one', async () => 1));
    const idle = workflowOf(() => new Promise(() => {}));
    const outside = workflowOf(async ({ step }) => {
      await new Promise((resolve) => setTimeout(resolve, 5));
      return step('one', async () => 1);
    });
    for (const [workflow, ordinal] of [
      [shorter, 1],
      [idle, 0],
      [outside, 0],
    ] as const) {
      const { turn } = await runJournal(workflow, { ...instance, entries: journal });
      expect(turn.difference).toMatchObject({ ordinal });
    }
  });

  test('throws a failure again as it was: name, message and code', async () => {
    class CardDeclined extends Error {
      override name = 'CardDeclined';
      code = 'declined';
    }
    const seen: unknown[] = [];
    const workflow = workflowOf(async ({ step }) => {
      await step('charge', async () => {
        throw new CardDeclined('no funds');
      }).catch((error: CardDeclined) => seen.push([error.name, error.message, error.code]));
      return null;
    });
    const { journal } = await carryOut(workflow, () => 0);
    await runJournal(workflow, { ...instance, entries: journal });
    expect(seen).toEqual([
      ['CardDeclined', 'no funds', 'declined'],
      ['CardDeclined', 'no funds', 'declined'],
    ]);
  });
});

describe('a call of the function', () => {
  test('under a name that was used is refused', async () => {
    const workflow = workflowOf(async ({ step }) => {
      await step('one', async () => 1);
      return step('one', async () => 2);
    });
    const { last } = await carryOut(workflow, () => 0);
    expect(last.end).toMatchObject({ kind: 'threw', error: { code: 'WORKFLOW_STEP_REPEATED' } });
  });

  test('beyond the limit ends the run', async () => {
    const workflow = workflowOf(async ({ now }) => {
      for (;;) {
        now();
        await Promise.resolve();
      }
    });
    const { turn } = await runJournal(workflow, { ...instance, entries: [] });
    expect(turn.overflown).toBe(true);
    expect(turn.entries).toHaveLength(10_000);
  });

  test('that waits for an event it has not declared is refused', async () => {
    const Other = defineEvent({
      type: 'shop.other.seen.v1',
      key: 'id',
      schema: z.object({ id: z.string() }),
    });
    const workflow = workflowOf(({ waitFor }) => waitFor(Other as never, { key: 'A1' }));
    const { last } = await carryOut(workflow, () => 0);
    expect(last.end).toMatchObject({ kind: 'threw', error: { code: 'WORKFLOW_WAIT_UNDECLARED' } });
  });

  test('that was forgotten and fails does no harm', async () => {
    const workflow = workflowOf(async ({ step, sleep }) => {
      void step('forgotten', async () => {
        throw new Error('nobody looks');
      });
      await sleep('1s');
      return 'done';
    });
    const { last } = await carryOut(workflow, () => 0);
    expect(last.end).toEqual({ kind: 'returned', value: 'done' });
  });
});

test('a journal of another version is no journal of this code', async () => {
  const workflow = workflowOf(async () => null);
  expect(await verifyJournal(workflow, { ...fixture([], false), version: 2 })).toMatchObject({ ok: false });
});

const fixture = (entries: readonly JournalEntry[], ended: boolean): Parameters<typeof verifyJournal>[1] => ({
  workflow: 'subject',
  version: 1,
  ...instance,
  ended,
  entries,
});
