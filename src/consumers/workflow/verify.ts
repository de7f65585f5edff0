import { systemClock, systemRandomness } from '../../foundation/index.ts';
import type { AnyWorkflow } from './definition.ts';
import { functionContext } from './function-context.ts';
import type { JournalEntry } from './journal.ts';
import { type Difference, FunctionRun, type Turn } from './replaying.ts';

/** The journal of one instance, as `factline workflow export` writes it and fixtures keep it. */
export interface WorkflowJournal {
  readonly workflow: string;
  readonly version: number;
  readonly id: number;
  readonly key: string;
  readonly input: unknown;
  /** Whether the function had ended: then it must end again. */
  readonly ended: boolean;
  readonly entries: readonly JournalEntry[];
}

export type JournalVerdict =
  | { readonly ok: true }
  | { readonly ok: false; readonly reason: string; readonly difference: Difference | null };

/** Runs the function over a journal, without any step: up to where the journal ends. */
export const runJournal = async (
  workflow: AnyWorkflow,
  journal: Pick<WorkflowJournal, 'id' | 'key' | 'input' | 'entries'>,
): Promise<{ readonly turn: Turn; readonly run: FunctionRun }> => {
  const aborted = new AbortController();
  const run = new FunctionRun({
    journal: journal.entries,
    start: (own) => {
      const facts = {
        workflow,
        id: journal.id,
        key: journal.key,
        signal: aborted.signal,
        now: () => systemClock.wall(),
        random: () => systemRandomness.float(),
        admit: () => {},
      };
      return Promise.resolve().then(() => workflow.run(journal.input, functionContext(own, facts)));
    },
  });
  const turn = await run.replay();
  run.close();
  aborted.abort();
  return { turn, run };
};

/**
 * Whether the function would do again what the journal says: every call in its place. No step runs, nothing is published.
 * @example
 * expect(await verifyJournal(fulfilOrder, JSON.parse(await readFile('journals/17.json', 'utf8')))).toEqual({ ok: true })
 */
export const verifyJournal = async (
  workflow: AnyWorkflow,
  journal: WorkflowJournal,
): Promise<JournalVerdict> => {
  if (journal.workflow !== workflow.name || journal.version !== workflow.version) {
    const reason = `it is a journal of ${journal.workflow}, version ${journal.version}; the code is ${workflow.name}, version ${workflow.version}`;
    return { ok: false, reason, difference: null };
  }
  const { turn } = await runJournal(workflow, journal);
  if (turn.difference !== null) {
    const { ordinal, recorded, called } = turn.difference;
    const reason = `call ${ordinal} was ${recorded[ordinal] ?? 'nothing'}, the code calls ${called[ordinal] ?? 'nothing'}`;
    return { ok: false, reason, difference: turn.difference };
  }
  if (journal.ended && turn.end === null)
    return { ok: false, reason: 'it had ended, and the code goes on', difference: null };
  return { ok: true };
};
