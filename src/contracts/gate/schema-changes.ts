import { compare } from '../compare/compare.ts';
import type { CompareRequest } from '../compare/compare-request.ts';
import type { Change } from '../compare/comparison.ts';
import type { FindingFacts } from './finding.ts';
import type { LockedContract, LockedSchema } from './lock.ts';

/**
 * What a change of the schemas does, under the mode that was accepted: a mode that is weakened together with the schema
 * does not count yet. Which forms are held against each other decides everything:
 *
 *     backward   what producers have written (old output)   must be accepted by the new consumers (new input)
 *     forward    what producers will write   (new output)   must be accepted by the consumers that run (old input)
 */
export const schemaFindings = async (
  locked: LockedContract,
  current: LockedContract,
): Promise<readonly FindingFacts[]> => {
  const pairs = pairEncodings(locked.schemas, current.schemas);
  const found = await Promise.all(
    pairs.map(async ({ place, before, after }) => {
      if (before === null) return [];
      if (after === null) return [encodingRemoved(before)];
      return encodingFindings({ locked, place, before, after });
    }),
  );
  return found.flat();
};

interface EncodingPair {
  /** Which of the contract's schemas in this format. */
  readonly place: number;
  readonly before: LockedSchema | null;
  readonly after: LockedSchema | null;
}

const pairEncodings = (
  before: readonly LockedSchema[],
  after: readonly LockedSchema[],
): readonly EncodingPair[] =>
  (['json-schema', 'avro', 'protobuf'] as const).flatMap((format) => {
    const [old, young] = [before, after].map((schemas) => schemas.filter((each) => each.format === format));
    return Array.from({ length: Math.max(old?.length ?? 0, young?.length ?? 0) }, (_, place) => ({
      place,
      before: old?.[place] ?? null,
      after: young?.[place] ?? null,
    }));
  });

const encodingRemoved = ({ format }: LockedSchema): FindingFacts => ({
  rule: 'encoding-removed',
  kind: 'break',
  severity: 'error',
  format,
  message: `It is no longer published as ${format}: whoever reads that encoding gets nothing.`,
  remedy: 'Keep publishing it until nobody reads that encoding any more.',
});

interface EncodingChange {
  readonly locked: LockedContract;
  readonly place: number;
  readonly before: LockedSchema;
  readonly after: LockedSchema;
}

const encodingFindings = async (change: EncodingChange): Promise<readonly FindingFacts[]> => {
  const { before, after } = change;
  if (before.outputDigest === after.outputDigest && before.inputDigest === after.inputDigest) return [];
  const found = new Map<string, FindingFacts>();
  for (const request of requestsOf(change)) {
    const [{ changes }, known] = await Promise.all([compare(request), standingDifferences(change, request)]);
    for (const each of changes) {
      // What breaks on the wire breaks in JSON as well: once is enough.
      if (before.format === 'protobuf' && brokenAt(found, each.path)) continue;
      const name = `${each.rule} ${each.path}`;
      // One direction may break by what is harmless in the other one.
      const graver = each.severity === 'breaking' && found.get(name)?.kind !== 'break';
      const news = !known.has(name) && !found.has(name);
      if (graver || news) found.set(name, { ...factsOf(each), format: before.format });
    }
  }
  return [...found.values()];
};

const brokenAt = (found: ReadonlyMap<string, FindingFacts>, path: string): boolean =>
  [...found.values()].some((facts) => facts.kind === 'break' && facts.path === path);

/** The two forms of one schema differ by themselves; what already differed before the change is no news. */
const standingDifferences = async (
  { before }: EncodingChange,
  request: CompareRequest,
): Promise<ReadonlySet<string>> => {
  if (before.inputDigest === before.outputDigest) return new Set();
  const { history: _, ...newest } = request;
  const { changes } = await compare({ ...newest, old: before.output, new: before.input });
  return new Set(changes.map(({ rule, path }) => `${rule} ${path}`));
};

/** Backward and forward look at different forms, so `full` is two questions. */
const requestsOf = ({ locked, place, before, after }: EncodingChange): readonly CompareRequest[] => {
  const { compatibility, policy } = locked;
  const transitive = compatibility.endsWith('-transitive');
  const earlier = locked.history.flatMap(({ schemas }) => {
    const schema = schemas.filter(({ format }) => format === before.format)[place];
    return schema === undefined ? [] : [schema];
  });
  const { format } = before;
  const requests: CompareRequest[] = [];
  if (/^(?:backward|full)/.test(compatibility)) {
    const mode = transitive ? 'backward-transitive' : 'backward';
    const history = transitive ? earlier.map(({ output }) => output) : [];
    requests.push({ format, mode, policy, old: before.output, new: after.input, history });
    // The envelope is JSON: names count there as much as numbers do on the wire.
    if (format === 'protobuf')
      requests.push({ format, mode: 'wire-json', old: before.output, new: after.input });
  }
  if (/^(?:forward|full)/.test(compatibility)) {
    const mode = transitive ? 'forward-transitive' : 'forward';
    const history = transitive ? earlier.map(({ input }) => input) : [];
    requests.push({ format, mode, policy, old: before.input, new: after.output, history });
  }
  return requests;
};

const severities = { breaking: 'error', warning: 'warning', info: 'info' } as const;

const factsOf = ({ severity, version, message, ...change }: Change): FindingFacts => ({
  ...change,
  message: version === undefined ? message : `${message} (against version ${version} of its history)`,
  kind: severity === 'breaking' ? 'break' : 'notice',
  severity: severities[severity],
});
