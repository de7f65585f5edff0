import { globSync, readFileSync } from 'node:fs';
import { parseSync, Visitor } from 'oxc-parser';
import { describe, expect, test } from 'vitest';
import { type ErrorEntry, errorCatalogue } from './error-catalogue.ts';

const placeholders = (text: string): string[] =>
  [...text.matchAll(/\{(\w+)\}/g)].map((match) => match[1] ?? '');
const entries: [string, ErrorEntry][] = Object.entries(errorCatalogue);

interface ThrowSite {
  readonly code: string;
  readonly at: string;
  /** The names in the literal details; undefined when they are not a plain literal. */
  readonly given: readonly string[] | undefined;
}

type Literal = {
  type: string;
  value?: unknown;
  properties?: { type: string; key?: { name?: string; value?: unknown } }[];
};

const literalNames = (details: Literal | undefined): string[] | undefined => {
  if (!details) return [];
  if (
    details.type !== 'ObjectExpression' ||
    details.properties?.some((property) => property.type !== 'Property')
  )
    return undefined;
  return details.properties?.map((property) => String(property.key?.name ?? property.key?.value)) ?? [];
};

/** Every `new FactlineError('CODE', …)` in a source text. */
const throwSites = (file: string, text: string): ThrowSite[] => {
  const sites: ThrowSite[] = [];
  new Visitor({
    NewExpression(node) {
      if (node.callee.type !== 'Identifier' || node.callee.name !== 'FactlineError') return;
      const [code, details] = node.arguments as unknown as Literal[];
      if (code?.type !== 'Literal') return;
      sites.push({
        code: String(code.value),
        at: `${file}:${text.slice(0, node.start).split('\n').length}`,
        given: literalNames(details),
      });
    },
  }).visit(parseSync(file, text).program);
  return sites;
};

const missingDetails = (sites: readonly ThrowSite[]): string[] =>
  sites.flatMap(({ code, at, given }) => {
    const entry = errorCatalogue[code as keyof typeof errorCatalogue] as ErrorEntry | undefined;
    if (!entry || !given) return [];
    const missing = placeholders(entry.message + entry.remedy).filter((name) => !given.includes(name));
    return missing.length === 0 ? [] : [`${at}: ${code} needs ${missing.join(', ')} in its details`];
  });

interface Source {
  readonly file: string;
  readonly text: string;
}

/** The source without tests and without the catalogue itself. */
const sources = (): Source[] =>
  globSync('src/**/*.ts')
    .filter((file) => !file.endsWith('.test.ts') && !file.includes('/error-catalogue'))
    .map((file) => ({ file, text: readFileSync(file, 'utf8') }));

describe('the error catalogue', () => {
  test.each(entries)('%s says what was wrong, why, and what to do, in sentences', (code, entry) => {
    expect(code).toMatch(/^[A-Z]+(_[A-Z]+)*$/);
    expect(entry.cause).toMatch(/\.$/);
    // Either a sentence of its own, or what the place that makes the error says of the case at hand.
    expect(entry.remedy).toMatch(/^\{\w+\}$|^.{11}/s);
    expect(entry.message.length).toBeGreaterThan(5);
  });

  test('every place that makes an error gives what its sentences need', () => {
    const sites = sources().flatMap(({ file, text }) => throwSites(file, text));
    expect(missingDetails(sites)).toEqual([]);
  });

  test('holds no code that nothing in the source uses', () => {
    const text = sources()
      .map(({ text }) => text)
      .join('\n');
    expect(entries.map(([code]) => code).filter((code) => !text.includes(`'${code}'`))).toEqual([]);
  });

  test('that check catches a missing detail', () => {
    const sites = throwSites('x.ts', "throw new FactlineError('PORT_IN_USE', { port: 1 })");
    expect(missingDetails(sites)).toEqual(['x.ts:1: PORT_IN_USE needs host in its details']);
    expect(missingDetails(throwSites('x.ts', "throw new FactlineError('NOT_STARTED')"))).toHaveLength(1);
  });
});
