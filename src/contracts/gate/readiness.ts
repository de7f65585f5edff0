import { ownerOf } from './describe-contracts.ts';
import type { ContractsLock } from './lock.ts';
import { compareText } from './lock-text.ts';
import { type GateConsumer, type GateSubject, handles, type LiveConsumer } from './subject.ts';
import { unknownContract } from './unknown-contract.ts';

/** What a running system adds: which types each consumer has handled lately. What was handled is evidence, where a declaration is a promise. */
export interface HandledType {
  readonly consumer: string;
  readonly type: string;
  readonly events: number;
  /** Those that it has not handled: they wait, or are in the quarantine. */
  readonly waiting: number;
}

export interface ReadinessRequest {
  readonly subject: GateSubject;
  readonly lock: ContractsLock | null;
  readonly type: string;
  readonly handled?: readonly HandledType[];
}

/** 'ready': takes the new version only. 'both': takes either, as it is or through an upcaster. 'waiting': takes only the old one. */
export type ReadinessState = 'ready' | 'both' | 'waiting';

export interface ConsumerReadiness {
  readonly consumer: string;
  readonly class: string;
  readonly owner: string;
  /** Of the code. */
  readonly state: ReadinessState;
  /** Of what runs; empty where no database was asked. */
  readonly live: readonly (Pick<LiveConsumer, 'codeVersion' | 'processes'> & {
    readonly state: ReadinessState;
  })[];
  /** Of the old and the new version, and those of either that wait; null: not measured. */
  readonly handled: { readonly old: number; readonly new: number; readonly waiting: number } | null;
}

export interface Readiness {
  readonly type: string;
  /** The version before, null when there is none: then everybody who takes it is ready. */
  readonly previous: string | null;
  readonly consumers: readonly ConsumerReadiness[];
  readonly ready: boolean;
}

/**
 * Which consumers are ready for a version: those of it and of the version before, in the code and in what runs.
 * @throws FactlineError CONTRACT_UNKNOWN
 */
export const readiness = ({ subject, lock, type, handled }: ReadinessRequest): Readiness => {
  const known = new Set([
    ...subject.contracts.map((contract) => contract.type as string),
    ...subject.upcasters.flatMap(({ from, to }): string[] => [from.type, to.type]),
    ...(lock?.contracts.keys() ?? []),
  ]);
  if (!known.has(type)) throw unknownContract(type, known);
  const previous = previousOf(type, known);
  const consumers = subject.consumers
    .filter((consumer) => handles(consumer, type) || (previous !== null && handles(consumer, previous)))
    .sort((a, b) => compareText(a.name, b.name))
    .map((consumer) => ({
      consumer: consumer.name,
      class: consumer.class,
      owner: ownerOf(subject, consumer),
      // A consumer that is only known to run (another app's) is as ready as what runs.
      state: stateOf(consumer.types.length > 0 ? consumer.types : typesOf(consumer), { type, previous }),
      live: (consumer.live ?? []).map(({ codeVersion, processes, types }) => ({
        codeVersion,
        processes,
        state: stateOf(types, { type, previous }),
      })),
      handled: handled === undefined ? null : handledBy(consumer, { type, previous, handled }),
    }));
  return { type, previous, consumers, ready: consumers.every(isReady) };
};

const isReady = ({ state, live }: ConsumerReadiness): boolean =>
  state !== 'waiting' && live.every((release) => release.state !== 'waiting');

const typesOf = ({ live = [] }: GateConsumer): readonly string[] => live.flatMap(({ types }) => types);

/** The highest lower version of the same event. */
export const previousOf = (type: string, known: Iterable<string>): string | null => {
  const { event, version } = versionOf(type);
  const earlier = [...known].map(versionOf).filter((each) => each.event === event && each.version < version);
  const highest = Math.max(...earlier.map((each) => each.version));
  return earlier.length === 0 ? null : `${event}.v${highest}`;
};

/** `shop.order.placed.v2` as its event and its version. */
export const versionOf = (type: string): { readonly event: string; readonly version: number } => {
  const at = type.lastIndexOf('.v');
  return { event: type.slice(0, at), version: Number(type.slice(at + 2)) };
};

interface Step {
  readonly type: string;
  readonly previous: string | null;
}

const stateOf = (types: readonly string[], { type, previous }: Step): ReadinessState => {
  if (!types.includes(type)) return 'waiting';
  return previous !== null && types.includes(previous) ? 'both' : 'ready';
};

const handledBy = (
  { name }: GateConsumer,
  { type, previous, handled }: Step & { readonly handled: readonly HandledType[] },
): NonNullable<ConsumerReadiness['handled']> => {
  const own = handled.filter(({ consumer }) => consumer === name);
  const count = (what: 'events' | 'waiting', wanted: string | null): number =>
    own.filter((each) => each.type === wanted).reduce((sum, each) => sum + each[what], 0);
  return {
    old: count('events', previous),
    new: count('events', type),
    waiting: count('waiting', previous) + count('waiting', type),
  };
};
