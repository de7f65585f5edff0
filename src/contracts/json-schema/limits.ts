/** What the comparer takes on. Beyond the first group a schema is refused; beyond the second the answer is "not proved". */
export const limits = {
  /** Levels of objects and arrays in a schema's JSON. */
  jsonDepth: 400,
  /** Subschemas that are read, references counted once. */
  subschemas: 100_000,

  /** Attempts to build a value, for the verdict. */
  steps: 10_000,
  /** Attempts to build a value, for explaining one direction. */
  explanationSteps: 5_000,
  /** Values inside values that are looked into at a time. */
  depth: 400,
  /** Subschemas that one value is checked against. */
  checks: 50_000,
  /** Patterns and name schemas of one object: its other names fall into up to 2^n classes. */
  nameClasses: 6,
  /** Ways in which the branches around an `unevaluated…` keyword can match. */
  evaluationCases: 64,
  /** Characters of a text that is made up. */
  textLength: 100_000,
  /** Items or members that are made up for one value. */
  members: 5_000,
  /** Characters of a text that a pattern with nested repetitions is tried on: it could take for ever. */
  riskyTextLength: 24,
  /** Subschemas of a schema that Ajv compiles to check a witness. */
  compiledSubschemas: 5_000,
  /** Subschemas that Ajv then applies to one value, each reference followed anew. */
  unfoldedSubschemas: 20_000,
} as const;
