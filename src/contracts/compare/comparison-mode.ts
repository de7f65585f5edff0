import { FactlineError } from '../../foundation/index.ts';
import type { CompatibilityMode } from '../contract.ts';
import type { CompareDirection, SchemaFormat } from './comparison.ts';

/** What Protobuf has beside: Buf's categories, and each of its rules alone (`buf:FIELD_NO_DELETE`). */
export type ProtobufMode = 'wire' | 'wire-json' | 'package' | 'file' | 'csr' | `buf:${string}`;

/** The question that is asked. Plain modes look at the newest version only, transitive ones at every earlier version. */
export type ComparisonMode = CompatibilityMode | ProtobufMode;

/** One thing to be found out about a pair of schemas. */
export type Question = CompareDirection | ProtobufMode;

export interface ComparisonPlan {
  readonly questions: readonly Question[];
  /** Asked about every earlier version, not only about the newest. */
  readonly transitive: boolean;
}

const questions: Readonly<Record<string, readonly Question[]>> = {
  backward: ['backward'],
  forward: ['forward'],
  full: ['backward', 'forward'],
  none: [],
};

const categories: readonly string[] = ['wire', 'wire-json', 'package', 'file', 'csr'];
const directionPattern = /^(?:none|(?<base>backward|forward|full)(?<transitive>-transitive)?)$/;

/** @throws FactlineError OPTION_INVALID for a mode that the format does not have */
export const planOf = (mode: string, format: SchemaFormat): ComparisonPlan => {
  const match = directionPattern.exec(mode);
  if (match !== null) {
    const { base = 'none', transitive } = match.groups ?? {};
    return { questions: questions[base] ?? [], transitive: transitive !== undefined };
  }
  if (format === 'protobuf' && (categories.includes(mode) || mode.startsWith('buf:')))
    return { questions: [mode as ProtobufMode], transitive: false };
  const expected = 'backward, forward or full (each also with -transitive), or none';
  const more = format === 'protobuf' ? `; or ${categories.join(', ')}, or buf:RULE_ID` : '';
  throw new FactlineError('OPTION_INVALID', { option: 'mode', expected: expected + more, actual: mode });
};
