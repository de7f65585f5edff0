import { FactlineError } from '../../foundation/index.ts';
import { type ContractPair, findingMaker } from './affected.ts';
import { isOver } from './day.ts';
import { declaredFindings, differingParts } from './declared-changes.ts';
import type { Finding, FindingFacts } from './finding.ts';
import type { LockedContract } from './lock.ts';
import { compareText } from './lock-text.ts';
import { readFindings } from './read-findings.ts';
import { schemaFindings } from './schema-changes.ts';
import { type GateSubject, handles } from './subject.ts';

interface Moment {
  readonly subject: GateSubject;
  readonly today: string;
}

/** Everything that is to be said about one contract, without its waivers. */
export const contractFindings = async (
  pair: ContractPair,
  subject: GateSubject,
  today: string,
): Promise<readonly Finding[]> => {
  const make = findingMaker(pair, subject);
  const { locked, current } = pair;
  if (current === null) return locked === null ? [] : [make(removed(pair.type, locked, { subject, today }))];
  const facts: FindingFacts[] = [];
  if (locked === null) facts.push(added(pair.type, current));
  else {
    facts.push(...declaredFindings(locked, current), ...(await comparedFindings(locked, current)));
    const parts = differingParts(locked, current);
    if (parts.length > 0) facts.push(pending(pair.type, parts));
    facts.push(...newConsumersOfDeprecated(locked, current));
  }
  facts.push(
    ...handlerFindings(current, subject, pair.type),
    ...approvalFindings(pair.type, locked, current),
    ...deprecationFindings(pair.type, current, { subject, today }),
  );
  return [...facts.map(make), ...(await readFindings(pair, make))];
};

/** A schema that cannot be compared is one contract's matter: the others are checked all the same. */
const comparedFindings = async (
  locked: LockedContract,
  current: LockedContract,
): Promise<readonly FindingFacts[]> => {
  try {
    return await schemaFindings(locked, current);
  } catch (error) {
    if (!FactlineError.is(error, 'SCHEMA_INVALID')) throw error;
    const { message, remedy } = error;
    return [{ rule: 'schema-invalid', kind: 'break', severity: 'error', message, remedy }];
  }
};

const added = (type: string, { consumers }: LockedContract): FindingFacts => ({
  rule: 'contract-new',
  kind: 'pending',
  severity: 'error',
  message: 'The lock file does not know this contract yet.',
  remedy: `Review it, then: npx factline contracts accept ${type}${consumers.size === 0 ? ' (nobody consumes it yet)' : ''}`,
});

const pending = (type: string, parts: readonly string[]): FindingFacts => ({
  rule: 'not-accepted',
  kind: 'pending',
  severity: 'error',
  message: `The code differs from the lock file in: ${parts.join(', ')}.`,
  remedy: `Review the difference, then: npx factline contracts accept ${type}`,
});

/** Gone from the code. It may go when nobody is left, or when its deprecation has run out; else somebody waits for it in vain. */
const removed = (
  type: string,
  { consumers, deprecated }: LockedContract,
  { subject, today }: Moment,
): FindingFacts => {
  const left = subject.consumers
    .filter((consumer) => consumers.has(consumer.name) || handles(consumer, type))
    .map(({ name }) => name);
  const handling = subject.consumers.some((consumer) => handles(consumer, type));
  const ranOut = deprecated !== null && isOver(deprecated.until, today) && !handling;
  if (left.length === 0 || ranOut)
    return {
      rule: 'contract-removed',
      kind: 'pending',
      severity: 'error',
      message: ranOut
        ? `It was deprecated until ${deprecated.until} and is gone from the code.`
        : 'It is gone from the code, and nobody consumes it.',
      remedy: `Take it out of the lock file: npx factline contracts accept ${type}`,
    };
  return {
    rule: 'contract-removed',
    kind: 'break',
    severity: 'error',
    message: `It is gone from the code, but ${left.join(', ')} ${left.length === 1 ? 'is' : 'are'} known to consume it: events that are in the log, or that another app still publishes, would go unhandled.`,
    remedy: `Deprecate it first (npx factline contracts deprecate ${type}), or keep it readable with defineUpcaster(…) to its successor.`,
  };
};

