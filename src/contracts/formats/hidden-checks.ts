import type { EventContract } from '../contract.ts';

/** A rule of a schema that its JSON Schema does not show: every publish keeps it, no comparison sees it. */
export interface HiddenCheck {
  /** Dotted; empty for the payload as a whole. Items of lists are not named. */
  readonly path: string;
  readonly what: 'a check that is a function' | 'the flags of a pattern';
}

type Node = Readonly<Record<string, unknown>>;

const isNode = (value: unknown): value is Node =>
  (typeof value === 'object' || typeof value === 'function') && value !== null;

const below = (path: string, member: string): string => (path === '' ? member : `${path}.${member}`);

/** `u` and `g` change nothing about what matches a pattern as a whole. */
const matterOfFlags = (flags: unknown): boolean => typeof flags === 'string' && /[^dguy]/.test(flags);

/** By what zod documents for authors of libraries: `_zod.def` of a schema, and of each of its checks. */
class ZodSearch {
  readonly found: HiddenCheck[] = [];
  readonly #seen = new Set<unknown>();

  visit(schema: unknown, path: string): void {
    const definition = isNode(schema) && isNode(schema['_zod']) ? schema['_zod']['def'] : undefined;
    if (!isNode(definition) || this.#seen.has(schema)) return;
    this.#seen.add(schema);
    const { checks = [], shape, getter, ...parts } = definition;
    for (const check of [schema, ...(checks as readonly unknown[])]) this.#check(check, path);
    if (isNode(shape)) for (const [name, part] of Object.entries(shape)) this.visit(part, below(path, name));
    if (typeof getter === 'function') this.visit(getter(), path);
    for (const part of Object.values(parts).flat()) this.visit(part, path);
  }

  #check(check: unknown, path: string): void {
    const definition = isNode(check) && isNode(check['_zod']) ? check['_zod']['def'] : undefined;
    if (!isNode(definition)) return;
    if (definition['check'] === 'custom') this.found.push({ path, what: 'a check that is a function' });
    const { pattern } = definition;
    if (definition['format'] === 'regex' && pattern instanceof RegExp && matterOfFlags(pattern.flags))
      this.found.push({ path, what: 'the flags of a pattern' });
  }
}

/** By the JSON that arktype gives of a type. */
const searchArktype = (node: unknown, path: string): readonly HiddenCheck[] => {
  if (Array.isArray(node)) return node.flatMap((each) => searchArktype(each, path));
  if (!isNode(node)) return [];
  const { predicate, pattern, key, ...parts } = node;
  const here = typeof key === 'string' ? below(path, key) : path;
  const patterns: readonly unknown[] = Array.isArray(pattern) ? pattern : [];
  return [
    ...(predicate === undefined ? [] : [{ path: here, what: 'a check that is a function' } as const]),
    ...patterns
      .filter((each) => isNode(each) && matterOfFlags(each['flags']))
      .map(() => ({ path: here, what: 'the flags of a pattern' }) as const),
    ...Object.values(parts).flatMap((part) => searchArktype(part, here)),
  ];
};

/**
 * What comparing this contract cannot see. Known of zod and arktype; valibot refuses such schemas, and files have none.
 * @example hiddenChecks(OrderPlaced) // [{ path: 'lines.quantity', what: 'a check that is a function' }]
 */
export const hiddenChecks = ({ schema }: EventContract): readonly HiddenCheck[] => {
  const { vendor } = schema['~standard'];
  if (vendor === 'arktype') return searchArktype((schema as unknown as Node)['json'], '');
  const search = new ZodSearch();
  if (vendor === 'zod') search.visit(schema, '');
  return search.found;
};
