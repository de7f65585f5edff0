import { isCommandContract } from '../contract.ts';
import { ownerOf } from './describe-contracts.ts';
import type { AffectedConsumer, Finding, FindingFacts } from './finding.ts';
import type { LockedConsumer, LockedContract } from './lock.ts';
import { compareText } from './lock-text.ts';
import { type GateConsumer, type GateSubject, handles } from './subject.ts';

/** One contract on both sides: null where that side does not know it. */
export interface ContractPair {
  readonly type: string;
  readonly locked: LockedContract | null;
  readonly current: LockedContract | null;
}

/** Makes the findings of one contract: whom they affect and who can let them pass does not depend on the rule. */
export const findingMaker = (
  pair: ContractPair,
  subject: GateSubject,
): ((facts: FindingFacts) => Finding) => {
  const consumers = [...consumersOnEitherSide(pair, subject), ...counterparts(pair, subject)];
  // Who has had the contract so far decides: nobody makes himself the owner by the change that he wants to get through.
  const owner = (pair.locked ?? pair.current)?.owner ?? null;
  return ({ path = '', ...facts }) => ({
    contract: pair.type,
    path,
    approver: facts.kind === 'break' ? owner : null,
    waiver: null,
    affected:
      facts.kind === 'break'
        ? consumers.map((consumer) => ({ ...consumer, uses: usesPath(consumer.reads, path) }))
        : [],
    ...facts,
  });
};

type Known = Omit<AffectedConsumer, 'uses'>;

const consumersOnEitherSide = (
  { type, locked, current }: ContractPair,
  subject: GateSubject,
): readonly Known[] => {
  const running = new Map(
    subject.consumers
      .filter((consumer) => handles(consumer, type))
      .map((consumer) => [consumer.name, runningConsumer(consumer, subject, type)]),
  );
  const known = (
    consumers: ReadonlyMap<string, LockedConsumer> | undefined,
    side: AffectedConsumer['known'],
  ): [string, Known][] =>
    [...(consumers ?? [])].map(([name, { class: kind, owner, reads }]) => [
      name,
      { name, class: kind, owner, reads, known: side, live: running.get(name)?.live ?? [] },
    ]);
  // What the code says of a consumer goes before what the lock file or a database says.
  const all = new Map([
    ...running,
    ...known(locked?.consumers, 'removed'),
    ...known(current?.consumers, 'declared'),
  ]);
  return [...all.values()].sort((a, b) => compareText(a.name, b.name));
};

/**
 * A command is written by others and read by its owner, the other way round than an event: those who send it notice a change.
 * They also read what answers it, and are no consumers.
 */
const counterparts = ({ type, locked, current }: ContractPair, subject: GateSubject): readonly Known[] => {
  const known = (names: readonly string[], kind: 'sender' | 'requester'): readonly Known[] =>
    [...new Set(names)]
      .sort(compareText)
      .map((name) => ({ name, class: kind, owner: name, reads: null, known: 'declared', live: [] }));
  const answered = subject.contracts
    .filter(isCommandContract)
    .filter(({ replies }) => replies.some((reply) => reply.type === type));
  const isCommand = (current ?? locked)?.kind === 'command';
  return [
    ...known(isCommand ? [locked, current].flatMap((side) => side?.producers ?? []) : [], 'sender'),
    ...known(
      answered.flatMap(({ producers }) => producers),
      'requester',
    ),
  ];
};

const runningConsumer = (consumer: GateConsumer, subject: GateSubject, type: string): Known => ({
  name: consumer.name,
  class: consumer.class,
  owner: ownerOf(subject, consumer),
  reads: consumer.reads?.get(type) ?? null,
  known: 'running',
  live: (consumer.live ?? []).filter(({ types }) => types.includes(type)),
});

// `/lines/0/price` is what consumers call lines.price: neither positions nor `*` have names there.
const fieldsOf = (pointer: string): readonly string[] =>
  pointer
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
    .filter((part) => part !== '*' && !/^\d+$/.test(part));

const withoutCase = (name: string): string => name.replaceAll('_', '').toLowerCase();

/** Whoever reads an object reads all its fields, and whoever reads a field is hit by a change of the object around it. */
const usesPath = (reads: readonly string[] | null, path: string): AffectedConsumer['uses'] => {
  if (reads === null) return 'unknown';
  // Avro and Protobuf name the record or message that holds a field, not the way to it; and `order_id` is read as `orderId`.
  const last = withoutCase(path.split('.').at(-1) ?? '');
  const named = (read: readonly string[]): boolean => read.some((field) => withoutCase(field) === last);
  const changed = fieldsOf(path);
  const around = (read: readonly string[]): boolean =>
    read.every((field, index) => changed[index] === undefined || changed[index] === field);
  const touches = path === '' || path.startsWith('/') ? around : named;
  return reads.some((read) => touches(read.split('.'))) ? 'yes' : 'no';
};
