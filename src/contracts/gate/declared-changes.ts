import { canonicalJson } from '../../foundation/index.ts';
import type { FindingFacts } from './finding.ts';
import type { ContractFacts, LockedContract } from './lock.ts';

interface FactRule {
  readonly rule: string;
  readonly of: (facts: ContractFacts) => string;
  /** Whether somebody relies on how it was; without it any difference counts. */
  readonly breaks?: (locked: ContractFacts, current: ContractFacts) => boolean;
  readonly message: string;
  readonly remedy: string;
}

const rules: readonly FactRule[] = [
  {
    rule: 'kind-changed',
    of: ({ kind }) => kind,
    breaks: (locked, current) => locked.kind === 'command' || current.kind === 'command',
    message:
      'An event is for everybody, a command for its one handler: what is in the log under this type would change its meaning.',
    remedy: 'Declare the other one under a type of its own.',
  },
  {
    rule: 'reply-added',
    of: ({ replies }) => replies.join(', '),
    breaks: (locked, current) => current.replies.some((type) => !locked.replies.includes(type)),
    message:
      'Senders that run the present contract do not know this reply: they would wait for one of the others until their time is up.',
    remedy:
      'Publish a new version of the command (…v2) with this reply beside this one, or bring the contract to all its senders before the handler publishes it.',
  },
  {
    rule: 'key-changed',
    of: ({ key }) => key.join(', '),
    message:
      'The key decides which events wait for one another: earlier and later events of one entity would be handled side by side, in any order.',
    remedy: 'Publish a new version (…v2) with the new key beside this one, and deprecate this one.',
  },
  {
    rule: 'owner-changed',
    of: ({ owner }) => owner,
    message: 'Another team would answer for the event, and decide about its changes.',
    remedy: 'Let the present owner hand it over: its waiver is the record.',
  },
  {
    rule: 'ordering-changed',
    of: ({ ordering }) => ordering,
    message: 'Consumers were written for the order that was promised.',
    remedy: 'Publish a new version (…v2) with the other order beside this one.',
  },
  {
    rule: 'retention-shortened',
    of: ({ retention }) => retention,
    breaks: (locked) => locked.retention === 'forever',
    message: 'Events that a rebuild or a replay counts on may be removed.',
    remedy: "Keep retention: 'forever' as long as a consumer is rebuilt from these events.",
  },
  {
    rule: 'compatibility-weakened',
    of: ({ compatibility }) => compatibility,
    breaks: (locked, current) =>
      [...promisesOf(locked.compatibility)].some(
        (promise) => !promisesOf(current.compatibility).has(promise),
      ),
    message: 'Changes that consumers were protected from would pass from now on.',
    remedy: 'Keep the mode; a single exception is better waived than allowed for good.',
  },
];

/** What a mode keeps, so that modes can be held against each other. */
const promisesOf = (mode: string): ReadonlySet<string> => {
  const promises = new Set<string>();
  for (const direction of ['backward', 'forward'])
    if (mode.startsWith(direction) || mode.startsWith('full')) {
      promises.add(direction);
      if (mode.endsWith('-transitive')) promises.add(`${direction} with all earlier versions`);
    }
  return promises;
};

/** What changed in the declaration beside the schemas, where somebody relies on it. */
export const declaredFindings = (locked: LockedContract, current: LockedContract): readonly FindingFacts[] =>
  rules
    .filter((rule) => rule.of(locked) !== rule.of(current) && (rule.breaks?.(locked, current) ?? true))
    .map(({ rule, of, message, remedy }) => ({
      rule,
      kind: 'break',
      severity: 'error',
      message,
      remedy,
      old: of(locked),
      new: of(current),
    }));

const describedParts: readonly (readonly [string, (contract: LockedContract) => unknown])[] = [
  [
    'schema',
    ({ schemas }) =>
      schemas.map(({ format, outputDigest, inputDigest }) => [format, outputDigest, inputDigest]),
  ],
  ['kind', ({ kind }) => kind],
  ['key', ({ key }) => key],
  ['owner', ({ owner }) => owner],
  ['ordering', ({ ordering }) => ordering],
  ['retention', ({ retention }) => retention],
  ['compatibility', ({ compatibility }) => compatibility],
  ['policy', ({ policy }) => policy],
  ['high impact', ({ highImpact }) => highImpact],
  ['sensitivity', ({ sensitivity }) => [...sensitivity]],
  ['producers', ({ producers }) => producers],
  ['deprecation', ({ deprecated }) => deprecated],
  ['replies', ({ replies }) => replies],
  ['consumers', ({ consumers }) => [...consumers]],
];

/** The parts in which the code differs from the lock file, in words. */
export const differingParts = (locked: LockedContract, current: LockedContract): readonly string[] =>
  describedParts
    .filter(([, part]) => canonicalJson(part(locked)) !== canonicalJson(part(current)))
    .map(([name]) => name);
