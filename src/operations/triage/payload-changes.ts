import { isDeepStrictEqual } from 'node:util';

/** One value that an edit changes. Without `before` it is new, without `after` it goes. */
export interface PayloadChange {
  /** A JSON Pointer: `/lines/0/sku`. */
  readonly path: string;
  /** As contracts name it: `lines.sku`. */
  readonly field: string;
  readonly before?: unknown;
  readonly after?: unknown;
}

type Place = Pick<PayloadChange, 'path' | 'field'>;

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const into = ({ path, field }: Place, name: string): Place => ({
  path: `${path}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`,
  field: field === '' ? name : `${field}.${name}`,
});

const membersOf = (
  before: Record<string, unknown>,
  after: Record<string, unknown>,
  at: Place,
): PayloadChange[] =>
  [...new Set([...Object.keys(before), ...Object.keys(after)])].flatMap((name) => {
    const place = into(at, name);
    if (!Object.hasOwn(after, name)) return [{ ...place, before: before[name] }];
    if (!Object.hasOwn(before, name)) return [{ ...place, after: after[name] }];
    return changesBetween(before[name], after[name], place);
  });

/** What differs, as deep as both sides have the same form; lists of different length differ as a whole. */
export const changesBetween = (
  before: unknown,
  after: unknown,
  at: Place = { path: '', field: '' },
): PayloadChange[] => {
  if (isDeepStrictEqual(before, after)) return [];
  if (isObject(before) && isObject(after)) return membersOf(before, after, at);
  if (Array.isArray(before) && Array.isArray(after) && before.length === after.length)
    return before.flatMap((item, index) =>
      changesBetween(item, after[index], { path: `${at.path}/${index}`, field: at.field }),
    );
  return [{ ...at, before, after }];
};
