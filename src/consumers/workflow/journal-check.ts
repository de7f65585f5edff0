import type { LoadedInstance, StuckReason } from './instance.ts';
import { type CallKind, callText, type EntryState, type JournalEntry } from './journal.ts';

/** The position of a recorded event; null: it is no event. */
export const positionOf = (value: unknown): number | null => {
  const position = (value as { readonly position?: unknown } | null | undefined)?.position;
  return typeof position === 'number' ? position : null;
};

const answersLater: ReadonlySet<string> = new Set(['step', 'transaction', 'sleep', 'wait']);

const kinds: ReadonlySet<string> = new Set([
  'step',
  'transaction',
  'sleep',
  'wait',
  'publish',
  'send',
  'now',
  'random',
  'uuid',
] satisfies CallKind[]);
const states: ReadonlySet<string> = new Set(['pending', 'done', 'failed', 'skipped'] satisfies EntryState[]);

const damageOf = ({ undo, kind, state, value, error, completion, attempts }: JournalEntry): string | null => {
  if (!kinds.has(kind) || !states.has(state) || attempts < 0) return 'is nothing that an instance does';
  if (undo || state === 'pending')
    return undo || completion === null ? null : 'has a place among the results and none';
  if (answersLater.has(kind) && completion === null) return 'has ended and has no place among the results';
  if (state === 'failed' && typeof error?.message !== 'string') return 'has failed without an error';
  if (kind === 'wait' && state === 'done' && value !== null && positionOf(value) === null)
    return 'has ended with something that is no event';
  return null;
};

/** What cannot have been written by the engine; null: nothing. Whether it fits the code is another question. */
export const journalDamage = (journal: readonly JournalEntry[]): StuckReason | null => {
  for (const entry of journal) {
    const damage = damageOf(entry);
    if (damage !== null) return damaged(`call ${entry.ordinal} (${callText(entry)}) ${damage}`);
  }
  return null;
};

/** Calls that were on record are gone from the end, where the code does not miss them: it would make them again. */
export const journalLoss = ({ journal, calls }: LoadedInstance): StuckReason | null => {
  const lost = calls - journal.filter(({ undo }) => !undo).length;
  return lost > 0 ? damaged(`its last ${lost === 1 ? 'call is' : `${lost} calls are`} gone`) : null;
};

const damaged = (message: string): StuckReason => ({ reason: 'damaged journal', message });
