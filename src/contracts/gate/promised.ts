/** What an output schema says about a field: always there, sometimes, never; 'unknown' where it cannot be told. */
export type Promised = 'always' | 'sometimes' | 'never' | 'unknown';
