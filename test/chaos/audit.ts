import { fateOf, orderIdOf } from './chaos-workflow.ts';
import type { OutsideFacts } from './outside-process.ts';

/** What the database has of one instance. */
export interface InstanceFacts {
  readonly orderId: string;
  readonly state: string;
  readonly result: unknown;
  /** `reserve done`, `undo reserve done`, `ship failed`: steps and undos, as they are recorded. */
  readonly steps: readonly string[];
}

export interface ChaosFacts {
  readonly workflows: number;
  readonly instances: readonly InstanceFacts[];
  /** By order: how often it was written and published. */
  readonly bookings: ReadonlyMap<string, number>;
  readonly ended: ReadonlyMap<string, number>;
  readonly outside: OutsideFacts;
  readonly parked: number;
  /** Who has recorded something in lanes that were not his. */
  readonly intruders: readonly string[];
}

const finished = ['reserve done', 'book done', 'charge done', 'pack done', 'ship done'];
const takenBack = [
  ...['reserve done', 'book done', 'charge done', 'pack done', 'ship failed'],
  ...['undo reserve done', 'undo book done', 'undo charge done'],
];
const outsideWhenFinished = ['reserve', 'charge', 'pack', 'ship'];
const outsideWhenTakenBack = ['reserve', 'charge', 'pack', 'undo reserve', 'undo book', 'undo charge'];

const difference = (name: string, wanted: readonly string[], got: readonly string[]): string[] => {
  const [left, right] = [[...wanted].sort().join(', '), [...got].sort().join(', ')];
  return left === right ? [] : [`${name}: expected ${left}, got ${right || 'nothing'}`];
};

const auditOne = (facts: ChaosFacts, own: readonly InstanceFacts[], number: number): string[] => {
  const orderId = orderIdOf(number);
  const [instance] = own;
  if (instance === undefined || own.length !== 1) return [`${orderId}: ${own.length} instances`];
  const fate = fateOf(number);
  const fails = fate === 'fails';
  const counts = [
    ...difference(`${orderId} state`, [fails ? 'failed' : 'completed'], [instance.state]),
    ...difference(`${orderId} result`, [fails ? 'none' : fate], [String(instance.result ?? 'none')]),
    ...difference(`${orderId} steps`, fails ? takenBack : finished, instance.steps),
    ...difference(`${orderId} bookings`, ['1'], [String(facts.bookings.get(orderId) ?? 0)]),
    ...difference(`${orderId} ended`, [fails ? '0' : '1'], [String(facts.ended.get(orderId) ?? 0)]),
  ];
  return [...counts, ...auditOutside(facts, orderId, fails ? outsideWhenTakenBack : outsideWhenFinished)];
};

const auditOutside = ({ outside }: ChaosFacts, orderId: string, wanted: readonly string[]): string[] => {
  const things = [...outsideWhenFinished, ...outsideWhenTakenBack];
  const done = [...new Set(things)].filter((name) => outside[`${orderId} ${name}`] !== undefined);
  const keys = done.flatMap((name) => {
    const count = outside[`${orderId} ${name}`]?.keys.length ?? 0;
    return count === 1 ? [] : [`${orderId} ${name}: ${count} idempotency keys`];
  });
  return [...difference(`${orderId} outside`, wanted, done), ...keys];
};

/** Everything that is not as it has to be, whatever was killed. */
export const auditChaos = (facts: ChaosFacts): readonly string[] => {
  const byOrder = Map.groupBy(facts.instances, ({ orderId }) => orderId);
  const findings = Array.from({ length: facts.workflows }, (_, number) =>
    auditOne(facts, byOrder.get(orderIdOf(number)) ?? [], number),
  ).flat();
  findings.push(...facts.intruders);
  if (facts.parked > 0) findings.push(`${facts.parked} events are parked`);
  return findings;
};
