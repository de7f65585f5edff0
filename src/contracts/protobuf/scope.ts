import type { Features } from './features.ts';
import type { ParsedFile } from './parse-file.ts';

/** Where a definition stands. */
export interface Scope {
  readonly file: ParsedFile;
  /** Full name of what is around it. */
  readonly name: string;
  readonly features: Features;
}

export const qualify = (scope: string, name: string): string => (scope === '' ? name : `${scope}.${name}`);
