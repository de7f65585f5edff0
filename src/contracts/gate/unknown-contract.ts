import { FactlineError } from '../../foundation/index.ts';
import { compareText } from './lock-text.ts';

const shownMax = 5;

/** Names those that may have been meant: what begins alike comes first. */
export const unknownContract = (type: string, known: Iterable<string>): FactlineError<'CONTRACT_UNKNOWN'> => {
  const alike = (other: string): number => {
    const end = [...other].findIndex((letter, index) => letter !== type[index]);
    return end === -1 ? other.length : end;
  };
  const all = [...known].sort((a, b) => alike(b) - alike(a) || compareText(a, b));
  return new FactlineError('CONTRACT_UNKNOWN', { type, known: all.slice(0, shownMax) });
};
