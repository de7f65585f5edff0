/**
 * What registering one definition means, decided from what is stored. Pure: the caller reads before and writes after.
 *
 *   nothing stored under its names                     → insert
 *   stored as declared                                 → known
 *   a type more, or another number of lanes            → widen: a new generation
 *   only types less (or an earlier declaration)        → known: this code leads when no code for all types lives
 *   a projection's version without a build of its own  → insert (another build)
 *   anything that would change the meaning of stored progress → refused
 */
import { canonicalJson, FactlineError, type Issue, toMilliseconds } from '../../foundation/index.ts';
import { type ConsumerDefinition, keyVersion } from '../definition.ts';
import type { ConsumerState } from '../runner.ts';
import type { StoredConsumer, StoredGeneration } from './stored-consumer.ts';

interface Plan {
  /** Rows whose name or service level is written down anew. */
  readonly updates: readonly StoredConsumer[];
}

export interface Insertion extends Plan {
  readonly kind: 'insert';
  readonly name: string;
  readonly build: number;
  readonly state: ConsumerState;
}

export interface Known extends Plan {
  readonly kind: 'known';
  /** Of a projection: every build that this code feeds. */
  readonly consumers: readonly StoredConsumer[];
}

export interface Widening extends Plan {
  readonly kind: 'widen';
  readonly stored: StoredConsumer;
  /** What the lanes of the new generation read: nothing that was read before is left out. */
  readonly types: readonly string[];
  /** False: only the number of lanes or the key version changes. */
  readonly typesChange: boolean;
}

export type RegistrationPlan = Insertion | Known | Widening;

/** The tightest promise of its contracts; null: none promises anything. */
const promisedMs = ({ contracts }: ConsumerDefinition): number | null => {
  const promises = contracts.flatMap(({ sla }) => (sla ? [toMilliseconds(sla.handledWithin)] : []));
  return promises.length === 0 ? null : Math.min(...promises);
};

/** The declared service level as it is stored: the consumer's own, else what its contracts promise. */
export const storedObjective = (
  definition: ConsumerDefinition,
): { readonly handledWithinMs: number | null; readonly errorBudget: number | null } => ({
  handledWithinMs: definition.slo
    ? toMilliseconds(definition.slo.handledWithin, 'slo.handledWithin')
    : promisedMs(definition),
  errorBudget: definition.slo?.errorBudget ?? null,
});

/** @throws FactlineError CONSUMER_OF_ANOTHER_APP, CONSUMER_INVALID, PROJECTION_CHANGED_WITHOUT_VERSION. */
export const planRegistration = (
  definition: ConsumerDefinition,
  stored: readonly StoredConsumer[],
  appName: string,
): RegistrationPlan => {
  const own = ownRows(definition, stored);
  for (const row of own) refuseForeign(definition, row, appName);
  if (own.length === 0)
    return { kind: 'insert', name: definition.name, build: 1, state: 'live', updates: [] };
  return definition.class === 'projection' ? planProjection(definition, own) : planLanes(definition, own);
};

/** The rows that carry the definition's name, else an earlier or a later name of it. */
const ownRows = (
  definition: ConsumerDefinition,
  stored: readonly StoredConsumer[],
): readonly StoredConsumer[] => {
  const named = stored.filter((row) => row.name === definition.name);
  const renamed = stored.filter(
    (row) =>
      row.name !== definition.name &&
      (definition.formerly.includes(row.name) || row.formerNames.includes(definition.name)),
  );
  if (named.length === 0 || renamed.length === 0) return named.length > 0 ? named : renamed;
  // Both names carry progress of their own: which of the two is meant cannot be guessed.
  const names = [...new Set(renamed.map((row) => row.name))].join(', ');
  return refuse(definition, {
    path: 'formerly',
    expected: 'names under which this consumer ran before',
    actual: names,
    message: `${definition.name} and ${names} both have stored progress`,
  });
};

const refuseForeign = (definition: ConsumerDefinition, row: StoredConsumer, appName: string): void => {
  if (row.app !== appName) {
    throw new FactlineError('CONSUMER_OF_ANOTHER_APP', { consumer: definition.name, owner: row.app });
  }
  for (const path of ['class', 'ordering'] as const) {
    if (row[path] === definition[path]) continue;
    refuse(definition, {
      path,
      expected: row[path],
      actual: definition[path],
      message: 'stored progress has another meaning under it; give the consumer another name',
    });
  }
};

