import type { ContractSet, FactEvent } from '../../contracts/index.ts';
import { FactlineError } from '../../foundation/index.ts';
import type { StoredEvent } from '../../log/index.ts';
import { globalKey } from '../definition.ts';
import type { SqlProjection } from './sql-definition.ts';

/** An event as a SQL projection gets it, and the keys under which it is parked when it fails. */
export interface SqlEvent {
  readonly stored: StoredEvent;
  readonly event: FactEvent | null;
  readonly keys: readonly string[];
  /** Why there is no event. */
  readonly error: unknown;
}

const keyBytesMax = 1024;

export const openForSql = (
  projection: SqlProjection,
  contracts: ContractSet,
  stored: StoredEvent,
): SqlEvent => {
  let keys: readonly string[] = [projection.ordering === 'global' ? globalKey : stored.key];
  try {
    const event = contracts.open(stored);
    if (projection.rows !== null && projection.ordering !== 'global')
      keys = checkedKeys(projection, projection.rows(event), keys);
    return { stored, event, keys, error: null };
  } catch (error) {
    return { stored, event: null, keys, error };
  }
};

const checkedKeys = (
  projection: SqlProjection,
  answer: unknown,
  none: readonly string[],
): readonly string[] => {
  const keys: readonly unknown[] = Array.isArray(answer) ? answer : [answer];
  if (keys.length === 0) return none;
  const fits = (key: unknown): key is string =>
    typeof key === 'string' &&
    key !== '' &&
    !key.includes('\0') &&
    key.isWellFormed() &&
    Buffer.byteLength(key) <= keyBytesMax;
  if (keys.every(fits)) return [...new Set(keys)];
  throw new FactlineError('PROJECTION_KEY_INVALID', {
    projection: projection.name,
    reason: `rows must name rows with texts of 1 to ${keyBytesMax} bytes`,
  });
};
