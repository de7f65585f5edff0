import { FactlineError } from '../../foundation/index.ts';
import { compareText } from './lock-text.ts';

const shownMax = 5;

/** Names those that may have been meant: of the same domain first. */
export const unknownContract = (type: string, known: Iterable<string>): FactlineError<'CONTRACT_UNKNOWN'> => {
  const parts = type.split('.');
  const shared = (other: string): number => other.split('.').filter((part) => parts.includes(part)).length;
  const all = [...known].sort((a, b) => shared(b) - shared(a) || compareText(a, b));
  return new FactlineError('CONTRACT_UNKNOWN', { type, known: all.slice(0, shownMax) });
};
