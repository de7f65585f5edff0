import { laneOf } from '../foundation/index.ts';
import { type Database, engineTransaction, loadQueries, run } from '../postgres/index.ts';
import type { Answered, ConsumerUnit } from './consumer-unit.ts';
import type { SeenRequest } from './membership/picture.ts';
import { insertGeneration } from './registration/register.ts';
import type { HeldPart, TestStep } from './runner.ts';
import { reachStep } from './steps.ts';

const sql = loadQueries<
  | 'answer_request'
  | 'pause_consumer'
  | 'resume_consumer'
  | 'pause_part'
  | 'resume_part'
  | 'held_parts'
  | 'wake_owners'
>(new URL('./requests.sql', import.meta.url));

/** Verbs that the shared engine carries out itself, for every class; all others go to the consumer's runner. */
const engineVerbs: Readonly<
  Record<string, (database: Database, unit: ConsumerUnit, request: SeenRequest) => Promise<Answered>>
> = {
  pause: async (database, unit, request) => {
    const part = partOf(request);
    if (part !== null) return pausePart(database, unit, { request, part });
    const reason = request.reason ?? 'paused by a person';
    const [paused] = await run(database.operations, sql.pause_consumer, [
      unit.registration.consumer.id,
      reason,
      request.actor,
      forMsOf(request),
      ...bufferOf(request),
    ]);
    unit.pause({ reason, by: request.actor });
    return { state: 'done', answer: { paused: true, until: paused?.['paused_until'] ?? null } };
  },
  resume: async (database, unit, request) => {
    const part = partOf(request);
    if (part !== null) return resumePart(database, unit, { request, part });
    const [resumed] = await run(database.operations, sql.resume_consumer, [request.consumerId]);
    unit.pause(null);
    return { state: 'done', answer: { paused: false, was: resumed?.['held'] === true } };
  },
  accept: acceptDeclaration,
};

const forMsOf = ({ arguments: { forMs } }: SeenRequest): number | null =>
  typeof forMs === 'number' && forMs > 0 ? forMs : null;

/** How many events may come while it is paused, or null, and whether it goes on by itself when more do. */
const bufferOf = ({ arguments: { buffer, thenResume } }: SeenRequest): [number | null, boolean] =>
  typeof buffer === 'number' && buffer > 0 ? [buffer, thenResume === true] : [null, false];

/** What of the consumer is meant; null: all of it. */
const partOf = ({ arguments: { type, key } }: SeenRequest): HeldPart | null => {
  if (typeof type === 'string') return { scope: 'type', value: type };
  return typeof key === 'string' ? { scope: 'key', value: key } : null;
};

interface PartRequest {
  readonly request: SeenRequest;
  readonly part: HeldPart;
}

const pausePart = async (
  database: Database,
  unit: ConsumerUnit,
  { request, part: { scope, value } }: PartRequest,
): Promise<Answered> => {
  const { definition, consumer } = unit.registration;
  if (!unit.holds)
    return { state: 'refused', answer: { reason: `a ${definition.class} is paused as a whole` } };
  if (scope === 'type' && !definition.types.has(value))
    return { state: 'refused', answer: { reason: `${definition.name} does not handle ${value}` } };
  if (scope === 'key' && !value.includes('='))
    return { state: 'refused', answer: { reason: `a key is written with its field: orderId=${value}` } };
  const reason = request.reason ?? 'paused by a person';
  const values = [consumer.id, scope, value, reason, request.actor, forMsOf(request), ...bufferOf(request)];
  const [paused] = await run(database.operations, sql.pause_part, values);
  await holdStored(database, unit);
  return { state: 'done', answer: { paused: true, [scope]: value, until: paused?.['paused_until'] ?? null } };
};

/** At once, where this process works the consumer; others see it with their next look. */
const holdStored = async (database: Database, unit: ConsumerUnit): Promise<void> => {
  const rows = await run(database.operations, sql.held_parts, [unit.registration.consumer.id]);
  unit.hold(rows.map(({ scope, value }) => ({ scope: scope as HeldPart['scope'], value: String(value) })));
};

const resumePart = async (
  database: Database,
  unit: ConsumerUnit,
  { part: { scope, value } }: PartRequest,
): Promise<Answered> => {
  const { id } = unit.registration.consumer;
  if ((await run(database.operations, sql.resume_part, [id, scope, value])).length === 0)
    return { state: 'refused', answer: { reason: `the ${scope} ${value} is not paused` } };
  await holdStored(database, unit);
  return { state: 'done', answer: { paused: false, [scope]: value } };
};

/** Drops the types for good that this process's code no longer declares: a generation of exactly what it declares. */
async function acceptDeclaration(
  database: Database,
  unit: ConsumerUnit,
  request: SeenRequest,
): Promise<Answered> {
  const { definition, stored } = unit.registration;
  const declared = [...definition.types].sort();
  const latest = stored.generations.at(-1)?.types ?? stored.types;
  const dropped = latest.filter((type) => !definition.types.has(type));
  if (dropped.length === 0) return { state: 'refused', answer: { reason: 'the code declares every type' } };
  const { value } = await engineTransaction(database.operations, (client) =>
    insertGeneration(client, {
      consumerId: stored.id,
      types: declared,
      declaredTypes: declared,
      lanes: definition.lanes,
      typesChange: true,
      accepted: { by: request.actor, because: request.reason },
    }),
  );
  return { state: 'done', answer: { dropped, ...value } };
}

/**
 * Carries out the open requests whose lane this process owns: the lane of the parked event, or the lowest one where the
 * request is about the whole consumer. A request is begun once in a process; it stays open, and is begun again, when
 * its outcome could not be written. What it does may therefore happen twice, like every repeat of a person's command.
 */
export class RequestDesk {
  readonly #database: Database;
  readonly #testStep: TestStep | undefined;
  readonly #begun = new Set<number>();

  constructor(database: Database, testStep: TestStep | undefined) {
    this.#database = database;
    this.#testStep = testStep;
  }

  accept(unit: ConsumerUnit, requests: readonly SeenRequest[]): void {
    for (const request of requests) {
      if (this.#begun.has(request.id) || !ownsLaneOf(unit, request)) continue;
      this.#begun.add(request.id);
      const done = (): void => void this.#begun.delete(request.id);
      const verb = Object.hasOwn(engineVerbs, request.verb) ? engineVerbs[request.verb] : undefined;
      if (verb === undefined) unit.carryOut(request, (answered) => this.#answer(request, answered), done);
      else unit.enqueue(async () => this.#answer(request, await verb(this.#database, unit, request)), done);
    }
  }

  async #answer(request: SeenRequest, answered: Answered): Promise<void> {
    const answer = JSON.stringify(answered.answer);
    await reachStep(this.#testStep, 'engine.before-answer');
    await run(this.#database.operations, sql.answer_request, [request.id, answered.state, answer]);
    await reachStep(this.#testStep, 'engine.after-answer');
    await run(this.#database.operations, sql.wake_owners, [String(request.consumerId)]);
  }
}

const ownsLaneOf = (unit: ConsumerUnit, request: SeenRequest): boolean => {
  const [lease] = unit.leases.values();
  if (lease === undefined) return false;
  return unit.leases.has(request.keyHash === null ? 0 : laneOf(request.keyHash, lease.laneCount));
};