/**
 * A command has one handler. None here is as it should be where this app is named among its senders: then another app has it,
 * and that one's check counts.
 */
const handlerFindings = (
  { kind, consumers, producers }: LockedContract,
  { app, consumers: known }: GateSubject,
  type: string,
): readonly FindingFacts[] => {
  if (kind !== 'command') return [];
  const running = known.filter((consumer) => handles(consumer, type)).map(({ name }) => name);
  const handlers = [...new Set([...consumers.keys(), ...running])].sort(compareText);
  if (handlers.length === 1 || (handlers.length === 0 && producers.includes(app))) return [];
  return [
    {
      rule: 'one-handler',
      kind: 'demand',
      severity: 'error',
      message:
        handlers.length === 0
          ? 'It is a command, and nobody handles it.'
          : `It is a command, and ${handlers.join(' and ')} handle it: each would do what was asked for once.`,
      remedy:
        handlers.length === 0
          ? 'Declare its handler; or, where another app handles it, name the apps that send it in `producers`, this one too.'
          : 'Leave it to one of them. What others should know is an event: let the handler publish it.',
    },
  ];
};

/** The owner's word is for one digest. Giving up the flag counts as a change under it. */
const approvalFindings = (
  type: string,
  locked: LockedContract | null,
  current: LockedContract,
): readonly FindingFacts[] => {
  if (!current.highImpact && locked?.highImpact !== true) return [];
  const approval = locked?.approval ?? null;
  if (approval?.digest === current.digest) return [];
  const sign = `npx factline contracts approve ${type} --by ${(locked ?? current).owner}/NAME`;
  return [
    {
      rule: 'approval-missing',
      kind: 'demand',
      severity: 'error',
      approver: (locked ?? current).owner,
      message:
        approval === null
          ? 'It has high impact, and its owner has not approved it.'
          : `It has high impact, and the approval of ${approval.by} (${approval.at.slice(0, 10)}) was for an earlier state: it is void.`,
      remedy: locked === null ? `Accept it, then let the owner sign: ${sign}` : `Let the owner sign: ${sign}`,
    },
  ];
};

const deprecationFindings = (
  type: string,
  { deprecated, consumers }: LockedContract,
  { subject, today }: Moment,
): readonly FindingFacts[] => {
  if (deprecated === null || !isOver(deprecated.until, today)) return [];
  const own = [...consumers].filter(([, { upcast }]) => !upcast).map(([name]) => name);
  // Its contract stays for as long as an upcaster reads what is in the log.
  if (own.length === 0 && subject.upcasters.some(({ from }) => from.type === type)) return [];
  const left = own.join(', ');
  const instead = deprecated.replacement === null ? '' : ` in favour of ${deprecated.replacement}`;
  return [
    {
      rule: 'deprecation-expired',
      kind: 'demand',
      severity: 'error',
      message: `It was deprecated until ${deprecated.until}${instead} and is still declared${left === '' ? '' : `; ${left} still consume${own.length === 1 ? 's' : ''} it`}.`,
      remedy: `Take it out of the code, or give its consumers more time: a later deprecated.until, then npx factline contracts accept ${type}`,
    },
  ];
};

const newConsumersOfDeprecated = (
  locked: LockedContract,
  { deprecated, consumers }: LockedContract,
): readonly FindingFacts[] => {
  if (deprecated === null) return [];
  return [...consumers]
    .filter(([name, { upcast }]) => !upcast && locked.consumers.get(name)?.upcast !== false)
    .map(([name]) => ({
      rule: 'deprecated-consumed',
      kind: 'break',
      severity: 'error',
      message: `${name} begins to consume it although it is deprecated until ${deprecated.until}.`,
      remedy:
        deprecated.replacement === null
          ? 'Build on an event that stays.'
          : `Consume ${deprecated.replacement} instead.`,
    }));
};
