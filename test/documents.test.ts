import { execFile } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import {
  engineSteps,
  operationalSteps,
  projectionSteps,
  redeliverySteps,
  workflowSteps,
} from '../src/consumers/index.ts';
import { replayRunSteps } from '../src/replay/index.ts';
import {
  type Document,
  openDocumentsFolder,
  parseDocument,
  readDocuments,
  root,
  writeBlocks,
} from './documents.ts';
import { rooms } from './structure/rooms.ts';

const documents = readDocuments();
const folders: ReturnType<typeof openDocumentsFolder>[] = [];
afterAll(() => {
  for (const folder of folders) folder.remove();
});

const compiler = path.join(root, 'node_modules/typescript/bin/tsc');

/** The compiler's complaints, each with the document and its line: `README.md/day-one.ts(33,7): error …`. */
const compile = (pages: readonly Document[]): Promise<string[]> => {
  const folder = openDocumentsFolder();
  folders.push(folder);
  writeBlocks(folder.path, pages);
  const configuration = {
    extends: path.join(root, 'tsconfig.json'),
    compilerOptions: { incremental: false, tsBuildInfoFile: null, types: ['node'] },
    include: ['.'],
    exclude: [],
  };
  writeFileSync(path.join(folder.path, 'tsconfig.json'), JSON.stringify(configuration));
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [compiler, '-p', folder.path, '--pretty', 'false'],
      { cwd: folder.path },
      (error, stdout) => {
        const lines = stdout.split('\n').filter((line) => line !== '');
        resolve(error !== null && lines.length === 0 ? [error.message] : lines);
      },
    );
  });
};

/** As GitHub makes them. */
const anchorsOf = (text: string): Set<string> =>
  new Set(
    [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
      heading
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
        .trim()
        .replaceAll(' ', '-'),
    ),
  );

const withoutCode = (text: string): string =>
  text.replaceAll(/^```[\s\S]*?^```$/gm, '').replaceAll(/`[^`\n]*`/g, '');

const brokenLinks = ({ file, text }: Document): string[] =>
  [...withoutCode(text).matchAll(/\]\(([^)\s]+)\)/g)].flatMap(([, link = '']) => {
    if (/^[a-z]+:/.test(link)) return [];
    const [target = '', anchor] = link.split('#');
    const linked = path.join(root, path.dirname(file), target);
    if (!existsSync(linked)) return [`${file}: ${link}`];
    if (anchor === undefined) return [];
    if (anchorsOf(target === '' ? text : readFileSync(linked, 'utf8')).has(anchor)) return [];
    return [`${file}: ${link} (no such heading)`];
  });

/** What a table of the documents names as code: `src/…`, `test/…`. */
const missingPlaces = ({ file, text }: Document): string[] =>
  [...text.matchAll(/`((?:src|test|examples|scripts|docs|bench|tools)\/[\w./-]*)`/g)].flatMap(
    ([, place = '']) =>
      existsSync(path.join(root, place)) || existsSync(path.join(root, `${place}.ts`))
        ? []
        : [`${file}: ${place}`],
  );

describe('the documents', () => {
  test('every snippet compiles as it stands', { timeout: 120_000 }, async () => {
    expect(await compile(documents)).toEqual([]);
  });

  test('that check catches a planted type error, at its line', { timeout: 120_000 }, async () => {
    const text =
      "# Title\n\n```ts\n// file: a.ts\nexport const a = 1\n```\n\n```ts\nimport { a } from './a.ts'\nconst b: string = a\nconsole.log(b)\n```\n";
    const complaints = await compile([parseDocument('page.md', text)]);
    expect(complaints).toHaveLength(1);
    expect(complaints[0]).toMatch(/page\.md\/block-9\.ts\(10,7\): error TS2322/);
  });

  test.each(documents)('$file links to what exists', (page) => {
    expect(brokenLinks(page)).toEqual([]);
    expect(missingPlaces(page)).toEqual([]);
  });

  test('that check catches a missing file and a missing heading', () => {
    const text =
      '[a](nowhere.md) [b](#title) [c](#nothing) [d](https://example.org) `[e](in-code.md)`\n\n# Title\n`src/nothing.ts`';
    const page = parseDocument('page.md', text);
    expect(brokenLinks(page)).toEqual(['page.md: nowhere.md', 'page.md: #nothing (no such heading)']);
    expect(missingPlaces(page)).toEqual(['page.md: src/nothing.ts']);
  });

  test('docs/testing.md names every step at which an app can be stopped', () => {
    const { text } = documents.find(({ file }) => file === 'docs/testing.md') ?? { text: '' };
    const steps = [
      ...operationalSteps,
      ...redeliverySteps,
      ...replayRunSteps,
      ...projectionSteps,
      ...workflowSteps,
      ...engineSteps,
    ];
    expect(steps.filter((step) => !text.includes(`\`${step}\``))).toEqual([]);
  });

  test('ARCHITECTURE.md has a row for each room, in the order of the law', () => {
    const { text } = documents.find(({ file }) => file === 'ARCHITECTURE.md') ?? { text: '' };
    const rows = [...text.matchAll(/^\| `(\w+)\/` \|/gm)].map(([, room]) => room);
    expect(rows).toEqual(rooms.filter((room) => existsSync(path.join(root, 'src', room))));
  });
});
