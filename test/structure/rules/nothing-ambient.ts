import { importsOf } from '../imports.ts';
import { isShipped, roomOf } from '../rooms.ts';
import { eachFile, type Rule } from '../rule.ts';
import { type Ancestors, memberName, nameOf, type SyntaxNode, walk } from '../syntax.ts';

/** Replaces the globals while a user's fold runs, to show that it does not look at them. */
const exceptions: ReadonlySet<string> = new Set(['src/testing/other-surroundings.ts']);

const members = new Set([
  'Date.now',
  'Math.random',
  'performance.now',
  'process.hrtime',
  'crypto.randomUUID',
]);
const globals = new Set(['setTimeout', 'setInterval', 'setImmediate', 'fetch', 'randomUUID']);
const modules = new Set([
  'node:timers',
  'node:timers/promises',
  'node:perf_hooks',
  'timers',
  'timers/promises',
]);

/** Declaring, reading or naming a property of that name is something else than using the global one. */
const isGlobalUse = (node: SyntaxNode, ancestors: Ancestors): boolean => {
  const parent = ancestors.at(-1);
  if (!parent) return false;
  if (parent.type === 'MemberExpression') return parent['object'] === node;
  if (parent.type === 'Property') return parent['value'] === node && parent['shorthand'] !== true;
  return (
    parent.type === 'CallExpression' ||
    parent.type === 'VariableDeclarator' ||
    parent.type === 'NewExpression'
  );
};

const ambientUse = (node: SyntaxNode, ancestors: Ancestors): string | undefined => {
  const member = memberName(node);
  if (member && members.has(member)) return member;
  if (
    node.type === 'NewExpression' &&
    nameOf(node['callee']) === 'Date' &&
    (node['arguments'] as unknown[]).length === 0
  ) {
    return 'new Date()';
  }
  const name = nameOf(node);
  return name && globals.has(name) && isGlobalUse(node, ancestors) ? name : undefined;
};

export const nothingAmbient: Rule = eachFile(
  'time, chance, timers and the network come from foundation/ only',
  (path) => isShipped(path) && roomOf(path) !== 'foundation' && !exceptions.has(path),
  (file) => {
    const cure = 'take a Clock or Randomness of src/foundation as a parameter';
    const found = importsOf(file)
      .filter(({ specifier }) => modules.has(specifier))
      .map(({ specifier, line }) => ({ line, message: `${specifier}: ${cure}` }));
    walk(file.program, (node, ancestors) => {
      const use = ambientUse(node, ancestors);
      if (use) found.push({ line: file.lineAt(node.start), message: `${use}: ${cure}` });
    });
    return found;
  },
);
