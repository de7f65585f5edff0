import type { errorCatalogue } from '../../foundation/index.ts';
import type { Call, StepRequest } from './calls.ts';
import { pendingEntry } from './execution-rules.ts';
import type { JournalEntry } from './journal.ts';

/** A step that is to be taken back. */
export interface UndoableStep {
  readonly entry: JournalEntry;
  readonly request: StepRequest;
  /** It began, and nobody knows whether it happened. */
  readonly inDoubt: boolean;
}

/** How a step fails that is not waited for any more. */
const cutOff: ReadonlySet<string | null> = new Set([
  'WORKFLOW_STEP_TIMEOUT',
  'WORKFLOW_CALL_INSIDE_STEP',
] satisfies (keyof typeof errorCatalogue)[]);

/**
 * Whether it may have happened without a result: it was cut off. What failed for good with an error of its own says that it did
 * not; a transaction is known by its record.
 */
const isInDoubt = (
  kind: StepRequest['kind'],
  entry: JournalEntry | undefined,
  unsettled: boolean,
): boolean => {
  if (kind === 'transaction') return false;
  if (entry === undefined) return unsettled;
  return entry.state === 'pending' || (entry.state === 'failed' && cutOff.has(entry.error?.code ?? null));
};

/**
 * The steps whose undos are to run, in that order: the last one first. `unsettled`: what was called and is not on record may have
 * begun.
 */
export const undoableSteps = (
  called: Iterable<Call & { readonly request: StepRequest }>,
  entries: ReadonlyMap<number, JournalEntry>,
  unsettled: boolean,
): readonly UndoableStep[] =>
  [...called]
    .flatMap((call): readonly UndoableStep[] => {
      const { ordinal, request } = call;
      if (request.undo === null) return [];
      const entry = entries.get(ordinal);
      if (entry?.state === 'done') return [{ entry, request, inDoubt: false }];
      if (!isInDoubt(request.kind, entry, unsettled)) return [];
      return [{ entry: entry ?? pendingEntry(call, 0), request, inDoubt: true }];
    })
    .sort((left, right) => orderOf(right) - orderOf(left) || right.entry.ordinal - left.entry.ordinal);

/** What has no place among the results came last. */
const orderOf = ({ entry }: UndoableStep): number => entry.completion ?? Number.MAX_SAFE_INTEGER;
