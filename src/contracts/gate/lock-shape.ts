import type { Issue } from '../../foundation/index.ts';
import { describeValue } from '../payload-check.ts';
import { isDay } from './day.ts';

/** Collects everything that is wrong with a value that came from outside, instead of the first thing. */
export interface Reader {
  readonly issues: Issue[];
  text(value: unknown, path: string): string;
  /** Like 2026-12-31. */
  day(value: unknown, path: string): string;
  choice<T extends string>(value: unknown, allowed: readonly T[], path: string): T;
  flag(value: unknown, path: string): boolean;
  list<T>(value: unknown, path: string, item: (value: unknown, path: string) => T): readonly T[];
  /** Members in the order of their names. */
  members<T>(value: unknown, path: string, member: (value: unknown, path: string) => T): Map<string, T>;
  /** An object with exactly these members; the names that end with '?' may be missing. */
  object(value: unknown, path: string, names: readonly string[]): Readonly<Record<string, unknown>>;
  fail(value: unknown, path: string, expected: string): void;
}

export const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const nothing: Readonly<Record<string, unknown>> = Object.freeze(Object.create(null));

export const createReader = (): Reader => {
  const issues: Issue[] = [];
  const fail = (value: unknown, path: string, expected: string): void => {
    issues.push({ path, expected, actual: describeValue(value), message: `is not ${expected}` });
  };
  const text = (value: unknown, path: string): string => {
    if (typeof value === 'string' && value !== '') return value;
    fail(value, path, 'a text');
    return '';
  };
  const object: Reader['object'] = (value, path, names) => {
    if (!isObject(value)) {
      fail(value, path, 'an object');
      return nothing;
    }
    const known = new Set(names.map((name) => name.replace('?', '')));
    for (const name of Object.keys(value))
      if (!known.has(name)) fail(name, path, `one of ${[...known].join(', ')}`);
    for (const name of names)
      if (!name.endsWith('?') && !Object.hasOwn(value, name)) fail(undefined, `${path}.${name}`, 'there');
    // Own members only: a name such as constructor must not be found on the prototype.
    return Object.assign(Object.create(null), value);
  };
  return {
    issues,
    text,
    fail,
    object,
    day: (value, path) => {
      if (typeof value === 'string' && isDay(value)) return value;
      fail(value, path, 'a day like 2026-12-31');
      return '';
    },
    choice: <T extends string>(value: unknown, allowed: readonly T[], path: string): T => {
      if (allowed.includes(value as T)) return value as T;
      fail(value, path, allowed.join(' or '));
      return allowed[0] as T;
    },
    flag: (value, path) => {
      if (typeof value === 'boolean') return value;
      fail(value, path, 'true or false');
      return false;
    },
    list: (value, path, item) => {
      if (Array.isArray(value)) return value.map((each, index) => item(each, `${path}[${index}]`));
      fail(value, path, 'a list');
      return [];
    },
    members: (value, path, member) => {
      if (isObject(value))
        return new Map(
          Object.keys(value)
            .sort()
            .map((name) => [name, member(value[name], `${path}.${name}`)]),
        );
      fail(value, path, 'an object');
      return new Map();
    },
  };
};
