import type { SourceFile } from './syntax.ts';

export interface Violation {
  readonly path: string;
  /** 0 when the whole file is meant. */
  readonly line: number;
  /** What is wrong and how to mend it. */
  readonly message: string;
}

export interface Rule {
  /** The law as a sentence: it is the test's name. */
  readonly law: string;
  check(files: readonly SourceFile[]): Violation[];
}

/** A rule that looks at one file at a time. */
export const eachFile = (
  law: string,
  applies: (path: string) => boolean,
  check: (file: SourceFile) => Array<{ line: number; message: string }>,
): Rule => ({
  law,
  check: (files) =>
    files
      .filter((file) => applies(file.path))
      .flatMap((file) => check(file).map((violation) => ({ path: file.path, ...violation }))),
});

export const describeViolations = (violations: readonly Violation[]): string =>
  violations.map(({ path, line, message }) => `${path}${line > 0 ? `:${line}` : ''}  ${message}`).join('\n');
