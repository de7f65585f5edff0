import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const root: string = fileURLToPath(new URL('..', import.meta.url));

/** A fenced block of a document. */
export interface Block {
  /** From its first line, `// file: name.ts`. */
  readonly file: string | undefined;
  readonly language: string;
  readonly text: string;
  /** The line of the document on which the block's text begins, counted from 1. */
  readonly line: number;
}

export interface Document {
  /** Relative to the repository. */
  readonly file: string;
  readonly text: string;
  readonly blocks: readonly Block[];
}

export const parseDocument = (file: string, text: string): Document => {
  const blocks: Block[] = [];
  let open: { language: string; line: number; lines: string[] } | undefined;
  for (const [index, line] of text.split('\n').entries()) {
    const fence = /^```(\w*)\s*$/.exec(line);
    if (fence === null) open?.lines.push(line);
    else if (open === undefined) open = { language: fence[1] ?? '', line: index + 2, lines: [] };
    else {
      const name = /^\/\/ file: (\S+)$/.exec(open.lines[0] ?? '')?.[1];
      blocks.push({ file: name, language: open.language, text: open.lines.join('\n'), line: open.line });
      open = undefined;
    }
  }
  return { file, text, blocks };
};

export const readDocuments = (): Document[] => {
  const pages = readdirSync(path.join(root, 'docs')).filter((name) => name.endsWith('.md'));
  return ['README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md', ...pages.map((name) => `docs/${name}`)].map(
    (file) => parseDocument(file, readFileSync(path.join(root, file), 'utf8')),
  );
};

/** What `prisma generate` makes in a user's project: here the client of the adapters' tests. */
const generatedPrismaClient = 'generated/prisma/client.ts';

/**
 * Writes the TypeScript of the documents below `folder`, a folder each, so that blocks of one document import each other.
 * Each file begins with as many empty lines as stand above the block: the compiler's line numbers are the document's.
 */
export const writeBlocks = (folder: string, documents: readonly Document[]): void => {
  for (const { file, blocks } of documents) {
    const ownFolder = path.join(folder, file);
    for (const block of blocks) {
      if (block.language !== 'ts') continue;
      const target = path.join(ownFolder, block.file ?? `block-${block.line}.ts`);
      if (existsSync(target))
        throw new Error(`${file}:${block.line}: a second block is called ${block.file}`);
      mkdirSync(path.dirname(target), { recursive: true });
      writeFileSync(target, `${'\n'.repeat(block.line - 1)}${block.text}\n`);
    }
    if (!blocks.some(({ text }) => text.includes(generatedPrismaClient))) continue;
    const client = path.join(ownFolder, generatedPrismaClient);
    mkdirSync(path.dirname(client), { recursive: true });
    const original = path.join(root, 'tools/adapters/prisma/generated/client.ts');
    writeFileSync(client, `export * from '${path.relative(path.dirname(client), original)}'\n`);
  }
};

const folderPrefix = 'documents-';

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

/**
 * A folder below the repository, where `factline` and the other packages are found as in a user's project, but outside of
 * node_modules, where Node runs no TypeScript. What killed runs left behind is removed.
 */
export const openDocumentsFolder = (): { readonly path: string; remove(): void } => {
  const parent = path.join(root, '.factline');
  mkdirSync(parent, { recursive: true });
  for (const name of readdirSync(parent)) {
    const pid = name.startsWith(folderPrefix) ? Number(name.slice(folderPrefix.length).split('-')[0]) : null;
    if (pid !== null && !isAlive(pid)) rmSync(path.join(parent, name), { recursive: true, force: true });
  }
  const folder = path.join(parent, `${folderPrefix}${process.pid}-${Date.now()}`);
  mkdirSync(folder);
  return { path: folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
};
