import {
  type AnyWorkflow,
  type JournalDifference,
  verifyJournal,
  type WorkflowJournal,
} from '../../consumers/index.ts';
import { type AmbientUse, FactlineError, watchAmbientUse } from '../../foundation/index.ts';

/** What became of one journal under the code at hand. */
export interface VerifiedJournal {
  readonly workflow: string;
  readonly version: number;
  readonly id: number;
  readonly ok: boolean;
  /** In a sentence; null: it fits. */
  readonly reason: string | null;
  readonly difference: JournalDifference | null;
  /** What the function took of the process's own clock, chance, timers and network: it would be another the next time. */
  readonly ambientUses: readonly AmbientUse[];
}

/** Runs the function of the journal's version over it, without any step. `declared`: all versions at hand. */
export const verifyAgainst = async (
  declared: readonly AnyWorkflow[],
  journal: WorkflowJournal,
): Promise<VerifiedJournal> => {
  const { workflow: name, version, id } = journal;
  const facts = { workflow: name, version, id };
  const versions = declared.filter((each) => each.name === name);
  const workflow = versions.find((each) => each.version === version);
  if (workflow === undefined) {
    const known = versions.map((each) => each.version).join(', ');
    const reason =
      versions.length === 0
        ? 'no code declares this workflow'
        : `no code declares this version, only ${known}`;
    return { ...facts, ok: false, reason, difference: null, ambientUses: [] };
  }
  const uses = new Map<string, AmbientUse>();
  const watch = watchAmbientUse((use) => uses.set(`${use.what} ${use.where}`, use));
  try {
    const watched: AnyWorkflow = {
      ...workflow,
      run: (input, context) => watch.run(() => workflow.run(input, context)),
    };
    const verdict = await verifyJournal(watched, journal);
    const ambientUses = [...uses.values()];
    if (!verdict.ok)
      return { ...facts, ok: false, reason: verdict.reason, difference: verdict.difference, ambientUses };
    const [use] = ambientUses;
    const reason =
      use === undefined
        ? null
        : `it uses ${use.what} outside of a step (${use.where}); the context has now(), random(), uuid() and step()`;
    return { ...facts, ok: use === undefined, reason, difference: null, ambientUses };
  } finally {
    watch.close();
  }
};

const isJournal = (value: unknown): value is WorkflowJournal => {
  if (typeof value !== 'object' || value === null) return false;
  const { workflow, version, id, key, ended, entries } = value as Partial<Record<string, unknown>>;
  return (
    typeof workflow === 'string' &&
    typeof version === 'number' &&
    typeof id === 'number' &&
    typeof key === 'string' &&
    typeof ended === 'boolean' &&
    Array.isArray(entries) &&
    entries.every(
      (entry: Readonly<Record<string, unknown>>) =>
        Number.isInteger(entry['ordinal']) &&
        typeof entry['kind'] === 'string' &&
        typeof entry['name'] === 'string' &&
        typeof entry['state'] === 'string',
    )
  );
};

/** The text of a fixture, as `workflow export` writes it. @throws FactlineError OPTION_INVALID */
export const parseJournal = (file: string, text: string): WorkflowJournal => {
  const invalid = (actual: string, cause?: unknown): FactlineError =>
    new FactlineError(
      'OPTION_INVALID',
      { option: file, expected: 'a journal, as `workflow export` writes it', actual },
      { cause },
    );
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw invalid('no JSON', error);
  }
  if (!isJournal(value)) throw invalid('other JSON');
  return value;
};
