import { callText, type JournalEntry } from './journal.ts';

/** The position of a recorded event; null: it is no event. */
export const positionOf = (value: unknown): number | null => {
  const position = (value as { readonly position?: unknown } | null | undefined)?.position;
  return typeof position === 'number' ? position : null;
};

const answersLater: ReadonlySet<string> = new Set(['step', 'transaction', 'sleep', 'wait']);

const damageOf = ({ undo, kind, state, value, error, completion }: JournalEntry): string | null => {
  if (undo || state === 'pending')
    return undo || completion === null ? null : 'has a place among the results and none';
  if (answersLater.has(kind) && completion === null) return 'has ended and has no place among the results';
  if (state === 'failed' && typeof error?.message !== 'string') return 'has failed without an error';
  if (kind === 'wait' && state === 'done' && value !== null && positionOf(value) === null)
    return 'has ended with something that is no event';
  return null;
};

/** What cannot have been written by the engine, in a sentence; null: nothing. Whether it fits the code is another question. */
export const journalDamage = (journal: readonly JournalEntry[]): string | null => {
  for (const entry of journal) {
    const damage = damageOf(entry);
    if (damage !== null) return `call ${entry.ordinal} (${callText(entry)}) ${damage}`;
  }
  return null;
};
