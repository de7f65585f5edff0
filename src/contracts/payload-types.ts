import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { Json } from '../foundation/index.ts';

/** Any schema of the Standard Schema interface: zod, valibot, arktype, or one's own. */
export type PayloadSchema = StandardSchemaV1;

/** What a schema accepts, and what it answers with. */
export type In<S extends PayloadSchema> = StandardSchemaV1.InferInput<S>;
export type Out<S extends PayloadSchema> = StandardSchemaV1.InferOutput<S>;

type JsonScalar = string | number | boolean | null | undefined;

/**
 * `T` where it is JSON, with `never` at what is not (Date, bigint, functions, symbols, class instances with methods).
 * `T extends JsonOnly<T>` also holds for interfaces, which `T extends Json` refuses. `unknown` is left to the run time.
 */
export type JsonOnly<T> = unknown extends T
  ? T
  : T extends JsonScalar | Json
    ? T
    : T extends bigint | symbol | ((...values: never[]) => unknown)
      ? never
      : { [Member in keyof T]: JsonOnly<T[Member]> };

/** The same, with `never` at `unknown` as well: what a coercion accepts. */
type KnownOnly<T> = unknown extends T
  ? never
  : T extends JsonScalar | Json
    ? T
    : { [Member in keyof T]: KnownOnly<T[Member]> };

/**
 * `unknown` where a schema's payload may be written, else the reason as a string type, which the compiler then prints.
 * A default or a brand widens only the input and is allowed; a transform or a coercion changes the value and is not.
 * (The order of the checks is that of their cost: the last one runs only for payloads with unknown members.)
 */
export type Wire<S extends PayloadSchema> =
  Out<S> extends JsonOnly<Out<S>>
    ? [Out<S>] extends [In<S>]
      ? In<S> extends KnownOnly<In<S>>
        ? unknown
        : [In<S>] extends [Out<S>]
          ? unknown
          : 'transforms are not allowed'
      : 'transforms are not allowed'
    : 'payload must be JSON';

/** The members of a payload that can be (part of) its key: required strings and numbers, declared by name. */
export type KeyField<D> = string &
  keyof {
    // Over `keyof D` itself, which keeps declared names apart from an index signature.
    [Field in keyof D as string extends Field
      ? never
      : D[Field] extends string | number
        ? Field
        : never]: Field;
  };

/** `orders.order.placed.v1`: domain, entity, action in the past tense, version. */
export type TypeName = `${string}.${string}.${string}.v${number}`;
