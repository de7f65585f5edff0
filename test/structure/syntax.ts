import { parseSync } from 'oxc-parser';

/** A node of the ESTree that oxc-parser makes; only what the rules look at is named. */
export interface SyntaxNode {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [field: string]: unknown;
}

/** A file of the repository, its path from the root with forward slashes. Programs are parsed when a rule asks. */
export interface SourceFile {
  readonly path: string;
  readonly text: string;
  readonly program: SyntaxNode;
  lineAt(offset: number): number;
}

const isNode = (value: unknown): value is SyntaxNode =>
  typeof value === 'object' && value !== null && typeof (value as SyntaxNode).type === 'string';

export const createSourceFile = (path: string, text: string): SourceFile => {
  let program: SyntaxNode | undefined;
  return {
    path,
    text,
    get program() {
      program ??= parse(path, text);
      return program;
    },
    lineAt: (offset) => text.slice(0, offset).split('\n').length,
  };
};

const parse = (path: string, text: string): SyntaxNode => {
  const parsed = parseSync(path, text);
  const [error] = parsed.errors;
  if (error) throw new Error(`${path} cannot be parsed: ${error.message}`);
  return parsed.program as unknown as SyntaxNode;
};

/** Nodes above the visited one, the nearest last. */
export type Ancestors = readonly SyntaxNode[];

/** Calls `visit` for each node of the tree, parents first. */
export const walk = (root: SyntaxNode, visit: (node: SyntaxNode, ancestors: Ancestors) => void): void => {
  const ancestors: SyntaxNode[] = [];
  const enter = (node: SyntaxNode): void => {
    visit(node, ancestors);
    ancestors.push(node);
    for (const value of Object.values(node)) {
      if (Array.isArray(value)) value.filter(isNode).forEach(enter);
      else if (isNode(value)) enter(value);
    }
    ancestors.pop();
  };
  enter(root);
};

/** The text of a string literal or of a template, with `…` for what is put in; undefined for any other node. */
export const literalText = (node: unknown): string | undefined => {
  if (!isNode(node)) return undefined;
  if (node.type === 'Literal' && typeof node['value'] === 'string') return node['value'];
  if (node.type !== 'TemplateLiteral') return undefined;
  return (node['quasis'] as Array<{ value: { cooked: string } }>).map(({ value }) => value.cooked).join('…');
};

export const nameOf = (node: unknown): string | undefined =>
  isNode(node) && node.type === 'Identifier' ? (node['name'] as string) : undefined;

/** `Date.now` for a member that is reached by name, else undefined. */
export const memberName = (node: unknown): string | undefined => {
  if (!isNode(node) || node.type !== 'MemberExpression' || node['computed'] === true) return undefined;
  const object = nameOf(node['object']);
  const property = nameOf(node['property']);
  return object && property ? `${object}.${property}` : undefined;
};
