import { FactlineError } from '../../foundation/index.ts';
import type { CompareRequest } from './compare-request.ts';
import type { ComparePolicy, Comparison, SchemaFormat } from './comparison.ts';
import { planOf } from './comparison-mode.ts';
import { loadEngine } from './engines.ts';
import { mergeComparisons, type Part } from './merge-comparisons.ts';
import type { SchemaSource } from './schema-source.ts';

export type { CompareRequest } from './compare-request.ts';

const formats: readonly unknown[] = ['json-schema', 'avro', 'protobuf'] satisfies SchemaFormat[];
const policies: readonly unknown[] = ['strict', 'lenient'] satisfies ComparePolicy[];

/**
 * Compares a schema with its earlier versions: may it take their place, and if not, who is broken, where, and what to do instead.
 * @throws FactlineError OPTION_INVALID, SCHEMA_INVALID
 * @example
 * const { compatible, changes } = await compare({ format: 'avro', mode: 'backward', old: '"int"', new: '"long"' })
 */
export const compare = async (request: CompareRequest): Promise<Comparison> => {
  const { format, mode, policy = 'strict' } = request;
  if (!formats.includes(format)) throw invalid('format', 'json-schema, avro or protobuf', format);
  if (!policies.includes(policy)) throw invalid('policy', 'strict or lenient', policy);
  const { questions, transitive } = planOf(mode, format);
  const engine = await loadEngine(request);
  const after: SchemaSource = { side: 'new', schema: request.new, files: request.newFiles };
  const newest: SchemaSource = { side: 'old', schema: request.old, files: request.oldFiles };
  if (questions.length === 0) {
    engine.check(newest);
    engine.check(after);
    return { compatible: true, changes: [] };
  }
  const compareWith = (old: SchemaSource, version?: number): Part[] =>
    questions.map((question) => ({ comparison: engine.compare(old, after, question), version }));
  const parts = compareWith(newest);
  const earlier = transitive ? (request.history ?? []) : [];
  for (const [index, schema] of [...earlier.entries()].reverse())
    parts.push(...naming(index + 1, (version) => compareWith({ side: 'old', schema }, version)));
  return mergeComparisons(parts);
};

/** Errors about an earlier version say which. */
const naming = <Result>(version: number, run: (version: number) => Result): Result => {
  try {
    return run(version);
  } catch (error) {
    if (!FactlineError.is(error, 'SCHEMA_INVALID') || error.details['side'] !== 'old') throw error;
    const details = { ...error.details, side: `old (version ${version})` };
    throw new FactlineError('SCHEMA_INVALID', details, { cause: error });
  }
};

const invalid = (option: string, expected: string, actual: unknown): FactlineError =>
  new FactlineError('OPTION_INVALID', { option, expected, actual });
