import type { Json } from '../../foundation/index.ts';

/** The encodings that a contract can be published in. */
export type SchemaFormat = 'json-schema' | 'avro' | 'protobuf';

/**
 * 'strict': the truth about stored data: every value that the one schema accepts must be accepted by the other.
 * 'lenient': Confluent's habit: an open object's other members are taken to be absent (docs/compare.md lists the differences).
 */
export type ComparePolicy = 'strict' | 'lenient';

/** One direction: 'backward' asks whether the new schema reads what the old one wrote; 'forward' the reverse. */
export type CompareDirection = 'backward' | 'forward';

/** 'breaking' makes the pair incompatible; 'warning' is worth a look; 'info' is told for completeness. */
export type ChangeSeverity = 'breaking' | 'warning' | 'info';

/** One difference that was found, with everything a reviewer needs. */
export interface Change {
  /** The rule's stable name in kebab-case: `required-added`, `not-proved`, `field-type-changed`. docs/compare.md lists them. */
  readonly rule: string;
  /** JSON pointer of the value (`/lines/0/price`, `*` for any member) for JSON Schema; `Record.field` for Avro and `pkg.Message.field` for Protobuf. */
  readonly path: string;
  readonly severity: ChangeSeverity;
  /** One sentence: what changed and what it does to whom. */
  readonly message: string;
  /** What stood there before and after, short enough to print. */
  readonly old?: string;
  readonly new?: string;
  /** Who is broken. */
  readonly breaks?: 'readers of old data' | 'readers of new data';
  /** A safe way to do it. */
  readonly remedy?: string;
  /** A document that the writing schema accepts and the reading one refuses, checked by an independent validator. */
  readonly witness?: Json;
  /** Of a transitive comparison: the earlier version that it is about, from 1 (the oldest). Left out for the newest. */
  readonly version?: number;
}

/** What a comparison answers. Compatible exactly when no change is breaking. */
export interface Comparison {
  readonly compatible: boolean;
  readonly changes: readonly Change[];
}

/** Who a breaking change of a direction hurts. */
export const brokenBy = {
  backward: 'readers of old data',
  forward: 'readers of new data',
} as const satisfies Readonly<Record<CompareDirection, Change['breaks']>>;
