import { FactlineError } from './errors.ts';

export type Json = string | number | boolean | null | readonly Json[] | { readonly [name: string]: Json };

const sortedEntries = (_name: string, value: unknown): unknown => {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  // A null prototype keeps a member called __proto__ a member.
  const sorted: Record<string, unknown> = Object.create(null);
  for (const name of Object.keys(value).sort()) sorted[name] = (value as Record<string, unknown>)[name];
  return sorted;
};

/** JSON text with the members of each object sorted by name: equal values have equal texts, so digests may be compared. */
export const canonicalJson = (value: unknown): string =>
  typeof value === 'object' && value !== null ? JSON.stringify(value, sortedEntries) : JSON.stringify(value);

/**
 * A log position as a number. Drivers deliver `bigint` columns as text; a position beyond 2^53 − 1 would be rounded silently.
 * @throws FactlineError POSITION_INVALID
 */
export const toPosition = (value: string | bigint | number): number => {
  const position = typeof value === 'string' && !/^\d+$/.test(value) ? Number.NaN : Number(value);
  if (Number.isSafeInteger(position) && position >= 0) return position;
  throw new FactlineError('POSITION_INVALID', { actual: String(value) });
};
