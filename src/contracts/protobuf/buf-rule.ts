import type { ProtobufMode } from '../compare/comparison-mode.ts';
import type { SchemaPairs } from './schema-pairs.ts';

export type BufCategory = Exclude<ProtobufMode, `buf:${string}`>;

/** A violation of a rule. */
export interface BufFinding {
  readonly path: string;
  readonly message: string;
  readonly old?: string;
  readonly new?: string;
}

/** One of Buf's breaking rules, by its public name. */
export interface BufRule {
  readonly id: string;
  readonly categories: readonly BufCategory[];
  readonly remedy: string;
  readonly find: (pairs: SchemaPairs) => readonly BufFinding[];
}

/** In every category. */
export const everywhere: readonly BufCategory[] = ['file', 'package', 'wire-json', 'wire', 'csr'];
/** Generated code, but neither encoding. */
export const generated: readonly BufCategory[] = ['file', 'package'];
/** Generated code, and what a registry with Confluent's rules relies on. */
export const generatedAndCsr: readonly BufCategory[] = ['file', 'package', 'csr'];
/** JSON, and with it everything stricter. */
export const json: readonly BufCategory[] = ['file', 'package', 'wire-json', 'csr'];
