import type { Json } from '../../foundation/index.ts';
import type { Pattern } from './pattern.ts';
import type { Rational } from './rational.ts';

/**
 * The internal form of a schema: a formula over one JSON value. All drafts and keywords become these few kinds, closed under
 * negation, so that "everything that A accepts, B accepts too" is the question whether `all(A, not(B))` has a value.
 *
 * A literal about one type (`at-least`, `required`, …) says nothing about values of other types, as in JSON Schema.
 * Formulas are interned: equal ones are the same object, and parts of `all` and `some` have no order.
 */
export type Formula =
  | All
  | Some
  | One
  | Not
  | Reference
  | Opaque
  | Types
  | Values
  | NumberLiteral
  | StringLiteral
  | ArrayLiteral
  | ObjectLiteral;

interface Interned {
  readonly id: number;
}

/** Every part holds; of no parts: any value. */
export interface All extends Interned {
  readonly kind: 'all';
  readonly parts: readonly Formula[];
}

/** At least one part holds; of no parts: no value. */
export interface Some extends Interned {
  readonly kind: 'some';
  readonly parts: readonly Formula[];
}

/** Exactly one part holds. */
export interface One extends Interned {
  readonly kind: 'one';
  readonly parts: readonly Formula[];
}

/** Pushed inwards by `expandNot` when it is looked at. `lenient`: what the policy of that name overlooks does not count as refused. */
export interface Not extends Interned {
  readonly kind: 'not';
  readonly part: Formula;
  readonly lenient: boolean;
}

/** Where a schema leads back into itself. */
export interface Reference extends Interned {
  readonly kind: 'reference';
  readonly target: () => Formula;
}

/** Something that can't be decided; equal ones are still equal. */
export interface Opaque extends Interned {
  readonly kind: 'opaque';
  readonly reason: string;
}

export interface Types extends Interned {
  readonly kind: 'types';
  readonly mask: number;
}

/** `holds: false`: anything but these. Keys are canonical JSON. */
export interface Values extends Interned {
  readonly kind: 'values';
  readonly values: ReadonlyMap<string, Json>;
  readonly mask: number;
  readonly holds: boolean;
}

export type NumberLiteral =
  | (Interned & {
      readonly kind: 'at-least' | 'at-most';
      readonly limit: number;
      readonly exclusive: boolean;
    })
  | (Interned & { readonly kind: 'multiple-of'; readonly step: Rational; readonly holds: boolean });

export type StringLiteral =
  | (Interned & { readonly kind: 'min-length' | 'max-length'; readonly limit: number })
  | (Interned & { readonly kind: 'matches'; readonly pattern: Pattern; readonly holds: boolean })
  | (Interned & { readonly kind: 'format'; readonly name: string; readonly holds: boolean });

export type ArrayLiteral =
  | (Interned & { readonly kind: 'min-items' | 'max-items'; readonly limit: number })
  /** `declares`: a schema says so, and not a question about it; the policy `lenient` asks. */
  | (Interned & {
      readonly kind: 'item';
      readonly index: number;
      readonly part: Formula;
      readonly declares: boolean;
    })
  | (Interned & { readonly kind: 'items-from'; readonly from: number; readonly part: Formula })
  | (Interned & {
      readonly kind: 'contains';
      readonly from: number;
      readonly part: Formula;
      readonly least: number;
      readonly most: number;
    })
  | (Interned & { readonly kind: 'unique'; readonly holds: boolean })
  | (Interned & { readonly kind: 'declared-item'; readonly index: number });

export type ObjectLiteral =
  | (Interned & { readonly kind: 'min-properties' | 'max-properties'; readonly limit: number })
  /** `holds: false`: the member must be absent. */
  | (Interned & { readonly kind: 'required'; readonly name: string; readonly holds: boolean })
  | (Interned & {
      readonly kind: 'property';
      readonly name: string;
      readonly part: Formula;
      readonly declares: boolean;
    })
  /** Every member that the guard lets in has such a value. */
  | (Interned & { readonly kind: 'members'; readonly guard: Guard; readonly part: Formula })
  /** Some member that the guard lets in has such a value. */
  | (Interned & {
      readonly kind: 'some-member';
      readonly guard: Guard;
      readonly part: Formula;
      readonly declaredOnly: boolean;
    })
  | (Interned & { readonly kind: 'declared-property'; readonly name: string });

/** Which members a literal is about: those not named here whose names are inside all of these sets and outside all of those. */
export interface Guard {
  readonly role: 'additional' | 'pattern' | 'names' | 'unevaluated';
  readonly except: ReadonlySet<string>;
  readonly inside: readonly Formula[];
  readonly outside: readonly Formula[];
}

export type Literal = Types | Values | NumberLiteral | StringLiteral | ArrayLiteral | ObjectLiteral;

export type JsonType = 'null' | 'boolean' | 'number' | 'string' | 'array' | 'object';

/** The types as bits of a mask. */
export const typeBits: Readonly<Record<JsonType, number>> = {
  null: 1,
  boolean: 2,
  number: 4,
  string: 8,
  array: 16,
  object: 32,
};

export const allTypes = 63;

export const jsonTypes: readonly JsonType[] = ['string', 'number', 'boolean', 'object', 'array', 'null'];

export const typeOf = (value: Json): JsonType => {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  return typeof value as JsonType;
};

/** The one type that a literal speaks about; 0 for those about all values. */
export const subjectOf = (kind: Formula['kind']): number => {
  switch (kind) {
    case 'at-least':
    case 'at-most':
    case 'multiple-of':
      return typeBits.number;
    case 'min-length':
    case 'max-length':
    case 'matches':
    case 'format':
      return typeBits.string;
    case 'min-items':
    case 'max-items':
    case 'item':
    case 'items-from':
    case 'contains':
    case 'unique':
    case 'declared-item':
      return typeBits.array;
    case 'min-properties':
    case 'max-properties':
    case 'required':
    case 'property':
    case 'members':
    case 'some-member':
    case 'declared-property':
      return typeBits.object;
    default:
      return 0;
  }
};
