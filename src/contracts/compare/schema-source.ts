import { FactlineError, type Json } from '../../foundation/index.ts';
import type { SchemaFormat } from './comparison.ts';

/** A schema as it was handed in. */
export interface SchemaSource {
  readonly side: 'old' | 'new';
  readonly schema?: Json | undefined;
  readonly files?: Readonly<Record<string, string>> | undefined;
}

/** Where a schema without a path stands among the others: both sides have it, so they are one file for every rule. */
export const unnamedFile = 'schema.proto';

const barePattern = /^[A-Za-z_][\w.]*$/;

/**
 * JSON out of a text; what is parsed already stays as it is.
 * @throws FactlineError SCHEMA_INVALID
 */
export const jsonOf = (
  { side, schema }: { readonly side: string; readonly schema?: Json | undefined },
  format: SchemaFormat,
): Json => {
  if (schema === undefined) throw missing(format, side);
  if (typeof schema !== 'string') return schema;
  // In Avro a bare name is a whole schema.
  if (format === 'avro' && barePattern.test(schema)) return schema;
  try {
    return JSON.parse(schema.replace(/^\u{feff}/u, '')) as Json;
  } catch (error) {
    const reason = `it is not JSON: ${(error as Error).message}`;
    throw new FactlineError('SCHEMA_INVALID', { format, side, path: '(root)', reason }, { cause: error });
  }
};

/**
 * Protobuf's files by path.
 * @throws FactlineError SCHEMA_INVALID
 */
export const filesOf = ({ side, schema, files }: SchemaSource): ReadonlyMap<string, string> => {
  const isText = typeof schema === 'string';
  const given = isText || schema === undefined ? [] : Object.entries(schema ?? {});
  const all = new Map<string, unknown>([...Object.entries(files ?? {}), ...given]);
  // A text that stands among the files as well is one file, not two.
  if (isText && (files === undefined || ![...all.values(), ''].includes(schema)))
    all.set(unnamedFile, schema);
  if (all.size === 0) throw missing('protobuf', side);
  for (const [path, text] of all) {
    if (typeof text === 'string') continue;
    const details = { format: 'protobuf', side, path: path === '' ? '(root)' : path };
    throw new FactlineError('SCHEMA_INVALID', { ...details, reason: 'expected the text of a .proto file' });
  }
  return all as ReadonlyMap<string, string>;
};

const missing = (format: SchemaFormat, side: string): FactlineError =>
  new FactlineError('SCHEMA_INVALID', { format, side, path: '(root)', reason: 'it was not given' });
