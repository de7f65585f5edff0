import type { Rule, Violation } from '../rule.ts';

const shared = /\bglobalThis\.([A-Za-z]\w*)|\bprocess\.env\[?'?\.?([A-Z]\w*)'?\]? \??\??= /g;

/** Test files of one worker run in one process: what one of them leaves there, the next one finds. */
export const testsShareNothing: Rule = {
  law: 'no two test files use one name on globalThis, or set one variable of the environment',
  check: (files): Violation[] => {
    const firstUse = new Map<string, string>();
    return files
      .filter(({ path }) => path.endsWith('.test.ts') && !path.startsWith('test/structure/'))
      .flatMap(({ path, text, lineAt }) =>
        [...text.matchAll(shared)].flatMap((match): Violation[] => {
          const name = match[1] ?? match[2] ?? '';
          const other = firstUse.get(name) ?? path;
          firstUse.set(name, other);
          const message = `${name} is what ${other} uses: name it after what this file is about`;
          return other === path ? [] : [{ path, line: lineAt(match.index), message }];
        }),
      );
  },
};
