import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { references } from '../scripts/references.ts';
import { errorCatalogue } from '../src/foundation/error-catalogue.ts';
import { metrics, spans, telemetryEvents } from '../src/foundation/telemetry-catalogue.ts';

const read = (file: string): string => readFileSync(new URL(`../${file}`, import.meta.url), 'utf8');

const found = (text: string, pattern: RegExp): string[] =>
  [...text.matchAll(pattern)].map((match) => match[1] ?? '').sort();

describe('the reference pages', () => {
  test.each(references)(
    '$file is what the catalogue says (else: node scripts/write-references.ts)',
    (page) => {
      expect(read(page.file)).toBe(page.render());
    },
  );

  test('docs/errors.md has a heading for every code, and no other', () => {
    expect(found(read('docs/errors.md'), /^### (\w+)$/gm)).toEqual(Object.keys(errorCatalogue).sort());
  });

  test('docs/telemetry.md has a row for every name, and no other', () => {
    const names = [metrics, spans, telemetryEvents].flatMap((table) => Object.keys(table));
    expect(found(read('docs/telemetry.md'), /^\| `([\w.-]+)` \|/gm)).toEqual(names.sort());
  });
});
