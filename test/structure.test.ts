import { describe, expect, test } from 'vitest';
import { law } from './structure/law.ts';
import { readRepository } from './structure/repository.ts';
import { describeViolations } from './structure/rule.ts';

const repository = readRepository();

describe('in this repository', () => {
  for (const rule of law) {
    test(rule.law, () => {
      expect(describeViolations(rule.check(repository))).toBe('');
    });
  }

  test('the test looks at the source, and not at an empty folder', () => {
    expect(repository.filter(({ path }) => path.startsWith('src/')).length).toBeGreaterThan(50);
  });
});
