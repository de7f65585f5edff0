import { FactlineError } from '../foundation/index.ts';
import { isStorableText } from './payload-check.ts';

/** Longer keys are refused: index rows of PostgreSQL end at about 2,700 bytes, and a key stands in several indexes. */
export const keyBytesMax = 1024;

/** How a key is made from a payload; the field names scope it, so that order 17 and customer 17 are different keys. */
export interface KeyValue {
  /** `orderId=A1`, or for several fields `tenantId,orderId=["t1","A1"]` (canonical JSON). */
  readonly key: string;
  /** The value alone: `A1`, or `["t1","A1"]`. */
  readonly subject: string;
}

const refuse = (type: string, path: string, reason: string): never => {
  throw new FactlineError('KEY_INVALID', { type, path, reason });
};

const checkedPart = (type: string, field: string, value: unknown): string | number => {
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  if (typeof value !== 'string')
    return refuse(type, field, `it is ${value === null ? 'null' : typeof value}, not a string or number`);
  if (value === '') refuse(type, field, 'it is empty');
  if (!isStorableText(value)) refuse(type, field, 'it contains U+0000 or a lone surrogate');
  return value;
};

/**
 * The key of a payload.
 * @throws FactlineError KEY_INVALID with the field
 */
export const keyOf = (type: string, fields: readonly string[], payload: unknown): KeyValue => {
  if (typeof payload !== 'object' || payload === null)
    return refuse(type, '', 'the payload is not an object');
  const members = payload as Readonly<Record<string, unknown>>;
  const [first = ''] = fields;
  const subject =
    fields.length === 1
      ? String(checkedPart(type, first, members[first]))
      : JSON.stringify(fields.map((field) => checkedPart(type, field, members[field])));
  const key = `${fields.join(',')}=${subject}`;
  // A UTF-16 unit takes at most three bytes of UTF-8: only long keys need to be measured.
  if (key.length * 3 > keyBytesMax) {
    const bytes = Buffer.byteLength(key);
    if (bytes > keyBytesMax)
      refuse(type, fields.join(', '), `it has ${bytes} bytes, at most ${keyBytesMax} are allowed`);
  }
  return { key, subject };
};
