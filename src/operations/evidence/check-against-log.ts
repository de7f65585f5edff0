import { ContractSet, type EventContract, type Upcaster } from '../../contracts/index.ts';
import { FactlineError, type Issue } from '../../foundation/index.ts';
import type { StoredEvent } from '../../log/index.ts';
import type { LogSample, SampledEvent, SampledSpan } from './sample.ts';

export interface AgainstLogRequest {
  readonly contracts: readonly EventContract[];
  readonly upcasters: readonly Upcaster[];
  readonly sample: LogSample;
}

/** Whether the contracts of this code can read what is really in the log. JSON. */
export interface LogEvidence {
  readonly span: SampledSpan;
  /** How many events were looked at, and how many of them some contract refuses. */
  readonly checked: number;
  readonly refused: number;
  /** Each counts for itself: an event that two read, one of them through an upcaster, counts for both. */
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
  /** These are parked because a schema refuses them: they have failed already. */
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
  /** For `quarantine show`; null: it is not parked. */
  readonly parkedId: number | null;
}

export const refusedEvent = ({ event, parked }: SampledEvent): RefusedEvent => ({
  id: event.id,
  position: event.position,
  parkedId: parked[0]?.id ?? null,
});

const eventsNamedMax = 20;
const membersNamedMax = 8;

/** `{orderId, pence}`: by its members a version is told from another. */
export const membersText = (members: readonly string[]): string =>
  `{${members.slice(0, membersNamedMax).join(', ')}${members.length > membersNamedMax ? ', …' : ''}}`;

/**
 * Opens the events of a sample as consumers do, with these contracts: through the same validation and the same upcasters. A schema
 * that is fine on paper may refuse what a producer really writes; checks that are functions count here, too.
 * @example checkAgainstLog({ contracts, upcasters, sample: await readSample(on, { types, limit: 200 }) })
 */
export const checkAgainstLog = ({ contracts, upcasters, sample }: AgainstLogRequest): LogEvidence => {
  const refused = new Set<SampledEvent>();
  const evidence = contracts
    .map((contract) => contractEvidence(contract, { upcasters, events: sample.events, refused }))
    .filter(({ checked }) => checked > 0)
    .sort((a, b) => (a.contract < b.contract ? -1 : 1));
  return {
    span: sample.span,
    checked: sample.events.length,
    refused: refused.size,
    contracts: evidence,
  };
};

interface Reading {
  readonly upcasters: readonly Upcaster[];
  readonly events: readonly SampledEvent[];
  /** Those that were refused, by whichever contract. */
  readonly refused: Set<SampledEvent>;
}

interface Reader {
  readonly contract: EventContract;
  /** Opens what the contract reads. */
  readonly reader: ContractSet;
}

const contractEvidence = (
  contract: EventContract,
  { upcasters, events, refused }: Reading,
): ContractEvidence => {
  // Alone: beside its predecessor an older event would be read as what it is.
  const reader = new ContractSet([contract], upcasters);
  const own = events.filter(({ event }) => reader.has(event.type));
  const byVersion = Map.groupBy(own, (each) => {
    const { event, members } = each;
    return JSON.stringify([event.type, event.source, members, hasFailed(each)]);
  });
  const versions = [...byVersion.values()].map((each) =>
    versionEvidence(each, { contract, reader }, refused),
  );
  return {
    contract: contract.type,
    checked: own.length,
    refused: versions.reduce((sum, each) => sum + each.refused, 0),
    versions,
  };
};

const hasFailed = ({ parked }: SampledEvent): boolean =>
  parked.some(({ failureClass }) => failureClass === 'schema');

/** `events`: of one version, the newest first; never none. */
const versionEvidence = (
  events: readonly SampledEvent[],
  reader: Reader,
  refusedAnywhere: Set<SampledEvent>,
): VersionEvidence => {
  const [newest] = events as [SampledEvent];
  const { type, source } = newest.event;
  const refusals = new Map<string, { refusal: Omit<Refusal, 'count' | 'events'>; events: RefusedEvent[] }>();
  let refused = 0;
  for (const sampled of events) {
    const reasons = refusalsOf(sampled, reader);
    if (reasons.size > 0) {
      refused += 1;
      refusedAnywhere.add(sampled);
    }
    for (const [name, refusal] of reasons) {
      const known = refusals.get(name) ?? { refusal, events: [] };
      known.events.push(refusedEvent(sampled));
      refusals.set(name, known);
    }
  }
  return {
    type,
    source,
    members: newest.members,
    parked: hasFailed(newest),
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

/** What this contract refuses, by what makes them the same. */
const refusalsOf = (
  { event }: SampledEvent,
  { contract, reader }: Reader,
): ReadonlyMap<string, Omit<Refusal, 'count' | 'events'>> => {
  try {
    reader.open(event);
    return new Map();
  } catch (error) {
    if (!FactlineError.is(error)) throw error;
    if (!isOf(contract, event, error)) return new Map();
    return new Map(
      issuesOf(error).map(({ path, message }) => {
        const refusal = { code: error.code, path: pointerOf(path), message };
        return [JSON.stringify(refusal), refusal];
      }),
    );
  }
};

/** On the way to this contract an older one may have refused it: that is told of the older one. */
const isOf = (contract: EventContract, { type }: StoredEvent, { code, details }: FactlineError): boolean =>
  code === 'UPCAST_FAILED' ? details['to'] === contract.type : type === contract.type;

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
