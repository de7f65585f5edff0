import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

/**
 * Pairs of schemas out of a folder of histories, as many public repositories hold them: each folder below it that has schemas is the
 * history of one, and its files are the versions in the order of their names (`1-0-2` before `1-0-10`). `.avsc` is Avro, `.proto`
 * Protobuf (or a folder of that name, with all that the version imports), everything else that is JSON is JSON Schema.
 * Links, such as one to the latest version, are passed over.
 */
export interface HistoryPair {
  /** The folder and the names of both versions. */
  readonly id: string;
  /** The topmost folder. */
  readonly set: string;
  /** A line for `factline contracts compare --batch -`, but for its mode. */
  readonly line: Readonly<Record<string, unknown>>;
}

interface Version {
  readonly name: string;
  readonly format: string;
  /** Members of a line by the side that the version is on. */
  readonly on: (side: 'old' | 'new') => Record<string, unknown>;
}

const inOrder = new Intl.Collator('en', { numeric: true }).compare;

export function* historyPairs(root: string, folder = ''): Generator<HistoryPair> {
  const entries = readdirSync(path.join(root, folder), { withFileTypes: true }).sort((left, right) =>
    inOrder(left.name, right.name),
  );
  const versions: Version[] = [];
  for (const entry of entries) {
    const below = path.join(folder, entry.name);
    if (entry.isDirectory() && !entry.name.endsWith('.proto')) {
      if (!entry.name.startsWith('.')) yield* historyPairs(root, below);
    } else if (!entry.isSymbolicLink()) {
      const version = versionAt(path.join(root, below), entry.isDirectory());
      if (version !== undefined) versions.push(version);
    }
  }
  for (const [index, after] of versions.entries()) {
    const old = versions[index - 1];
    if (old === undefined || old.format !== after.format) continue;
    yield {
      id: `${folder}: ${old.name} → ${after.name}`,
      set: folder.split(path.sep)[0] ?? '',
      line: { format: after.format, ...old.on('old'), ...after.on('new') },
    };
  }
}

const versionAt = (file: string, isFolder: boolean): Version | undefined => {
  const name = path.basename(file);
  if (isFolder) {
    const files = Object.fromEntries(
      readdirSync(file, { recursive: true, encoding: 'utf8' })
        .filter((inner) => inner.endsWith('.proto'))
        .map((inner) => [inner, readFileSync(path.join(file, inner), 'utf8')]),
    );
    return { name, format: 'protobuf', on: (side) => ({ [`${side}_files`]: files }) };
  }
  const text = readFileSync(file, 'utf8');
  if (name.endsWith('.proto')) return { name, format: 'protobuf', on: (side) => ({ [side]: text }) };
  const schema = jsonIn(text);
  if (schema === undefined) return undefined;
  const format = name.endsWith('.avsc') ? 'avro' : 'json-schema';
  return { name, format, on: (side) => ({ [side]: schema }) };
};

const jsonIn = (text: string): unknown => {
  try {
    return JSON.parse(text.replace(/^\u{feff}/u, ''));
  } catch {
    return undefined;
  }
};
