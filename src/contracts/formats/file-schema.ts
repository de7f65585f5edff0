import { readFileSync } from 'node:fs';
import type { StandardSchemaV1 } from '@standard-schema/spec';
import { FactlineError } from '../../foundation/index.ts';
import type { SchemaFormat } from '../compare/comparison.ts';
import { type ContractEncoding, withEncoding } from './contract-schemas.ts';

/** A fault of a payload: where, from the root, and what is wrong there. */
export interface Fault {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

/** What a reader of payloads answers: the payload as it is kept, or what is wrong with it. */
export type Reading = { readonly value: unknown } | { readonly faults: readonly Fault[] };

/** A Standard Schema made from a file. `T` is what the user says the payload is: nothing is generated. */
export const fileSchema = <T>(
  encoding: ContractEncoding,
  read: (payload: unknown) => Reading,
): StandardSchemaV1<T, T> =>
  withEncoding(
    {
      '~standard': {
        version: 1,
        vendor: encoding.format,
        validate: (payload) => {
          const reading = read(payload);
          return 'faults' in reading ? { issues: reading.faults } : { value: reading.value as T };
        },
      },
    },
    encoding,
  );

export const refuseSchema = (
  format: SchemaFormat,
  fault: { readonly path: string; readonly reason: string },
): never => {
  throw new FactlineError('SCHEMA_INVALID', { format, side: 'declared', ...fault });
};

const decoder = new TextDecoder('utf-8', { fatal: true });

/** The text of a schema's file, which is UTF-8. */
export const readSchemaFile = (format: SchemaFormat, url: URL): string => {
  try {
    return decoder.decode(readFileSync(url));
  } catch (error) {
    return refuseSchema(format, { path: url.pathname, reason: (error as Error).message });
  }
};

/** A schema in JSON: the value itself, or that of its file. Copied, so that later changes of it change nothing. */
export const readJsonSource = (format: SchemaFormat, source: unknown): unknown => {
  if (!(source instanceof URL)) return structuredClone(source);
  const text = readSchemaFile(format, source);
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    return refuseSchema(format, { path: source.pathname, reason: (error as Error).message });
  }
};

export const isPlainObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
