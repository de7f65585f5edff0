import { FactlineError } from '../../foundation/index.ts';
import type { Change } from '../compare/comparison.ts';
import type { ProtobufMode } from '../compare/comparison-mode.ts';
import { bufFieldRules } from './buf-field-rules.ts';
import { bufFileRules } from './buf-file-rules.ts';
import type { BufRule } from './buf-rule.ts';
import { bufEnumRules, bufMessageRules } from './buf-type-rules.ts';
import type { SchemaPairs } from './schema-pairs.ts';

const rules: readonly BufRule[] = [...bufFileRules, ...bufMessageRules, ...bufFieldRules, ...bufEnumRules];

/** Names that Buf has replaced, and what stands for them. */
const formerNames: ReadonlyMap<string, string> = new Map([
  ['FIELD_SAME_LABEL', 'FIELD_SAME_CARDINALITY'],
  ['FIELD_SAME_CTYPE', 'FIELD_SAME_CPP_STRING_TYPE'],
  ['FILE_SAME_JAVA_STRING_CHECK_UTF8', 'FIELD_SAME_JAVA_UTF8_VALIDATION'],
]);

/**
 * The rules of a category, or the one that was named.
 * @throws FactlineError OPTION_INVALID
 */
export const bufRulesOf = (mode: ProtobufMode): readonly BufRule[] => {
  if (!mode.startsWith('buf:'))
    return rules.filter(({ categories }) => categories.some((each) => each === mode));
  const wanted = mode.slice('buf:'.length);
  const found = rules.filter(({ id }) => id === (formerNames.get(wanted) ?? wanted));
  if (found.length > 0) return found;
  const known = rules.map(({ id }) => id).sort();
  throw new FactlineError('OPTION_INVALID', {
    option: 'mode',
    expected: `buf: and one of ${known.join(', ')}`,
    actual: mode,
  });
};

/** Everything that the rules find; each finding is breaking. */
export const bufChanges = (pairs: SchemaPairs, mode: ProtobufMode): readonly Change[] =>
  bufRulesOf(mode).flatMap(({ id, find, remedy }) => {
    const rule = id.toLowerCase().replaceAll('_', '-');
    return find(pairs).map((finding): Change => ({ rule, severity: 'breaking', ...finding, remedy }));
  });
