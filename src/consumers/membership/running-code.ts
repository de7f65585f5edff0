import { contractSchemas, type EventContract, schemaDigest } from '../../contracts/index.ts';
import { FactlineError } from '../../foundation/index.ts';
import type { ConsumerDefinition } from '../definition.ts';

/** What a consumer of a process handles, and reads of it. */
export interface RunningConsumerCode {
  readonly class: ConsumerDefinition['class'];
  /** Upcast types included. */
  readonly types: readonly string[];
  /** Null: not declared. */
  readonly reads: Readonly<Record<string, readonly string[]>> | null;
}

/** What a process says of its code when it joins, so that a change of a contract can be held against what really runs. */
export interface RunningCode {
  readonly consumers: Readonly<Record<string, RunningConsumerCode>>;
  /** The digest of each contract's schemas; null when they cannot be written as data. */
  readonly contracts: Readonly<Record<string, string | null>>;
}

const digestOf = (contract: EventContract): string | null => {
  try {
    return schemaDigest(contractSchemas(contract));
  } catch (error) {
    if (FactlineError.is(error, 'CONTRACT_SCHEMA_UNAVAILABLE')) return null;
    throw error;
  }
};

/** Digests take about half a millisecond a contract: noticed by nobody beside the connections that a start makes. */
export const runningCode = (
  definitions: readonly ConsumerDefinition[],
  contracts: readonly EventContract[],
): RunningCode => ({
  consumers: Object.fromEntries(
    definitions.map(({ name, class: kind, types, reads }) => [
      name,
      { class: kind, types: [...types].sort(), reads: reads && Object.fromEntries(reads) },
    ]),
  ),
  contracts: Object.fromEntries(contracts.map((contract) => [contract.type, digestOf(contract)])),
});
