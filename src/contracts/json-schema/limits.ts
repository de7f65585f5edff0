/** What the comparer takes on. Beyond the first group a schema is refused; beyond the second the answer is "not proved". */
export const limits = {
  /** Levels of objects and arrays in a schema's JSON. */
  jsonDepth: 400,
  /** Subschemas that are read, references counted once. */
  subschemas: 100_000,

  /** Attempts to build a value, for one question. */
  steps: 20_000,
  /** Attempts to build a value, for all the explanations of one comparison. */
  explanationSteps: 60_000,
  /** Values inside values that are looked into at a time. */
  depth: 200,
  /** Subschemas that one value is checked against. */
  checks: 100_000,
  /** Patterns and name schemas of one object: its other names fall into up to 2^n classes. */
  nameClasses: 6,
  /** Ways in which the branches around an `unevaluated…` keyword can match. */
  evaluationCases: 64,
  /** Characters of a text that is made up. */
  textLength: 4_000,
  /** Items or members that are made up for one value. */
  members: 1_000,
  /** Characters of a text that a pattern with nested repetitions is tried on: it could take for ever. */
  riskyTextLength: 24,
  /** Subschemas of a schema that Ajv compiles to check a witness. */
  confirmedSubschemas: 20_000,
} as const;
