/**
 * What a difference is called and said to be. `{name}` is the member's name, `{old}` and `{new}` what stood there; a rule is about
 * the new schema as seen from the old one, whichever direction is asked for. `remedy` is for when it breaks somebody.
 */
export interface Rule {
  readonly message: string;
  readonly remedy: string;
}

const beside = 'Publish a new version of the type beside this one until every consumer has moved.';
const consumersFirst =
  'Release the consumers with the new schema first, or publish a new version of the type beside this one.';

const tightened = (what: string): Rule => ({
  message: `${what} ({old} → {new})`,
  remedy: `Keep what was allowed before; or: ${beside}`,
});
const loosened = (what: string): Rule => ({ message: `${what} ({old} → {new})`, remedy: consumersFirst });

/** A limit's four ways to change. */
const limitRules = <Keyword extends string>(
  keyword: Keyword,
  name: string,
  isLower: boolean,
): Record<string, Rule> => ({
  [`${keyword}-added`]: tightened(`${name} is set now`),
  [`${keyword}-${isLower ? 'raised' : 'lowered'}`]: tightened(`${name} is tighter now`),
  [`${keyword}-${isLower ? 'lowered' : 'raised'}`]: loosened(`${name} is looser now`),
  [`${keyword}-removed`]: loosened(`${name} is gone`),
});

export const rules: Readonly<Record<string, Rule>> = {
  'type-added': tightened('Any type was allowed, and only some are now'),
  'type-narrowed': tightened('A type is no longer allowed'),
  'type-widened': loosened('A type is allowed that was not'),
  'type-removed': loosened('Any type is allowed now'),
  'enum-added': tightened('Only listed values are allowed now'),
  'enum-value-removed': tightened('A listed value is gone'),
  'enum-value-added': {
    message: 'A value was added to the list ({old} → {new}): old consumers will see unknown values',
    remedy: `Let consumers accept values they do not know before producers write any; or: ${beside}`,
  },
  'enum-removed': loosened('Not only listed values are allowed now'),
  'const-changed': tightened('The only allowed value is another one'),
  ...limitRules('minimum', 'The lower bound', true),
  ...limitRules('maximum', 'The upper bound', false),
  ...limitRules('min-length', 'The least length', true),
  ...limitRules('max-length', 'The greatest length', false),
  ...limitRules('min-items', 'The least number of items', true),
  ...limitRules('max-items', 'The greatest number of items', false),
  ...limitRules('min-properties', 'The least number of members', true),
  ...limitRules('max-properties', 'The greatest number of members', false),
  'multiple-of-added': tightened('Only multiples are allowed now'),
  'multiple-of-changed': tightened('Multiples of another number are wanted'),
  'multiple-of-removed': loosened('Not only multiples are allowed now'),
  'pattern-added': tightened('A pattern must be matched now'),
  'pattern-changed': {
    message: 'Another pattern must be matched ({old} → {new})',
    remedy: `Keep the pattern, or list both: anyOf with the old and the new one; or: ${beside}`,
  },
  'pattern-removed': loosened('No pattern must be matched any more'),
  'format-added': tightened('A format is wanted now'),
  'format-changed': tightened('Another format is wanted'),
  'format-removed': loosened('No format is wanted any more'),
  'content-changed': tightened('What the text contains is described otherwise'),
  'default-changed': { message: 'The default is another one ({old} → {new})', remedy: '' },
  'required-added': {
    message: 'The member {name} must be there now',
    remedy: `Leave it optional and let readers fill it in with a default; or: ${beside}`,
  },
  'required-removed': {
    message: 'The member {name} may be missing now: old consumers rely on it',
    remedy: 'Keep on writing it until no consumer with the old schema is left.',
  },
  'property-added-to-open-object': {
    message: 'The member {name} is {new} now; the old schema lets other values stand under that name',
    remedy:
      'If nobody writes other members than those declared, close the object (additionalProperties: false), or compare with the policy lenient; otherwise take a name that nobody used.',
  },
  'property-removed-from-open-object': {
    message:
      'The member {name} ({old}) is not described any more: new values may hold anything under that name',
    remedy: 'Keep the member in the schema, or forbid it with the schema false.',
  },
  'property-removed-from-closed-object': {
    message: 'The member {name} ({old}) is gone, and the object allows no others',
    remedy: 'Keep the member as an optional one, or open the object.',
  },
  'property-added-to-closed-object': {
    message: 'The member {name} ({new}) is new, and the old schema allows no others',
    remedy: `Open the object first (drop additionalProperties: false) and release all consumers; or: ${beside}`,
  },
  'property-forbidden': tightened('The member {name} must not be there any more'),
  'property-allowed': loosened('The member {name} may be there now'),
  'additional-properties-closed': tightened('Members that are not named are refused now'),
  'additional-properties-opened': loosened('Members that are not named are allowed now'),
  'additional-properties-narrowed': tightened('Members that are not named must fit more now'),
  'additional-properties-widened': loosened('Members that are not named must fit less now'),
  'pattern-properties-added': tightened('Members whose names match a pattern must fit something now'),
  'pattern-properties-removed': loosened('Members whose names match a pattern need not fit anything now'),
  'property-names-narrowed': tightened('Fewer names of members are allowed'),
  'property-names-widened': loosened('More names of members are allowed'),
  'dependency-added': tightened('What must accompany a member grew'),
  'dependency-removed': loosened('What must accompany a member shrank'),
  'condition-tightened': tightened('What must hold under a condition grew'),
  'condition-loosened': loosened('What must hold under a condition shrank'),
  'tuple-item-added': tightened('An item that could be anything is described now'),
  'tuple-item-removed': loosened('An item is not described any more'),
  'items-narrowed': tightened('The items must fit more now'),
  'items-widened': loosened('The items must fit less now'),
  'contains-added': tightened('Certain items must be there now'),
  'contains-changed': tightened('Which items must be there, or how many, is another now'),
  'contains-removed': loosened('Certain items need not be there any more'),
  'unique-items-added': tightened('The items must all be different now'),
  'unique-items-removed': loosened('The items may repeat now'),
  'union-branch-removed': {
    message: 'A form is not accepted by any branch any more: {old}',
    remedy: `Keep the branch, deprecated, as long as such data is read; or: ${beside}`,
  },
  'union-branch-added': {
    message: 'A form is new: {new}. Old consumers have no branch for it',
    remedy: `Let consumers accept forms they do not know before producers write any; or: ${beside}`,
  },
  'one-of-overlap': {
    message: 'Some values match more than one branch of oneOf now, and are refused for it',
    remedy: 'Make the branches exclude each other (a const that differs), or use anyOf.',
  },
  'not-widened': tightened('More is excluded by `not`'),
  'not-narrowed': loosened('Less is excluded by `not`'),
  'values-narrowed': tightened('Some values are no longer accepted'),
  'values-widened': loosened('Some values are accepted that were not'),
  'not-proved': {
    message: 'It could not be proved that every value stays acceptable: {reason}',
    remedy:
      'Look at the change by hand; write the schema in simpler terms, or have the owner waive this with a reason and an expiry.',
  },
};

/** Fills a rule's words in. */
export const wording = (template: string, words: Readonly<Record<string, string | undefined>>): string =>
  template
    .replace(/\{(\w+)\}/g, (_, name: string) => words[name] ?? 'anything')
    .replace(' (anything → anything)', '');
