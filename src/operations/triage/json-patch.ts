import { isDeepStrictEqual } from 'node:util';
import { FactlineError } from '../../foundation/index.ts';

/** One operation of a JSON Patch (RFC 6902). */
export type PatchOperation =
  | { readonly op: 'add' | 'replace' | 'test'; readonly path: string; readonly value: unknown }
  | { readonly op: 'remove'; readonly path: string }
  | { readonly op: 'move' | 'copy'; readonly path: string; readonly from: string };

const operations: ReadonlySet<unknown> = new Set(['add', 'replace', 'test', 'remove', 'move', 'copy']);
const operationsMax = 100;
/** Names under which objects of JavaScript keep more than data. */
const forbidden: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype']);

const refuse = (path: string, reason: string): never => {
  throw new FactlineError('PATCH_INVALID', { path: path === '' ? '(the whole payload)' : path, reason });
};

/** The parts of a JSON Pointer (RFC 6901). @throws FactlineError PATCH_INVALID */
export const pointerParts = (pointer: string): readonly string[] => {
  if (pointer === '') return [];
  if (!pointer.startsWith('/')) return refuse(pointer, 'a path begins with "/"');
  if (/~(?![01])/.test(pointer)) return refuse(pointer, '"~" is written "~0", "/" within a name "~1"');
  const parts = pointer
    .slice(1)
    .split('/')
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
  if (parts.some((part) => forbidden.has(part))) return refuse(pointer, 'this name is never followed');
  return parts;
};

/** What was given as a patch, checked for its form. @throws FactlineError PATCH_INVALID */
export const readPatch = (given: unknown): readonly PatchOperation[] => {
  if (!Array.isArray(given) || given.length === 0 || given.length > operationsMax)
    return refuse('', `a patch is a list of 1 to ${operationsMax} operations`);
  for (const each of given as readonly Readonly<Record<string, unknown>>[]) {
    if (
      typeof each !== 'object' ||
      each === null ||
      !operations.has(each['op']) ||
      typeof each['path'] !== 'string'
    )
      return refuse('', 'an operation is { op: add, remove, replace, move, copy or test, path, … }');
    pointerParts(each['path']);
    const moves = each['op'] === 'move' || each['op'] === 'copy';
    if (moves && typeof each['from'] !== 'string') return refuse(each['path'], `${each['op']} needs "from"`);
    if (moves) pointerParts(each['from'] as string);
    if (!moves && each['op'] !== 'remove' && !('value' in each))
      return refuse(each['path'], `${String(each['op'])} needs "value"`);
  }
  return given as readonly PatchOperation[];
};

type Container = unknown[] | Record<string, unknown>;

const isContainer = (value: unknown): value is Container => typeof value === 'object' && value !== null;

/** The name under which a container has the part: an index of a list, or a member of an object. */
const memberOf = (container: Container, part: string, path: string): string | number => {
  if (!Array.isArray(container)) {
    if (!Object.hasOwn(container, part)) return refuse(path, 'there is nothing');
    return part;
  }
  const index = /^(?:0|[1-9]\d*)$/.test(part) ? Number(part) : -1;
  return index >= 0 && index < container.length ? index : refuse(path, `the list has no item ${part}`);
};

const read = (document: unknown, path: string): unknown => {
  let value = document;
  for (const part of pointerParts(path)) {
    if (!isContainer(value)) return refuse(path, 'there is nothing');
    value = (value as Record<string | number, unknown>)[memberOf(value, part, path)];
  }
  return value;
};

const parentOf = (document: unknown, path: string): { readonly parent: Container; readonly part: string } => {
  const cut = path.lastIndexOf('/');
  const parent = read(document, path.slice(0, cut));
  const part = pointerParts(path).at(-1) ?? '';
  return isContainer(parent) ? { parent, part } : refuse(path, 'there is nothing to put it into');
};

const add = (document: unknown, path: string, value: unknown): unknown => {
  if (path === '') return value;
  const { parent, part } = parentOf(document, path);
  if (!Array.isArray(parent)) parent[part] = value;
  else if (part === '-' || part === String(parent.length)) parent.push(value);
  else parent.splice(memberOf(parent, part, path) as number, 0, value);
  return document;
};

const remove = (document: unknown, path: string): unknown => {
  if (path === '') return refuse(path, 'the whole payload cannot be removed');
  const { parent, part } = parentOf(document, path);
  const member = memberOf(parent, part, path);
  if (Array.isArray(parent)) parent.splice(member as number, 1);
  else delete parent[member];
  return document;
};

const replace = (document: unknown, path: string, value: unknown): unknown => {
  if (path === '') return value;
  const { parent, part } = parentOf(document, path);
  (parent as Record<string | number, unknown>)[memberOf(parent, part, path)] = value;
  return document;
};

const applyOne = (document: unknown, operation: PatchOperation): unknown => {
  const { path } = operation;
  switch (operation.op) {
    case 'add':
      return add(document, path, structuredClone(operation.value));
    case 'replace':
      return replace(document, path, structuredClone(operation.value));
    case 'remove':
      return remove(document, path);
    case 'test':
      return isDeepStrictEqual(read(document, path), operation.value)
        ? document
        : refuse(path, 'the test fails');
    case 'copy':
      return add(document, path, structuredClone(read(document, operation.from)));
    case 'move': {
      if (path.startsWith(`${operation.from}/`)) return refuse(path, 'a value cannot be moved into itself');
      const value = read(document, operation.from);
      return add(remove(document, operation.from), path, value);
    }
  }
};

/**
 * The document with all operations applied in order, or none of them; what was given stays as it is.
 * @throws FactlineError PATCH_INVALID
 */
export const applyPatch = (document: unknown, patch: readonly PatchOperation[]): unknown =>
  patch.reduce(applyOne, structuredClone(document));
