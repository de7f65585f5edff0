import type { JournalEntry, WorkflowJournal } from '../../consumers/index.ts';
import { FactlineError } from '../../foundation/index.ts';
import { loadQueries, type Queryable, type Row, run } from '../../postgres/index.ts';
import { applyPatch, type PatchOperation } from '../triage/json-patch.ts';
import { changesBetween, type PayloadChange } from '../triage/payload-changes.ts';

const sql = loadQueries<'read_head' | 'read_journal' | 'read_result' | 'failing_step' | 'sample_living'>(
  new URL('./instance-detail.sql', import.meta.url),
);

/** Large values come in lots of so many. */
const lotSize = 500;

/** The whole journal of an instance, without undos, and without stacks: they name places on the machine that it ran on. @throws FactlineError WORKFLOW_INSTANCE_UNKNOWN */
export const readJournal = async (on: Queryable, id: number): Promise<WorkflowJournal> => {
  const head = await readHead(on, id);
  const entries: JournalEntry[] = [];
  for (;;) {
    const lot = await run(on, sql.read_journal, [id, entries.at(-1)?.ordinal ?? -1, lotSize]);
    entries.push(...lot.map(entryOf));
    if (lot.length < lotSize) break;
  }
  return {
    workflow: String(head['workflow']),
    version: Number(head['version']),
    id,
    key: String(head['key']),
    input: head['has_input'] === true ? head['input'] : undefined,
    ended: functionEnded(head),
    entries,
  };
};

const readHead = async (on: Queryable, id: number): Promise<Row> => {
  const [head] = await run(on, sql.read_head, [id]);
  if (head !== undefined) return head;
  throw new FactlineError('WORKFLOW_INSTANCE_UNKNOWN', { workflow: 'any workflow', instance: id });
};

/** A cancelled one was stopped where it stood. */
const functionEnded = (head: Row): boolean =>
  head['state'] === 'completed' || head['state'] === 'failed' || head['ending'] === 'failed';

const entryOf = (row: Row): JournalEntry => ({
  undo: false,
  ordinal: Number(row['ordinal']),
  kind: row['kind'] as JournalEntry['kind'],
  name: String(row['name']),
  state: row['state'] as JournalEntry['state'],
  attempts: Number(row['attempts']),
  completion: row['completion'] === null ? null : Number(row['completion']),
  value: row['has_value'] === true ? row['value'] : undefined,
  error: withoutStack(row['error'] as JournalEntry['error']),
});

const withoutStack = (error: JournalEntry['error']): JournalEntry['error'] =>
  error && { ...error, stack: '' };

/** Living instances of these versions: of each state the newest and the oldest. */
export const sampleLiving = async (
  on: Queryable,
  { executors, perState }: { readonly executors: readonly number[]; readonly perState: number },
): Promise<readonly number[]> =>
  (await run(on, sql.sample_living, [executors, Math.max(1, Math.ceil(perState / 2))])).map((row) =>
    Number(row['id']),
  );

export interface PatchPreview {
  readonly id: number;
  /** The step whose result is meant; null: the input. */
  readonly step: string | null;
  readonly patch: readonly PatchOperation[];
}

export interface PatchedValue {
  readonly before: unknown;
  readonly after: unknown;
  readonly changes: readonly PayloadChange[];
}

/**
 * What a patch would change of what the journal has.
 * @throws FactlineError WORKFLOW_INSTANCE_UNKNOWN, WORKFLOW_ACT_REFUSED, PATCH_INVALID
 */
export const previewPatch = async (
  on: Queryable,
  { id, step, patch }: PatchPreview,
): Promise<PatchedValue> => {
  const { input } = await readHead(on, id);
  const refuse = (reason: string): never => {
    throw new FactlineError('WORKFLOW_ACT_REFUSED', { id, reason });
  };
  const [row] = step === null ? [] : await run(on, sql.read_result, [id, step]);
  if (step !== null && row === undefined) refuse(`its journal has no step ${step}`);
  const before = step === null ? input : row?.['value'];
  const after = applyPatch(before, patch);
  const changes = changesBetween(before, after);
  return changes.length === 0 ? refuse('the patch changes nothing') : { before, after, changes };
};

/** @throws FactlineError WORKFLOW_ACT_REFUSED unless the step is being tried again, or its undo is, or has failed */
export const refuseUnlessFailing = async (on: Queryable, id: number, step: string): Promise<void> => {
  const [row] = await run(on, sql.failing_step, [id, step]);
  if (row === undefined)
    throw new FactlineError('WORKFLOW_ACT_REFUSED', { id, reason: `no step ${step} of it is failing` });
};
