import { isShipped } from '../rooms.ts';
import { eachFile, type Rule } from '../rule.ts';
import { literalText, nameOf, walk } from '../syntax.ts';

const bare = new Set([
  'Error',
  'TypeError',
  'RangeError',
  'SyntaxError',
  'ReferenceError',
  'EvalError',
  'AggregateError',
]);

export const errorsFromCatalogue: Rule = eachFile(
  'errors come from the catalogue, never bare',
  isShipped,
  (file) => {
    const found: Array<{ line: number; message: string }> = [];
    walk(file.program, (node) => {
      const name =
        node.type === 'NewExpression' || node.type === 'CallExpression' ? nameOf(node['callee']) : undefined;
      const isBare = name !== undefined && bare.has(name);
      const isText = node.type === 'ThrowStatement' && literalText(node['argument']) !== undefined;
      if (!isBare && !isText) return;
      found.push({
        line: file.lineAt(node.start),
        message: `${isBare ? `bare ${name}` : 'a thrown text'}: throw new FactlineError(code, details), with the code in src/foundation/error-catalogue/`,
      });
    });
    return found;
  },
);

export const noDefaultExports: Rule = eachFile('nothing is exported as default', isShipped, (file) => {
  const found: Array<{ line: number; message: string }> = [];
  walk(file.program, (node) => {
    const isDefault =
      node.type === 'ExportDefaultDeclaration' ||
      (node.type === 'ExportSpecifier' &&
        (nameOf(node['exported']) ?? literalText(node['exported'])) === 'default');
    if (isDefault) found.push({ line: file.lineAt(node.start), message: 'export it by name' });
  });
  return found;
});
