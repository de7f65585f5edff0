import { type Invalid, invalidFor, type ParsedFile, parseFile } from './parse-file.ts';
import type { ProtobufFiles, ProtobufSchema } from './protobuf-schema.ts';
import { DefinitionReader } from './read-definitions.ts';
import { TypeNames } from './type-names.ts';
import { wellKnownFiles } from './well-known.ts';

/**
 * Reads all files of one version: proto2, proto3 and editions, with imports among them and of google/protobuf/*.
 * @param side names the schema in errors: `old`
 * @throws FactlineError SCHEMA_INVALID
 */
export const readProtobuf = (files: ProtobufFiles, side: string): ProtobufSchema => {
  const invalid = invalidFor(side);
  const parsed = [...files].map(([path, text]) => parseFile(path, text, invalid));
  for (const file of parsed) checkImports(file, files, invalid);
  const reader = new DefinitionReader(new TypeNames(parsed, invalid), invalid);
  for (const file of parsed) reader.read(file);
  return { ...reader.schema, files: new Map(parsed.map(({ definitions: _, ...file }) => [file.path, file])) };
};

/** An import may be written from another root than the paths that were given. */
const checkImports = ({ path, imports }: ParsedFile, files: ProtobufFiles, invalid: Invalid): void => {
  for (const wanted of imports) {
    if (files.has(wanted) || wellKnownFiles.has(wanted)) continue;
    const found = [...files.keys()].some(
      (given) => given.endsWith(`/${wanted}`) || wanted.endsWith(`/${given}`),
    );
    if (!found) throw invalid(path, `it imports ${wanted}, which was not given`);
  }
};
