import { ContractSet, type EventContract, type Upcaster } from '../../contracts/index.ts';
import { FactlineError, type Issue } from '../../foundation/index.ts';
import type { LogSample, SampledEvent, SampledSpan } from './sample.ts';

export interface AgainstLogRequest {
  readonly contracts: readonly EventContract[];
  readonly upcasters: readonly Upcaster[];
  readonly sample: LogSample;
}

/** Whether the contracts of this code can read what is really in the log. JSON. */
export interface LogEvidence {
  readonly span: SampledSpan;
  readonly checked: number;
  readonly refused: number;
  readonly contracts: readonly ContractEvidence[];
}

/** Of one contract: its own events, and those that an upcaster makes its own. */
export interface ContractEvidence {
  readonly contract: string;
  readonly checked: number;
  readonly refused: number;
  readonly versions: readonly VersionEvidence[];
}

/** One version of a producer, as far as the log tells them apart. */
export interface VersionEvidence {
  /** As it stands in the log: an older type where an upcaster leads from it. */
  readonly type: string;
  readonly source: string;
  readonly members: readonly string[];
  /** These stand in the quarantine, or wait behind what does: they have failed already. */
  readonly parked: boolean;
  readonly checked: number;
  readonly refused: number;
  /** When the oldest and the newest of them were recorded, ISO 8601. */
  readonly since: string;
  readonly until: string;
  /** The most frequent first. */
  readonly refusals: readonly Refusal[];
}

/** Events that are refused for the same reason; one that has several counts for each. */
export interface Refusal {
  readonly code: string;
  /** Where in the payload, as a JSON pointer with `*` for every place of a list; '' for the whole. */
  readonly path: string;
  readonly message: string;
  readonly count: number;
  /** The newest ones. */
  readonly events: readonly RefusedEvent[];
}

export interface RefusedEvent {
  readonly id: string;
  readonly position: number;
  readonly parkedId: number | null;
}

const eventsNamedMax = 20;

/**
 * Opens the events of a sample as consumers do, with these contracts: through the same validation and the same upcasters. A schema
 * that is fine on paper may refuse what a producer really writes; checks that are functions count here, too.
 * @example checkAgainstLog({ contracts, upcasters, sample: await readSample(on, { types, limit: 200 }) })
 */
export const checkAgainstLog = ({ contracts, upcasters, sample }: AgainstLogRequest): LogEvidence => {
  const evidence = contracts
    .map((contract) => contractEvidence(contract, upcasters, sample.events))
    .filter(({ checked }) => checked > 0)
    .sort((a, b) => (a.contract < b.contract ? -1 : 1));
  return {
    span: sample.span,
    checked: sum(evidence.map(({ checked }) => checked)),
    refused: sum(evidence.map(({ refused }) => refused)),
    contracts: evidence,
  };
};

const sum = (counts: readonly number[]): number => counts.reduce((total, count) => total + count, 0);

const contractEvidence = (
  contract: EventContract,
  upcasters: readonly Upcaster[],
  events: readonly SampledEvent[],
): ContractEvidence => {
  // Alone: beside its predecessor an older event would be read as what it is.
  const reader = new ContractSet([contract], upcasters);
  const own = events.filter(({ event }) => reader.has(event.type));
  const byVersion = Map.groupBy(own, ({ event, members, parkedId }) =>
    JSON.stringify([event.type, event.source, members, parkedId !== null]),
  );
  const versions = [...byVersion.values()].map((each) => versionEvidence(each, reader));
  return {
    contract: contract.type,
    checked: own.length,
    refused: sum(versions.map(({ refused }) => refused)),
    versions,
  };
};

/** `events`: of one version, the newest first; never none. */
const versionEvidence = (events: readonly SampledEvent[], reader: ContractSet): VersionEvidence => {
  const [newest] = events as [SampledEvent];
  const { type, source } = newest.event;
  const refusals = new Map<string, { refusal: Omit<Refusal, 'count' | 'events'>; events: RefusedEvent[] }>();
  let refused = 0;
  for (const sampled of events) {
    const reasons = refusalsOf(sampled, reader);
    if (reasons.size > 0) refused += 1;
    for (const [name, refusal] of reasons) {
      const { id, position } = sampled.event;
      const known = refusals.get(name) ?? { refusal, events: [] };
      known.events.push({ id, position, parkedId: sampled.parkedId });
      refusals.set(name, known);
    }
  }
  return {
    type,
    source,
    members: newest.members,
    parked: newest.parkedId !== null,
    checked: events.length,
    refused,
    since: (events.at(-1) ?? newest).event.recordedAt,
    until: newest.event.recordedAt,
    refusals: [...refusals.values()]
      .map((each) => ({
        ...each.refusal,
        count: each.events.length,
        events: each.events.slice(0, eventsNamedMax),
      }))
      .sort((a, b) => b.count - a.count),
  };
};

/** By what makes them the same. */
const refusalsOf = (
  { event }: SampledEvent,
  reader: ContractSet,
): ReadonlyMap<string, Omit<Refusal, 'count' | 'events'>> => {
  try {
    reader.open(event);
    return new Map();
  } catch (error) {
    if (!FactlineError.is(error)) throw error;
    return new Map(
      issuesOf(error).map(({ path, message }) => {
        const refusal = { code: error.code, path: pointerOf(path), message };
        return [JSON.stringify(refusal), refusal];
      }),
    );
  }
};

/** Without the values: those are somebody's data. An upcaster's failure is told by what its contract said, where it was that. */
const issuesOf = (error: FactlineError): readonly Pick<Issue, 'path' | 'message'>[] => {
  const issues = (FactlineError.is(error.cause) ? error.cause : error).details['issues'];
  if (Array.isArray(issues) && issues.length > 0) return issues as Issue[];
  const { eventId } = error.details;
  const message = typeof eventId === 'string' ? error.message.replaceAll(eventId, '…') : error.message;
  return [{ path: '', message }];
};

// `lines[2].price` becomes `/lines/*/price`: the same place of every line.
const pointerOf = (path: string): string =>
  [...path.matchAll(/\[(\d+)\]|\[("(?:[^"\\]|\\.)*")\]|([^.[\]]+)/g)]
    .map(([, index, quoted, name]) => {
      if (index !== undefined) return '/*';
      const member = quoted === undefined ? (name ?? '') : String(JSON.parse(quoted));
      return `/${member.replaceAll('~', '~0').replaceAll('/', '~1')}`;
    })
    .join('');
