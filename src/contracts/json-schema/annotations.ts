import { canonicalJson } from '../../foundation/index.ts';
import type { Change } from '../compare/comparison.ts';
import { below, isObject, type Location, own, type Resources, type SchemaObject } from './resources.ts';
import { rules, wording } from './rules.ts';
import type { SharedParts } from './shared-parts.ts';

interface Annotated {
  readonly old: Resources;
  readonly new: Resources;
  readonly shared: SharedParts | undefined;
  readonly assertFormats: boolean;
  readonly backward: boolean;
}

interface Pair {
  readonly old: Location;
  readonly new: Location;
  readonly path: string;
}

const pairsMax = 20_000;

const textOf = (value: unknown): string | undefined =>
  value === undefined ? undefined : canonicalJson(value).slice(0, 100);

/**
 * What changed beside the sets of values: formats that nobody asserts, what texts contain, defaults. Pairs the two schemas up by
 * where their values stand.
 */
export const annotationChanges = (sides: Annotated): Change[] => {
  const changes: Change[] = [];
  const seen = new Map<unknown, Set<unknown>>();
  const next: Pair[] = [{ old: sides.old.root, new: sides.new.root, path: '' }];
  for (let steps = 0; steps < pairsMax; steps += 1) {
    const pair = next.pop();
    if (pair === undefined) break;
    const before = followed(pair.old, sides.old);
    const after = followed(pair.new, sides.new);
    if (!isObject(before.schema) || !isObject(after.schema)) continue;
    if (before.schema === after.schema && sides.shared?.has(after.schema) === true) continue;
    const partners = seen.get(before.schema) ?? new Set();
    if (partners.has(after.schema)) continue;
    seen.set(before.schema, partners.add(after.schema));
    const { path } = pair;
    changes.push(...changesAt(before.schema, after.schema, { ...sides, path }));
    for (const inner of insideBoth(before.schema, after.schema))
      next.push({
        old: { ...before, schema: inner.old },
        new: { ...after, schema: inner.new },
        path: inner.step === undefined ? path : below(path, inner.step),
      });
  }
  return changes;
};

const followed = (location: Location, resources: Resources): Location => {
  let here = resources.at(location);
  for (let hops = 0; hops < 20; hops += 1) {
    const reference = isObject(here.schema) ? own(here.schema, '$ref') : undefined;
    const target =
      typeof reference === 'string' ? resources.resolve(reference, here, here.pointer) : undefined;
    if (target === undefined) return here;
    here = target;
  }
  return here;
};

interface Inside {
  readonly old: unknown;
  readonly new: unknown;
  readonly step: string | undefined;
}

function* insideBoth(old: SchemaObject, after: SchemaObject): Generator<Inside> {
  const [before, now] = [own(old, 'properties'), own(after, 'properties')];
  if (isObject(before) && isObject(now))
    for (const [name, schema] of Object.entries(before))
      if (Object.hasOwn(now, name)) yield { old: schema, new: now[name], step: name };
  for (const keyword of ['items', 'additionalProperties']) {
    const [one, other] = [own(old, keyword), own(after, keyword)];
    if (isObject(one) && isObject(other)) yield { old: one, new: other, step: '*' };
  }
  for (const keyword of ['prefixItems', 'items', 'allOf', 'anyOf', 'oneOf']) {
    const [one, other] = [own(old, keyword), own(after, keyword)];
    if (!Array.isArray(one) || !Array.isArray(other) || one.length !== other.length) continue;
    const isTuple = keyword === 'prefixItems' || keyword === 'items';
    for (const [index, schema] of one.entries())
      yield {
        old: schema,
        new: other[index],
        step: isTuple ? String(index) : undefined,
      };
  }
}

function* changesAt(
  old: SchemaObject,
  after: SchemaObject,
  { path, assertFormats, backward }: Annotated & { readonly path: string },
): Generator<Change> {
  for (const keyword of ['format', 'contentEncoding', 'contentMediaType', 'default']) {
    if (keyword === 'format' && assertFormats) continue;
    const [before, now] = [textOf(own(old, keyword)), textOf(own(after, keyword))];
    if (before === now) continue;
    const rule = ruleOf(keyword, before, now);
    // Of the two, the reading schema may be checked by somebody who asserts it.
    const isTighter = (backward ? now : before) !== undefined && keyword !== 'default';
    yield {
      rule,
      path,
      severity: isTighter ? 'warning' : 'info',
      message: wording(rules[rule]?.message ?? rule, { old: before ?? 'nothing', new: now ?? 'nothing' }),
      ...(before === undefined ? {} : { old: before }),
      ...(now === undefined ? {} : { new: now }),
    };
  }
}

const ruleOf = (keyword: string, before: string | undefined, now: string | undefined): string => {
  if (keyword === 'default') return 'default-changed';
  if (keyword !== 'format') return 'content-changed';
  if (before === undefined) return 'format-added';
  return now === undefined ? 'format-removed' : 'format-changed';
};
