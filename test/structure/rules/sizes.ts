import { isShipped, isTest } from '../rooms.ts';
import { eachFile, type Rule } from '../rule.ts';
import { type Ancestors, nameOf, type SourceFile, type SyntaxNode, walk } from '../syntax.ts';

const fileLinesMax = 500;
/** Tests read as lists and may be longer, within reason. */
const testLinesMax = 900;
const functionLinesMax = 70;
const parametersMax = 3;

const functionTypes = new Set(['FunctionDeclaration', 'FunctionExpression', 'ArrowFunctionExpression']);
const signatureTypes = new Set([
  ...functionTypes,
  'TSDeclareFunction',
  'TSMethodSignature',
  'TSFunctionType',
]);

const isHandWritten = (path: string): boolean =>
  path.endsWith('.ts') && /^(src|test|scripts|examples|tools|bench)\//.test(path);

const linesOf = (text: string): number => text.split('\n').length - (text.endsWith('\n') ? 1 : 0);

export const filesStayShort: Rule = eachFile(
  `a file has at most ${fileLinesMax} lines (aim at 300), a test file ${testLinesMax}`,
  isHandWritten,
  (file) => {
    const lines = linesOf(file.text);
    const limit = isTest(file.path) ? testLinesMax : fileLinesMax;
    return lines > limit
      ? [{ line: 0, message: `${lines} lines, at most ${limit}: split it at a concept` }]
      : [];
  },
);

const describeFunction = (node: SyntaxNode, ancestors: Ancestors): string => {
  const parent = ancestors.at(-1);
  return nameOf(node['id']) ?? nameOf(parent?.['key']) ?? nameOf(parent?.['id']) ?? 'a function';
};

const functionsOf = (file: SourceFile): Array<{ node: SyntaxNode; name: string; line: number }> => {
  const found: Array<{ node: SyntaxNode; name: string; line: number }> = [];
  walk(file.program, (node, ancestors) => {
    if (!signatureTypes.has(node.type)) return;
    found.push({ node, name: describeFunction(node, ancestors), line: file.lineAt(node.start) });
  });
  return found;
};

export const functionsStayShort: Rule = eachFile(
  `a function has at most ${functionLinesMax} lines (aim at 40)`,
  isShipped,
  (file) =>
    functionsOf(file).flatMap(({ node, name, line }) => {
      const lines = file.lineAt(node.end) - line + 1;
      if (!functionTypes.has(node.type) || lines <= functionLinesMax) return [];
      return [
        {
          line,
          message: `${name} has ${lines} lines, at most ${functionLinesMax}: split it at the decision`,
        },
      ];
    }),
);

const parametersOf = (node: SyntaxNode): number =>
  ((node['params'] ?? []) as SyntaxNode[]).filter((parameter) => nameOf(parameter) !== 'this').length;

export const fewParameters: Rule = eachFile(
  `a function takes at most ${parametersMax} positional parameters`,
  isShipped,
  (file) =>
    functionsOf(file).flatMap(({ node, name, line }) => {
      const count = parametersOf(node);
      if (count <= parametersMax) return [];
      return [
        {
          line,
          message: `${name} takes ${count} parameters, at most ${parametersMax}: take an options object`,
        },
      ];
    }),
);
