import { FactlineError, type Json } from '../../foundation/index.ts';
import type { CompareRequest } from './compare-request.ts';

type Line = Readonly<Record<string, Json>>;

/** Members as the lines have them, and the request's own names. Each is checked where it is used, but for its JSON type. */
const members = [
  ['format', 'format', 'text'],
  ['mode', 'mode', 'text'],
  ['policy', 'policy', 'text'],
  ['draft', 'draft', 'text'],
  ['logical_types', 'logicalTypes', 'boolean'],
  ['old', 'old', 'any'],
  ['new', 'new', 'any'],
  ['old_history', 'history', 'list'],
  ['old_files', 'oldFiles', 'object'],
  ['new_files', 'newFiles', 'object'],
] as const;

const isOf: Readonly<Record<(typeof members)[number][2], (value: Json) => boolean>> = {
  any: () => true,
  text: (value) => typeof value === 'string',
  boolean: (value) => typeof value === 'boolean',
  list: Array.isArray,
  object: (value) => isObject(value),
};

const isObject = (value: Json): value is Line =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The request of a line of `factline contracts compare --batch`. @throws FactlineError BATCH_LINE_INVALID */
export const readBatchLine = (line: Json): CompareRequest => {
  if (!isObject(line)) throw new FactlineError('BATCH_LINE_INVALID', { reason: 'it is not a JSON object.' });
  const request: Record<string, Json> = {};
  for (const [name, property, type] of members) {
    const value = Object.hasOwn(line, name) ? line[name] : undefined;
    // Whoever writes null for what does not apply means nothing by it; only as a schema is null a value, and a wrong one.
    if (value === undefined || (value === null && type !== 'any')) continue;
    if (!isOf[type](value)) {
      const reason = `${name} must be ${type === 'text' ? 'text' : `a JSON ${type}`}.`;
      throw new FactlineError('BATCH_LINE_INVALID', { reason });
    }
    request[property] = value;
  }
  // The newest of a history is what plain modes compare with.
  const history = request['history'];
  if (request['old'] === undefined && request['oldFiles'] === undefined && Array.isArray(history)) {
    const newest = history.at(-1);
    if (newest !== undefined) Object.assign(request, { old: newest, history: history.slice(0, -1) });
  }
  return request as unknown as CompareRequest;
};

export const idOf = (line: Json): Json =>
  isObject(line) && Object.hasOwn(line, 'id') ? (line['id'] ?? null) : null;
