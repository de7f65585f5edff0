import { FactlineError } from '../../foundation/index.ts';
import { type EventContract, isCommandContract } from '../contract.ts';
import { contractSchemas } from '../formats/contract-schemas.ts';
import { contractDigest, lockSchema } from './digest.ts';
import type { ContractFacts, LockedConsumer, LockedContract } from './lock.ts';
import { compareText } from './lock-text.ts';
import type { GateConsumer, GateSubject } from './subject.ts';

/** The code's contracts in the terms of the lock file, so that the two can be held side by side. */
export interface Described {
  readonly contracts: ReadonlyMap<string, LockedContract>;
  /** The contracts whose schemas cannot be had from their library, and why. */
  readonly unavailable: ReadonlyMap<string, FactlineError>;
}

export const describeContracts = (subject: GateSubject): Described => {
  const contracts = new Map<string, LockedContract>();
  const unavailable = new Map<string, FactlineError>();
  // A version that only an upcaster reads still stands for events that are in the log.
  const upcast = subject.upcasters.flatMap(({ from, to }) => [from, to]);
  for (const contract of new Set([...subject.contracts, ...upcast])) {
    try {
      contracts.set(contract.type, describeContract(contract, subject));
    } catch (error) {
      if (!FactlineError.is(error, 'CONTRACT_SCHEMA_UNAVAILABLE')) throw error;
      unavailable.set(contract.type, error);
    }
  }
  return { contracts, unavailable };
};

export const ownerOf = (subject: GateSubject, declared: { readonly owner?: string | undefined }): string =>
  declared.owner ?? subject.owner ?? subject.app;

const describeContract = (contract: EventContract, subject: GateSubject): LockedContract => {
  const { deprecated } = contract;
  const facts: ContractFacts = {
    kind: contract.kind,
    key: contract.key,
    owner: ownerOf(subject, contract),
    ordering: contract.ordering,
    retention: contract.retention,
    compatibility: contract.compatibility,
    policy: 'strict',
    highImpact: contract.highImpact,
    sensitivity: new Map(Object.entries(contract.sensitivity).sort(([a], [b]) => compareText(a, b))),
    producers: [...contract.producers].sort(compareText),
    deprecated:
      deprecated === undefined
        ? null
        : { since: deprecated.since, until: deprecated.until, replacement: deprecated.replacement ?? null },
    replies: isCommandContract(contract)
      ? contract.replies.map(({ type }): string => type).toSorted(compareText)
      : [],
    schemas: contractSchemas(contract).encodings.map(({ format, output, input }) =>
      lockSchema(format, output, input),
    ),
  };
  const consumers = consumersOf(subject, contract.type);
  return { ...facts, digest: contractDigest(facts), approval: null, consumers, history: [] };
};

export const consumersOf = (subject: GateSubject, type: string): ReadonlyMap<string, LockedConsumer> =>
  new Map(
    subject.consumers
      .filter(({ types }) => types.includes(type))
      .sort((a, b) => compareText(a.name, b.name))
      .map((consumer) => [consumer.name, describeConsumer(consumer, subject, type)]),
  );

const describeConsumer = (consumer: GateConsumer, subject: GateSubject, type: string): LockedConsumer => ({
  class: consumer.class,
  owner: ownerOf(subject, consumer),
  ordering: consumer.ordering,
  reads: consumer.reads?.get(type)?.toSorted(compareText) ?? null,
  upcast: consumer.upcast?.includes(type) ?? false,
});