const refuse = (definition: ConsumerDefinition, issue: Issue): never => {
  throw new FactlineError('CONSUMER_INVALID', { consumer: definition.name, issues: [issue] });
};

/** An old process that still runs under an earlier name must not rename the consumer back. */
export const nameToStore = (definition: ConsumerDefinition, row: StoredConsumer): string =>
  definition.formerly.includes(row.name) ? definition.name : row.name;

const updatesOf = (definition: ConsumerDefinition, own: readonly StoredConsumer[]): StoredConsumer[] => {
  const { handledWithinMs, errorBudget } = storedObjective(definition);
  return own.filter(
    (row) =>
      row.name !== nameToStore(definition, row) ||
      row.handledWithinMs !== handledWithinMs ||
      row.errorBudget !== errorBudget,
  );
};

const planProjection = (definition: ConsumerDefinition, own: readonly StoredConsumer[]): RegistrationPlan => {
  const builds = own.filter((row) => row.version === definition.version && row.state !== 'retired');
  const updates = updatesOf(definition, own);
  if (builds.length === 0) {
    const name = nameToStore(definition, own[0] as StoredConsumer);
    const build = Math.max(...own.map((row) => row.build)) + 1;
    return { kind: 'insert', name, build, state: 'building', updates };
  }
  for (const row of builds) refuseChanged(definition, row);
  return { kind: 'known', consumers: builds, updates };
};

const refuseChanged = (definition: ConsumerDefinition, row: StoredConsumer): void => {
  const declared: Readonly<Record<string, unknown>> = definition.declaration ?? {};
  const changes = [...new Set([...Object.keys(declared), ...Object.keys(row.declaration)])].filter(
    (field) => asText(declared[field]) !== asText(row.declaration[field]),
  );
  if (!sameSet(row.types, [...definition.types])) changes.unshift('on');
  if (changes.length === 0) return;
  throw new FactlineError('PROJECTION_CHANGED_WITHOUT_VERSION', {
    projection: definition.name,
    issues: changes.join(', '),
    version: definition.version,
  });
};

const asText = (value: unknown): string => (value === undefined ? '' : canonicalJson(value));

const planLanes = (definition: ConsumerDefinition, own: readonly StoredConsumer[]): RegistrationPlan => {
  const stored = own[0] as StoredConsumer;
  const updates = updatesOf(definition, own);
  const known: Known = { kind: 'known', consumers: [stored], updates };
  if (declaredGeneration(definition, stored.generations) > 0) return known;
  const latest = stored.generations.at(-1)?.types ?? stored.types;
  const missing = latest.filter((type) => !definition.types.has(type));
  const added = [...definition.types].filter((type) => !latest.includes(type));
  // Types are only dropped by a person (`consumers accept`); until then this code runs what it has code for.
  if (missing.length > 0 && added.length === 0) return known;
  return {
    kind: 'widen',
    stored,
    types: [...latest, ...added].sort(),
    typesChange: added.length > 0,
    updates,
  };
};

/**
 * The newest generation that was declared exactly as this definition is; 0 when there is none. Over how many lanes a build
 * of a projection is filled is nothing that is declared.
 */
export const declaredGeneration = (
  definition: ConsumerDefinition,
  generations: readonly StoredGeneration[],
): number =>
  generations.findLast(
    (generation) =>
      (generation.lanes === definition.lanes || definition.class === 'projection') &&
      generation.keyVersion === keyVersion &&
      sameSet(generation.declaredTypes, [...definition.types]),
  )?.generation ?? 0;

/** The generations whose every type this definition has code for. */
export const coveredGenerations = (
  definition: ConsumerDefinition,
  generations: readonly StoredGeneration[],
): readonly number[] =>
  generations
    .filter(
      (generation) =>
        generation.keyVersion === keyVersion && generation.types.every((type) => definition.types.has(type)),
    )
    .map((generation) => generation.generation);

const sameSet = (left: readonly string[], right: readonly string[]): boolean => {
  const members = new Set(left);
  return members.size === new Set(right).size && right.every((member) => members.has(member));
};
