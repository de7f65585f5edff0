import { isInteger } from './describe.ts';
import type { Formula } from './formula.ts';

/** The keyword that rules are named after, and whether it bounds from below. */
const limitNames: Readonly<Partial<Record<Formula['kind'], readonly [keyword: string, isLower: boolean]>>> = {
  'at-least': ['minimum', true],
  'at-most': ['maximum', false],
  'min-length': ['min-length', true],
  'max-length': ['max-length', false],
  'min-items': ['min-items', true],
  'max-items': ['max-items', false],
  'min-properties': ['min-properties', true],
  'max-properties': ['max-properties', false],
};

interface Circumstances {
  /** Whether the writer says something of the same kind. */
  readonly isThere: boolean;
  /** Whether the reader is the new schema. */
  readonly tightening: boolean;
}

/** What it is called that a reader's literal refuses values of the writer. */
export const literalRule = (part: Formula, { isThere, tightening }: Circumstances): string => {
  const either = (tightened: string, loosened: string): string => (tightening ? tightened : loosened);
  const limit = limitNames[part.kind];
  if (limit !== undefined) {
    const [keyword, isLower] = limit;
    return isThere
      ? either(`${keyword}-${isLower ? 'raised' : 'lowered'}`, `${keyword}-${isLower ? 'lowered' : 'raised'}`)
      : either(`${keyword}-added`, `${keyword}-removed`);
  }
  if (isInteger(part)) return either('type-narrowed', 'type-widened');
  switch (part.kind) {
    case 'multiple-of':
      return isThere ? 'multiple-of-changed' : either('multiple-of-added', 'multiple-of-removed');
    case 'matches':
      return isThere ? 'pattern-changed' : either('pattern-added', 'pattern-removed');
    case 'format':
      return isThere ? 'format-changed' : either('format-added', 'format-removed');
    case 'contains':
      return isThere ? 'contains-changed' : either('contains-added', 'contains-removed');
    case 'unique':
      return either('unique-items-added', 'unique-items-removed');
    case 'not':
      return either('not-widened', 'not-narrowed');
    case 'opaque':
      return 'not-proved';
    default:
      return either('values-narrowed', 'values-widened');
  }
};
