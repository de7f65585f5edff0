import type { Duration, Json } from '../../foundation/index.ts';
import { compare } from '../compare/compare.ts';
import { type EventContract, isCommandContract } from '../contract.ts';
import { describeContracts, ownerOf } from '../gate/describe-contracts.ts';
import type { ContractsLock, LockedContract } from '../gate/lock.ts';
import { compareText } from '../gate/lock-text.ts';
import { previousOf, versionOf } from '../gate/readiness.ts';
import { type GateSubject, handles, type LiveConsumer } from '../gate/subject.ts';
import { exampleOf } from './example.ts';

/** Everything that a newcomer asks about one event or command. JSON throughout. */
export interface CatalogueEntry {
  readonly type: string;
  /** The type without its version: `shop.order.placed`. */
  readonly event: string;
  readonly version: number;
  readonly kind: string;
  readonly summary: string | null;
  readonly owner: string;
  readonly key: readonly string[];
  readonly ordering: string;
  readonly retention: string;
  readonly compatibility: string;
  readonly highImpact: boolean;
  readonly sla: { readonly handledWithin: Duration } | null;
  /** By dotted path: personal or secret. */
  readonly sensitivity: Readonly<Record<string, string>>;
  readonly deprecated: {
    readonly since: string;
    readonly until: string;
    readonly replacement: string | null;
  } | null;
  /** Of a command: the types that answer it, and how long a request waits unless it says otherwise. */
  readonly replies: readonly string[];
  readonly within: Duration | null;
  /** The commands that it answers. */
  readonly answers: readonly string[];
  /** The apps that publish it; this app where the contract names none. */
  readonly producers: readonly string[];
  readonly consumers: readonly CatalogueConsumer[];
  readonly schemas: readonly { readonly format: string; readonly output: Json; readonly input: Json }[];
  readonly example: Json | null;
  /** Against the version before; null where there is none. */
  readonly changes: CatalogueChanges | null;
  /** The lock file holds it exactly so; null where there is no lock file. */
  readonly accepted: boolean | null;
  /** What the entry lacks: schema, example, owner, producer, consumer. */
  readonly gaps: readonly string[];
}

export interface CatalogueConsumer {
  readonly name: string;
  readonly class: string;
  readonly owner: string;
  /** The fields that it reads; null: not declared, so it may read any. */
  readonly reads: readonly string[] | null;
  /** The releases that run; empty where no database was asked. */
  readonly live: readonly LiveConsumer[];
}

export interface CatalogueChanges {
  readonly from: string;
  readonly changes: readonly { readonly rule: string; readonly path: string; readonly message: string }[];
  /** Old events are read as this version. */
  readonly upcast: boolean;
}

export interface CatalogueOptions {
  readonly lock?: ContractsLock | null;
}

/**
 * The app's events for people and tools, sorted by type.
 * @example const entries = await catalogue({ app: 'shop', contracts, consumers: [], upcasters: [] })
 */
export const catalogue = async (
  subject: GateSubject,
  { lock = null }: CatalogueOptions = {},
): Promise<readonly CatalogueEntry[]> => {
  const { contracts, unavailable } = describeContracts(subject);
  const upcast = subject.upcasters.flatMap(({ from, to }) => [from, to]);
  const declared = new Map([...upcast, ...subject.contracts].map((contract) => [contract.type, contract]));
  const entries = [...declared.values()]
    .filter(({ type }) => !unavailable.has(type))
    .sort((a, b) => compareText(a.type, b.type))
    .map(async (contract) => {
      const described = contracts.get(contract.type);
      if (described === undefined) return [];
      const accepted = lock === null ? null : lock.contracts.get(contract.type)?.digest === described.digest;
      const example = await exampleOf(contract, described);
      const changes = await changesOf(contract.type, contracts, subject);
      return [entryOf({ contract, described, subject, accepted, example, changes })];
    });
  return (await Promise.all(entries)).flat();
};

interface EntryFacts extends Pick<CatalogueEntry, 'accepted' | 'example' | 'changes'> {
  readonly contract: EventContract;
  readonly described: LockedContract;
  readonly subject: GateSubject;
}

const entryOf = ({ contract, described, subject, ...rest }: EntryFacts): CatalogueEntry => {
  const { type } = contract;
  const { schemas, producers } = described;
  const entry = {
    type,
    ...versionOf(type),
    kind: described.kind,
    summary: contract.summary ?? null,
    owner: described.owner,
    key: described.key,
    ordering: described.ordering,
    retention: described.retention,
    compatibility: described.compatibility,
    highImpact: described.highImpact,
    sla: contract.sla ?? null,
    sensitivity: Object.fromEntries(described.sensitivity),
    deprecated: described.deprecated,
    replies: described.replies,
    within: isCommandContract(contract) ? (contract.within ?? null) : null,
    answers: subject.contracts
      .filter(isCommandContract)
      .filter(({ replies }) => replies.some((reply) => reply.type === type))
      .map((command): string => command.type)
      .sort(compareText),
    producers: producers.length === 0 ? [subject.app] : producers,
    consumers: subject.consumers
      .filter((consumer) => handles(consumer, type))
      .map((consumer) => ({
        name: consumer.name,
        class: consumer.class,
        owner: ownerOf(subject, consumer),
        reads: consumer.reads?.get(type) ?? null,
        live: (consumer.live ?? []).filter(({ types }) => types.includes(type)),
      }))
      .sort((a, b) => compareText(a.name, b.name)),
    schemas: schemas.map(({ format, output, input }) => ({ format, output, input })),
    ...rest,
  };
  return { ...entry, gaps: gapsOf(entry, isOwned(contract, subject)) };
};

/** An app that is its own owner has not said which team answers for it. */
const isOwned = ({ owner }: EventContract, subject: GateSubject): boolean =>
  owner !== undefined || (subject.owner !== undefined && subject.owner !== subject.app);

const gapsOf = (entry: Omit<CatalogueEntry, 'gaps'>, owned: boolean): readonly string[] => {
  const present = {
    schema: entry.schemas.length > 0,
    example: entry.example !== null,
    owner: owned,
    producer: entry.producers.length > 0,
    // Whoever asked waits for the reply, and is no consumer.
    consumer: entry.consumers.length > 0 || entry.kind === 'integration' || entry.answers.length > 0,
  };
  return Object.entries(present).flatMap(([part, there]) => (there ? [] : [part]));
};

const changesOf = async (
  type: string,
  contracts: ReadonlyMap<string, LockedContract>,
  { upcasters }: GateSubject,
): Promise<CatalogueChanges | null> => {
  const from = previousOf(type, contracts.keys());
  if (from === null) return null;
  const upcast = upcasters.some((upcaster) => upcaster.from.type === from && upcaster.to.type === type);
  const [before, after] = [from, type].map((each) => contracts.get(each)?.schemas[0]);
  if (before === undefined || after === undefined || before.format !== after.format)
    return { from, changes: [], upcast };
  const { changes } = await compare({
    format: after.format,
    mode: 'backward',
    old: before.output,
    new: after.output,
  });
  return { from, upcast, changes: changes.map(({ rule, path, message }) => ({ rule, path, message })) };
};
