import {
  type BufCategory,
  type BufFinding,
  type BufRule,
  everywhere,
  generated,
  generatedAndCsr,
} from './buf-rule.ts';
import type { ProtobufFile, ProtobufMethod, ProtobufSchema } from './protobuf-schema.ts';
import type { SchemaPairs } from './schema-pairs.ts';

interface Defined {
  readonly name: string;
  readonly localName: string;
  readonly file: string;
}

type Kind = 'messages' | 'enums' | 'services' | 'extensions';

const kinds: readonly {
  readonly kind: Kind;
  readonly word: string;
  readonly categories: readonly BufCategory[];
}[] = [
  { kind: 'messages', word: 'MESSAGE', categories: ['file', 'csr'] },
  { kind: 'enums', word: 'ENUM', categories: ['file', 'csr'] },
  { kind: 'services', word: 'SERVICE', categories: ['file'] },
  { kind: 'extensions', word: 'EXTENSION', categories: ['file'] },
];

const definitions = (schema: ProtobufSchema, kind: Kind): readonly Defined[] => [...schema[kind].values()];
const packagesOf = ({ files }: ProtobufSchema): Set<string> =>
  new Set([...files.values()].map((file) => file.package));

/** Deleted from a file that is still there; a definition that moved to another file counts as deleted. */
const fileDeletions = ({ old, new: after }: SchemaPairs, kind: Kind): readonly BufFinding[] => {
  const left = new Set(definitions(after, kind).map(({ file, localName }) => `${file} ${localName}`));
  return definitions(old, kind)
    .filter(({ file, localName }) => after.files.has(file) && !left.has(`${file} ${localName}`))
    .map(({ name, file }) => ({ path: name, message: `It was deleted from ${file}.` }));
};

/** Deleted from a package that is still there; other files of the package will do. */
const packageDeletions = ({ old, new: after }: SchemaPairs, kind: Kind): readonly BufFinding[] => {
  const left = packagesOf(after);
  return definitions(old, kind)
    .filter(({ name, file }) => left.has(old.files.get(file)?.package ?? '') && !after[kind].has(name))
    .map(({ name }) => ({ path: name, message: 'It was deleted from its package.' }));
};

const deletionRules: readonly BufRule[] = kinds.flatMap(({ kind, word, categories }) => [
  {
    id: `${word}_NO_DELETE`,
    categories,
    remedy: 'Keep it, deprecated, and keep it in its file.',
    find: (pairs) => fileDeletions(pairs, kind),
  },
  {
    id: `PACKAGE_${word}_NO_DELETE`,
    categories: ['package'],
    remedy: 'Keep it, deprecated.',
    find: (pairs) => packageDeletions(pairs, kind),
  },
]);

/** A rule about what a file must keep. */
const sameFile = (
  id: string,
  categories: readonly BufCategory[],
  of: (file: ProtobufFile) => string,
): BufRule => ({
  id,
  categories,
  remedy: 'Leave it as it was; a new package is a new contract.',
  find: (pairs) =>
    pairs.files.flatMap((pair) => {
      const [old, after] = [of(pair.old), of(pair.new)];
      if (old === after) return [];
      const what = id.slice('FILE_SAME_'.length).toLowerCase();
      return [{ path: pair.old.path, old, new: after, message: `Its ${what} changed.` }];
    }),
});

/** Options that generated code depends on, with what holds where they are left out. */
const fileOptions: Readonly<Record<string, string>> = {
  cc_enable_arenas: 'true',
  cc_generic_services: 'false',
  csharp_namespace: '',
  go_package: '',
  java_generic_services: 'false',
  java_multiple_files: 'false',
  java_outer_classname: '',
  java_package: '',
  objc_class_prefix: '',
  optimize_for: 'SPEED',
  php_class_prefix: '',
  php_metadata_namespace: '',
  php_namespace: '',
  py_generic_services: 'false',
  ruby_package: '',
  swift_prefix: '',
};

const fileRules: readonly BufRule[] = [
  sameFile('FILE_SAME_PACKAGE', everywhere, (file) => file.package),
  sameFile('FILE_SAME_SYNTAX', generatedAndCsr, ({ syntax }) => syntax),
  ...Object.entries(fileOptions).map(([name, fallback]) =>
    sameFile(`FILE_SAME_${name.toUpperCase()}`, generated, ({ options }) =>
      String(options[name] ?? fallback),
    ),
  ),
  {
    id: 'FILE_NO_DELETE',
    categories: ['file', 'csr'],
    remedy: 'Keep the file.',
    find: ({ old, new: after }) =>
      [...old.files.keys()]
        .filter((path) => !after.files.has(path))
        .map((path) => ({ path, message: 'The file was deleted.' })),
  },
  {
    id: 'PACKAGE_NO_DELETE',
    categories: ['package'],
    remedy: 'Keep the package.',
    find: ({ old, new: after }) => {
      const left = packagesOf(after);
      return [...packagesOf(old)]
        .filter((name) => !left.has(name))
        .map((name) => ({ path: name, message: 'The package was deleted.' }));
    },
  },
];

const sameMethod = (id: string, what: string, of: (method: ProtobufMethod) => string): BufRule => ({
  id,
  categories: everywhere,
  remedy: 'Add another method instead.',
  find: ({ methods }) =>
    methods.flatMap((pair) => {
      const [old, after] = [of(pair.old), of(pair.new)];
      return old === after ? [] : [{ path: pair.old.path, old, new: after, message: `Its ${what} changed.` }];
    }),
});

const methodRules: readonly BufRule[] = [
  sameMethod('RPC_SAME_REQUEST_TYPE', 'request', ({ request }) => request),
  sameMethod('RPC_SAME_RESPONSE_TYPE', 'response', ({ response }) => response),
  sameMethod('RPC_SAME_CLIENT_STREAMING', 'client streaming', ({ clientStreaming }) =>
    String(clientStreaming),
  ),
  sameMethod('RPC_SAME_SERVER_STREAMING', 'server streaming', ({ serverStreaming }) =>
    String(serverStreaming),
  ),
  sameMethod('RPC_SAME_IDEMPOTENCY_LEVEL', 'idempotency level', ({ idempotency }) => idempotency),
  {
    id: 'RPC_NO_DELETE',
    categories: generated,
    remedy: 'Keep the method, deprecated.',
    find: ({ services }) =>
      services.flatMap((pair) =>
        [...pair.old.methods.values()]
          .filter(({ name }) => !pair.new.methods.has(name))
          .map(({ path }) => ({ path, message: 'The method was deleted.' })),
      ),
  },
];

export const bufFileRules: readonly BufRule[] = [...fileRules, ...deletionRules, ...methodRules];
