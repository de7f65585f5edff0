import protobuf from 'protobufjs';
import { FactlineError } from '../../foundation/index.ts';
import { RecentlyUsed } from '../recently-used.ts';
import type { ProtobufFile } from './protobuf-schema.ts';

/** One file as the library reads it, with what it does not tell. */
export interface ParsedFile extends ProtobufFile {
  readonly imports: readonly string[];
  /** What the file defines, in its package. */
  readonly definitions: readonly protobuf.ReflectionObject[];
}

export type Invalid = (path: string, reason: string) => FactlineError;

export const invalidFor =
  (side: string): Invalid =>
  (path, reason) =>
    new FactlineError('SCHEMA_INVALID', { format: 'protobuf', side, path, reason });

/** What the library says of that. */
const groupInOneof = 'field must be a Field';

const editions: ReadonlySet<string> = new Set(['2023', '2024']);

/** What is imported is mostly the same in both versions, and in pair after pair of a batch. */
const parsedFiles = new RecentlyUsed<ParsedFile>(100);

/**
 * Parses each file by itself, so that what stands where is known, and nothing is mended on the way.
 * @throws FactlineError SCHEMA_INVALID with file and line
 */
export const parseFile = (path: string, text: string, invalid: Invalid): ParsedFile => {
  const key = `${path}\n${text}`;
  const file = parsedFiles.get(key) ?? parse(path, text, invalid);
  parsedFiles.keep(key, file);
  return file;
};

const parse = (path: string, text: string, invalid: Invalid): ParsedFile => {
  try {
    const syntax = syntaxOf(path, text, invalid);
    // Members of that name would be dropped in silence.
    if (text.includes('__proto__') && tokensOf(text).some((token) => token.split('.').includes('__proto__')))
      throw invalid(path, 'the name __proto__ cannot be used');
    const root = new protobuf.Root();
    const parsed = protobuf.parse(text, root, { keepCase: true });
    const name = parsed.package ?? '';
    const space = name === '' ? root : root.lookup(name);
    if (!(space instanceof protobuf.Namespace)) throw invalid(path, `the package ${name} is also a type`);
    return {
      path,
      package: name,
      syntax,
      options: space.options ?? {},
      imports: [...(parsed.imports ?? []), ...(parsed.weakImports ?? [])],
      definitions: space.nestedArray,
    };
  } catch (error) {
    if (FactlineError.is(error)) throw error;
    const { message } = error as Error;
    if (message === groupInOneof) throw invalid(path, 'it has a group in a oneof, which is not supported');
    const line = /\(line (\d+)\)/.exec(message)?.[1];
    throw invalid(line === undefined ? path : `${path}:${line}`, message.replace(/ \(line \d+\)/, ''));
  }
};

/** The first statement says it; the library keeps it to itself. */
const syntaxOf = (path: string, text: string, invalid: Invalid): ProtobufFile['syntax'] => {
  const tokens = protobuf.tokenize(text, false);
  let first = tokens.next();
  while (first === ';') first = tokens.next();
  if (first !== 'syntax' && first !== 'edition') return 'proto2';
  tokens.skip('=');
  // A string is a quotation mark, its text, and the mark again.
  tokens.next();
  const name = tokens.next() ?? '';
  if (first === 'syntax' && (name === 'proto2' || name === 'proto3')) return name;
  if (first === 'edition' && editions.has(name)) return 'editions';
  throw invalid(`${path}:${tokens.line}`, `the ${first} ${JSON.stringify(name)} is not known`);
};

const tokensOf = (text: string): string[] => {
  const tokens = protobuf.tokenize(text, false);
  const all: string[] = [];
  for (let token = tokens.next(); token !== null; token = tokens.next()) {
    if (token !== '"' && token !== "'") all.push(token);
    else {
      tokens.next();
      tokens.skip(token);
    }
  }
  return all;
};
