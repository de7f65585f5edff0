import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import {
  type AnyWorkflow,
  defineWorkflow,
  type JournalEntry,
  type WorkflowContext,
  type WorkflowJournal,
} from '../../consumers/index.ts';
import { parseJournal, verifyAgainst } from './verifying.ts';

const folder = mkdtempSync(path.join(os.tmpdir(), 'factline-verify-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const entry = (ordinal: number, name: string, given: Partial<JournalEntry> = {}): JournalEntry => ({
  undo: false,
  ordinal,
  kind: 'step',
  name,
  state: 'done',
  attempts: 1,
  completion: ordinal + 1,
  value: name,
  error: null,
  ...given,
});
const journal: WorkflowJournal = {
  workflow: 'pay',
  version: 1,
  id: 7,
  key: 'A1',
  input: undefined,
  ended: true,
  entries: [entry(0, 'reserve'), entry(1, 'charge')],
};
const never = async (): Promise<never> => {
  throw new Error('a step ran');
};
const pay = (run: (input: undefined, context: WorkflowContext<never>) => Promise<unknown>): AnyWorkflow =>
  defineWorkflow({ name: 'pay', run: run as () => Promise<null> });

const fits = pay(async (_, { step }) => {
  await step('reserve', never);
  await step('charge', never);
});

test('a journal that fits is one that fits', async () => {
  expect(await verifyAgainst([fits], journal)).toEqual({
    workflow: 'pay',
    version: 1,
    id: 7,
    ok: true,
    reason: null,
    difference: null,
    ambientUses: [],
  });
  const text = JSON.stringify(journal);
  expect((await verifyAgainst([fits], parseJournal('a.json', text))).ok).toBe(true);
});

test('another call, a missing one and a further one are found, and no step runs', async () => {
  const renamed = pay(async (_, { step }) => {
    await step('reserve', never);
    await step('pay', never);
  });
  expect(await verifyAgainst([renamed], journal)).toMatchObject({
    ok: false,
    reason: 'call 1 was step charge, the code calls step pay',
    difference: {
      ordinal: 1,
      recorded: ['step reserve', 'step charge'],
      called: ['step reserve', 'step pay'],
    },
  });
  const shorter = pay(async (_, { step }) => step('reserve', never));
  expect(await verifyAgainst([shorter], journal)).toMatchObject({ ok: false, difference: { ordinal: 1 } });
  const longer = pay(async (_, { step }) => {
    await step('reserve', never);
    await step('charge', never);
    await step('ship', never);
  });
  expect(await verifyAgainst([longer], journal)).toMatchObject({
    ok: false,
    reason: 'it had ended, and the code goes on',
  });
});

test('a version or a workflow that nobody declares is named with what there is', async () => {
  expect(await verifyAgainst([], journal)).toMatchObject({
    ok: false,
    reason: 'no code declares this workflow',
  });
  const second = { ...fits, version: 2 };
  expect(await verifyAgainst([second], journal)).toMatchObject({
    ok: false,
    reason: 'no code declares this version, only 2',
  });
});

test('a clock, chance or network outside of a step is found although the calls are the same', async () => {
  const file = path.join(folder, 'pay.mjs');
  writeFileSync(
    file,
    `export const run = async (_, { step, now }) => {
  await step('reserve', () => { throw new Error() })
  if (Date.now() > 0) await step('charge', () => fetch('http://127.0.0.1:1'))
}
`,
  );
  const { run } = (await import(file)) as { run: AnyWorkflow['run'] };
  const verified = await verifyAgainst([{ ...fits, run }], journal);
  expect(verified).toMatchObject({
    ok: false,
    difference: null,
    ambientUses: [{ what: 'Date.now()', where: `${file}:3:12` }],
  });
  expect(verified.reason).toContain('it uses Date.now() outside of a step');
});

test('what is no journal is refused with its name', () => {
  expect(() => parseJournal('a.json', '{')).toThrow('a.json');
  for (const other of ['null', '[]', '{"workflow":"pay"}', JSON.stringify({ ...journal, entries: [{}] })])
    expect(() => parseJournal('b.json', other)).toThrow('a journal, as `workflow export` writes it');
});
