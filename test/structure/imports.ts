import path from 'node:path/posix';
import { literalText, type SourceFile, walk } from './syntax.ts';

export interface Import {
  readonly specifier: string;
  /** The path from the root that a relative specifier names; undefined for packages. */
  readonly target: string | undefined;
  readonly line: number;
}

const withSource = new Set([
  'ImportDeclaration',
  'ExportNamedDeclaration',
  'ExportAllDeclaration',
  'ImportExpression',
  'TSImportType',
]);

/** Everything a file imports, in whatever form, types and re-exports included. */
export const importsOf = (file: SourceFile): Import[] => {
  const imports: Import[] = [];
  walk(file.program, (node) => {
    if (!withSource.has(node.type)) return;
    const specifier = literalText(node['source']);
    if (specifier === undefined) return;
    const relative = specifier.startsWith('.');
    imports.push({
      specifier,
      target: relative ? path.join(path.dirname(file.path), specifier) : undefined,
      line: file.lineAt(node.start),
    });
  });
  return imports;
};
