type Scalar = string | number | bigint | boolean | symbol | null | undefined;

/**
 * The fields of a payload as dotted paths: `customer`, `customer.email`. Items of a list are not named (`lines.note` is the
 * note of every line), and below five levels everything is accepted.
 */
export type FieldPath<D, Depth extends readonly 1[] = []> = unknown extends D
  ? string
  : D extends Scalar
    ? never
    : Depth['length'] extends 5
      ? string
      : D extends readonly (infer Item)[]
        ? FieldPath<Item, [...Depth, 1]>
        : {
            [Field in keyof D & string]-?: Field | `${Field}.${FieldPath<D[Field], [...Depth, 1]>}`;
          }[keyof D & string];

/** The paths that begin with a field which every member of the union `D` has. */
export type CommonFieldPath<D> = (keyof D & string) | `${keyof D & string}.${string}`;

/** Whether a text is a dotted path: names without anything between two dots are mistakes. */
export const isFieldPath = (path: unknown): path is string =>
  typeof path === 'string' && path !== '' && path.split('.').every((field) => field !== '');
