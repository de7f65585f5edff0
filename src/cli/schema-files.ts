import { readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { FactlineError } from '../foundation/index.ts';

/** A schema from the disk: the text of one file, or of Protobuf a folder's files by their path in it. */
export type SchemaOnDisk = { readonly text: string } | { readonly files: Readonly<Record<string, string>> };

/**
 * Reads what was named on the command line.
 * @param named how errors call it: `OLD`
 * @throws FactlineError OPTION_INVALID
 */
export const readSchema = (
  place: { readonly directory: string; readonly file: string },
  format: string,
  named: string,
): SchemaOnDisk => {
  const found = path.resolve(place.directory, place.file);
  try {
    if (!statSync(found).isDirectory()) return { text: readText(found) };
    if (format !== 'protobuf') throw unusable(named, 'a file', `the folder ${place.file}`);
    return { files: readProtobufFolder(found, named) };
  } catch (error) {
    if (FactlineError.is(error)) throw error;
    const { code, message } = error as { readonly code?: string; readonly message: string };
    throw unusable(named, 'a file or folder that can be read', `${place.file} (${code ?? message})`);
  }
};

const readProtobufFolder = (folder: string, named: string): Record<string, string> => {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.proto'))
    .sort();
  if (names.length === 0) throw unusable(named, 'a folder with .proto files', folder);
  return Object.fromEntries(
    names.map((name) => [name.replaceAll(path.sep, '/'), readText(path.join(folder, name))]),
  );
};

const decoder = new TextDecoder('utf-8', { fatal: true });

const readText = (file: string): string => {
  const bytes = readFileSync(file);
  try {
    return decoder.decode(bytes);
  } catch {
    throw unusable(file, 'text in UTF-8', 'other bytes');
  }
};

const unusable = (option: string, expected: string, actual: string): FactlineError =>
  new FactlineError('OPTION_INVALID', { option, expected, actual });
