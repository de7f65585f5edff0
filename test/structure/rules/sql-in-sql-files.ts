import path from 'node:path/posix';
import { isShipped, roomOf } from '../rooms.ts';
import { eachFile, type Rule } from '../rule.ts';
import { literalText, memberName, nameOf, type SyntaxNode, walk } from '../syntax.ts';

/** The file that builds a projection's statements from its columns; identifiers are quoted there. */
const exceptions: ReadonlySet<string> = new Set(['src/consumers/projection/statements.ts']);

const statement = new RegExp(
  [
    'select\\b[\\s\\S]*\\b(from|as)\\b',
    'select\\s+[\\w.]+\\s*\\(',
    'insert\\s+into\\b',
    'update\\s+\\S+[\\s\\S]*\\bset\\b',
    'delete\\s+from\\b',
    'merge\\s+into\\b',
    'with\\s+\\w+\\s+as\\b',
    '(create|alter|drop)\\s+(or\\s+replace\\s+)?(unlogged\\s+|temp\\s+|unique\\s+)?(table|view|index|schema|function|type|sequence|role|database|trigger|publication)\\b',
    'truncate\\s+\\w+',
    'lock\\s+table\\b',
    'set\\s+(local|session)\\s',
    '(un)?listen\\s+[\\w"]+$',
    'notify\\s+[\\w"]+',
    'copy\\s+\\S+\\s+(from|to)\\b',
    '(grant|revoke)\\s+[\\s\\S]*\\bon\\b',
    '(vacuum|analyze)\\s+\\w',
  ]
    .map((pattern) => `(?:${pattern})`)
    .join('|'),
  'i',
);

const startsLikeSql = (text: string): boolean => {
  const start = text.replace(/^(\s|--[^\n]*\n|\/\*[\s\S]*?\*\/)+/, '');
  // A sentence begins with one capital letter, a statement is written in one case.
  return !/^[A-Z][a-z]/.test(start) && start.search(statement) === 0;
};

/** Opening and ending transactions is the trade of the room postgres; savepoints are free. */
const transactionControl =
  /^(BEGIN|COMMIT|ROLLBACK(?! TO)|ABORT|START TRANSACTION|PREPARE TRANSACTION)\b[ \w']*$/;

/** Sent as a statement: `client.query('BEGIN')`, `{ text: 'BEGIN' }`; elsewhere such a word is only a word. */
const isSent = (parent: SyntaxNode | undefined): boolean =>
  (parent?.type === 'CallExpression' && nameOf((parent['callee'] as SyntaxNode)['property']) === 'query') ||
  (parent?.type === 'Property' && nameOf(parent['key']) === 'text');

const problemOf = (
  text: string,
  parent: SyntaxNode | undefined,
  room: string | undefined,
): string | undefined => {
  if (startsLikeSql(text)) return 'SQL belongs into a .sql file, as a named query that loadQueries reads';
  if (room !== 'postgres' && isSent(parent) && transactionControl.test(text.trim())) {
    return 'transactions are opened and ended by the room postgres only';
  }
  return undefined;
};

export const sqlInSqlFiles: Rule = eachFile(
  'SQL stands in .sql files only',
  (file) => isShipped(file) && !exceptions.has(file),
  (file) => {
    const found: Array<{ line: number; message: string }> = [];
    walk(file.program, (node, ancestors) => {
      const text = literalText(node);
      const problem = text === undefined ? undefined : problemOf(text, ancestors.at(-1), roomOf(file.path));
      if (problem) found.push({ line: file.lineAt(node.start), message: problem });
    });
    return found;
  },
);

export const sqlStaysInItsRoom: Rule = eachFile('a room loads only its own files', isShipped, (file) => {
  const found: Array<{ line: number; message: string }> = [];
  walk(file.program, (node) => {
    if (node.type !== 'NewExpression') return;
    const [first, second] = node['arguments'] as unknown[];
    const text = literalText(first);
    if (text === undefined || !text.startsWith('.') || !isImportMetaUrl(second)) return;
    const target = path.join(path.dirname(file.path), text);
    if (!target.startsWith('src/') || roomOf(target) === roomOf(file.path)) return;
    found.push({
      line: file.lineAt(node.start),
      message: `${target} belongs to another room: use what that room exports`,
    });
  });
  return found;
});

const isImportMetaUrl = (node: unknown): boolean => {
  const member = node as { type?: string; object?: { type?: string } } | undefined;
  return (
    member?.type === 'MemberExpression' &&
    member.object?.type === 'MetaProperty' &&
    memberName(node) === undefined
  );
};
