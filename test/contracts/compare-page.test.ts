import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, describe, expect, test } from 'vitest';
import { bufRulesOf } from '../../src/contracts/protobuf/buf-rules.ts';
import { runWords } from '../command-line.ts';
import { type Block, openDocumentsFolder, parseDocument, root } from '../documents.ts';

const page = parseDocument('docs/compare.md', readFileSync(path.join(root, 'docs/compare.md'), 'utf8'));
const folder = openDocumentsFolder();
afterAll(() => folder.remove());

for (const { file, text } of page.blocks) {
  if (file === undefined) continue;
  mkdirSync(path.dirname(path.join(folder.path, file)), { recursive: true });
  writeFileSync(path.join(folder.path, file), text);
}

/** The first block of a language below another. */
const below = (block: Block, language: string): string =>
  page.blocks.find((each) => each.line > block.line && each.language === language)?.text ?? '';

const categories = ['file', 'package', 'wire-json', 'wire', 'csr'] as const;

describe('the page on comparing', () => {
  const programs = page.blocks.filter(({ file }) => file?.endsWith('.ts') && !file.includes('/'));

  test.each(programs)('$file prints what stands below it', async (block) => {
    const program = path.join(folder.path, block.file ?? '');
    const run = promisify(execFile)(process.execPath, ['--conditions=factline-source', program], {
      cwd: folder.path,
    });
    expect((await run).stdout.trimEnd()).toBe(below(block, 'text'));
  });

  const commands = page.blocks.filter(
    ({ language, text }) => language === 'sh' && text.startsWith('factline '),
  );

  test.each(commands)('$text answers what stands below it', async (block) => {
    const words = block.text.replace(/^factline /, '');
    const { out } = await runWords(words, { environment: {}, directory: folder.path });
    expect(JSON.parse(out)).toEqual(JSON.parse(below(block, 'json')));
  });

  test("lists each of Buf's rules once, with its categories", () => {
    const rows = [...page.text.matchAll(/^\| (`[A-Z].*`) \| (`.*`) \|$/gm)];
    const listed = rows.flatMap(([, rules = '', names = '']) =>
      rules.split(', ').map((rule) => `${rule.replaceAll('`', '')} ${names.replaceAll('`', '')}`),
    );
    const rules = new Set(categories.flatMap((category) => bufRulesOf(category)));
    const known = [...rules].map(
      (rule) =>
        `${rule.id} ${categories.filter((category) => rule.categories.includes(category)).join(', ')}`,
    );
    expect(listed.sort()).toEqual(known.sort());
  });

  test('names every rule of Avro and of the directions', () => {
    const files = [
      'avro/avro-changes.ts',
      'protobuf/reading-changes.ts',
      'protobuf/reading-field-rules.ts',
      'protobuf/reading-message-rules.ts',
      'protobuf/reading-oneof-rules.ts',
    ];
    const used = files.flatMap((file) => {
      const text = readFileSync(path.join(root, 'src/contracts', file), 'utf8');
      return [...text.matchAll(/(?:rule: |rule = |mismatch\(\s*|direction, )'([a-z]+(?:-[a-z]+)+)'/g)].map(
        (match) => match[1] ?? '',
      );
    });
    expect(used.length).toBeGreaterThan(15);
    expect(used.filter((rule) => !page.text.includes(rule))).toEqual([]);
  });
});
