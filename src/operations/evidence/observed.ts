import type { EventContract, FindingFacts, Observed } from '../../contracts/index.ts';
import { countText } from '../duration-text.ts';
import {
  type ContractEvidence,
  type LogEvidence,
  membersText,
  type Refusal,
  type RefusedEvent,
  type VersionEvidence,
} from './check-against-log.ts';
import type { DryRunFailure, DryRunSummary } from './dry-run-summary.ts';

/** What the log says about contracts, as findings of the gate. */
export const observedInLog = (evidence: LogEvidence, contracts: readonly EventContract[]): Observed =>
  new Map(
    evidence.contracts
      .map((each): [string, readonly FindingFacts[]] => {
        const contract = contracts.find(({ type }) => type === each.contract);
        return [each.contract, refusalFacts(each, contract?.compatibility ?? 'backward')];
      })
      .filter(([, facts]) => facts.length > 0),
  );

/** What a dry run says, by the type of the events. `besideLog`: what schemas refuse is told by `observedInLog` already. */
export const observedInDryRun = (
  { consumer, events, failures }: DryRunSummary,
  { besideLog }: { readonly besideLog: boolean },
): Observed => {
  const told = failures.filter(({ failureClass }) => !besideLog || failureClass !== 'schema');
  return new Map(
    [...Map.groupBy(told, ({ type }) => type)].map(([type, each]) => [
      type,
      each.map((failure) => failureFacts(failure, consumer, events)),
    ]),
  );
};

/** What was observed by several means. */
export const observedTogether = (...all: readonly Observed[]): Observed => {
  const facts = all.flatMap((each) => [...each]);
  return new Map(
    [...Map.groupBy(facts, ([type]) => type)].map(([type, each]) => [type, each.flatMap(([, of]) => of)]),
  );
};

interface Seen {
  readonly version: VersionEvidence;
  readonly refusal: Refusal;
}

/** One finding for each reason, whoever wrote the events; those that have failed already apart. */
const refusalFacts = (
  { contract, versions, checked }: ContractEvidence,
  compatibility: EventContract['compatibility'],
): readonly FindingFacts[] => {
  const seen = versions.flatMap((version) => version.refusals.map((refusal): Seen => ({ version, refusal })));
  const alike = Map.groupBy(seen, ({ version, refusal }) =>
    JSON.stringify([version.parked, refusal.code, refusal.path, refusal.message]),
  );
  // Under these modes the new code need not read what the old one wrote; it is worth knowing all the same.
  const mayRefuse = compatibility === 'none' || compatibility.startsWith('forward');
  return [...alike.values()].map((each) =>
    refusalFact(each as [Seen, ...Seen[]], { contract, checked, mayRefuse }),
  );
};

interface Circumstances {
  readonly contract: string;
  readonly checked: number;
  readonly mayRefuse: boolean;
}

const refusalFact = (
  seen: readonly [Seen, ...Seen[]],
  { contract, checked, mayRefuse }: Circumstances,
): FindingFacts => {
  const [{ version, refusal }] = seen;
  const count = seen.reduce((sum, each) => sum + each.refusal.count, 0);
  const where = version.parked ? 'quarantine' : 'log';
  const told = version.parked || mayRefuse;
  return {
    rule: version.parked ? 'parked-event-refused' : 'log-event-refused',
    path: refusal.path,
    severity: told ? 'warning' : 'error',
    kind: told ? 'notice' : 'break',
    message: `${count} of ${countText(checked, 'event')} looked at would be refused, in the ${where}: ${refusal.message}. ${seen.map((each) => versionText(each, contract)).join(' ')}`,
    remedy: version.parked
      ? remedies.parked
      : 'Accept what stands there (a default, an optional field), or publish the next version and read this one through an upcaster.',
  };
};

const versionText = ({ version, refusal }: Seen, contract: string): string => {
  const { type, source, members, since, until, checked } = version;
  const [first, last] = [minuteOf(since), minuteOf(until)];
  const when = first === last ? `at ${last}` : `from ${first} to ${last}`;
  const as = type === contract ? '' : ` as ${type}`;
  const places = placesText(refusal.events, refusal.count);
  return `${refusal.count} of ${checked} that ${source} wrote ${when}${as} with ${membersText(members)}: ${places}.`;
};

/** `2026-11-21T18:04Z`: the log's times are UTC. */
const minuteOf = (time: string): string => `${time.slice(0, 16)}Z`;

const placesNamedMax = 3;

/** `position 7 (018f…), …`: what `factline events show` and `quarantine show` take. */
const placesText = (events: readonly RefusedEvent[], count: number): string => {
  const named = events
    .slice(0, placesNamedMax)
    .map(
      ({ id, position, parkedId }) =>
        `${parkedId === null ? `position ${position}` : `quarantine ${parkedId}`} (${id})`,
    );
  return `${named.join(', ')}${count > named.length ? ', …' : ''}`;
};

/** A row that is there already. */
const uniqueViolation = '23505';

const failureFacts = (failure: DryRunFailure, consumer: string, handled: number): FindingFacts => {
  const { parked, count, code, message, failureClass, fingerprint, events } = failure;
  const again = code === uniqueViolation;
  // The outside world was not ready, rows were locked, or it found what it wrote itself: that says nothing about the code.
  const told = parked || again || failureClass === 'transient';
  return {
    rule: parked ? 'parked-event-fails' : 'dry-run-failed',
    severity: told ? 'warning' : 'error',
    kind: told ? 'notice' : 'break',
    message: `${consumer} fails on ${count} of ${countText(handled, 'event')} in a dry run: ${code}: ${message} (fingerprint ${fingerprint}). ${placesText(events, count)}.`,
    remedy: again ? remedies.again : parked ? remedies.parked : remedies.failed,
  };
};

const remedies = {
  again:
    'It has handled them before and finds its own rows, which the inbox prevents in life. With `on conflict do nothing` it would also be ready to be given them again on purpose.',
  parked: 'They have failed before; this code does not help them.',
  failed: 'Handle what stands in the log, or read it through an upcaster.',
} as const;
