import { expect } from 'vitest';
import {
  compareJsonSchema,
  type JsonSchemaRequest,
} from '../../src/contracts/json-schema/compare-json-schema.ts';

export type Verdict = string;

/** What a pair is called: ok, or the breaking rules with their paths. */
export const verdict = (old: unknown, after: unknown, options: Partial<JsonSchemaRequest> = {}): Verdict => {
  const { compatible, changes } = compareJsonSchema({
    old,
    new: after,
    direction: 'backward',
    policy: 'strict',
    ...options,
  });
  const breaking = changes.filter(({ severity }) => severity === 'breaking');
  expect(compatible).toBe(breaking.length === 0);
  return compatible ? 'ok' : breaking.map(({ rule, path }) => `${rule} ${path}`.trim()).join(', ');
};

/** An object with one member. */
export const withA = (schema: unknown, more: object = {}): object => ({
  type: 'object',
  properties: { a: schema },
  ...more,
});
