import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { createSourceFile, type SourceFile } from './syntax.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const folders = ['src', 'test', 'scripts', 'examples', 'tools', 'bench', 'lint'];
const skipped = new Set(['node_modules', 'dist', 'generated', 'data']);

const filesBelow = (folder: string): string[] =>
  readdirSync(path.join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const file = `${folder}/${entry.name}`;
    if (entry.isDirectory()) return skipped.has(entry.name) ? [] : filesBelow(file);
    return /\.(ts|mjs|sql|grit)$/.test(entry.name) ? [file] : [];
  });

/** Every hand-written file of the repository. */
export const readRepository = (): SourceFile[] =>
  folders
    .filter((folder) => readdirSync(root).includes(folder))
    .flatMap(filesBelow)
    .map((file) => createSourceFile(file, readFileSync(path.join(root, file), 'utf8')));
