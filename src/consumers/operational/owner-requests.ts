import type { ContractSet } from '../../contracts/index.ts';
import { FactlineError } from '../../foundation/index.ts';
import { laneFor } from '../definition.ts';
import {
  discardRow,
  findDiscarded,
  findParked,
  findParkedRows,
  obstacleToRestoring,
  type ParkedRecord,
  type ReleaseResult,
  type RowOutcome,
  releaseRows,
  restoreRows,
} from '../parked/index.ts';
import type { OwnerAnswer, OwnerRequest, RunnerServices } from '../runner.ts';
import type { EffectLedger } from './effect-ledger.ts';
import type { KeyParking } from './key-parking.ts';
import { KeyQueue } from './key-queue.ts';
import type { LaneWork } from './lane-work.ts';
import type { Workload } from './workload.ts';

export interface OwnerRequestsOptions {
  readonly services: RunnerServices;
  readonly contracts: ContractSet;
  readonly workload: Workload;
  readonly parking: KeyParking;
  readonly effects: EffectLedger;
}

/** What people may ask of a parked event; carried out by the owner of its lane. */
const parkedVerbs = ['retry', 'discard', 'effect-happened', 'effect-did-not-happen'] as const;
type Key = Pick<ParkedRecord, 'key' | 'keyHash' | 'position' | 'state'>;

interface Target {
  readonly request: OwnerRequest;
  readonly record: ParkedRecord;
  readonly lane: LaneWork;
  readonly queue: KeyQueue;
}

const scopeOf = (services: RunnerServices): { consumerId: number; replayId: number } => ({
  consumerId: services.consumer.id,
  replayId: 0,
});

/** Carries out `quarantine retry | release | discard | restore` and what a person says about an effect of unknown outcome. */
export class OwnerRequests {
  readonly #options: OwnerRequestsOptions;

  constructor(options: OwnerRequestsOptions) {
    this.#options = options;
  }

  async carryOut(request: OwnerRequest): Promise<OwnerAnswer> {
    if (request.verb === 'release') return this.#release(request);
    if (request.verb === 'restore') return this.#restore(request);
    if (!(parkedVerbs as readonly string[]).includes(request.verb)) {
      return { state: 'refused', answer: { error: `a handler does not know "${request.verb}"` } };
    }
    const target = await this.#target(request);
    switch (request.verb) {
      case 'retry':
        return this.#retry(target);
      case 'discard':
        return this.#discard(target);
      default:
        return this.#settleEffect(target);
    }
  }

  /** @throws FactlineError QUARANTINE_NOT_FOUND */
  async #target(request: OwnerRequest): Promise<Target> {
    const { services } = this.#options;
    const id = request.parkedId ?? 0;
    const record = await findParked(services.database.operations, id);
    // What failed in a replay is its own: another replay delivers it again.
    if (record === null || record.consumerId !== services.consumer.id || record.replayId !== 0)
      throw new FactlineError('QUARANTINE_NOT_FOUND', { id });
    const lane = this.#laneOf(record);
    if (lane === undefined) throw this.#lostLane(this.#laneNumber(record));
    return { request, record, lane, queue: await this.#queueOf(lane, record) };
  }

  #laneNumber({ key, keyHash }: Key): number {
    const [any] = this.#options.workload.lanes.values();
    const { laneCount = 1 } = any?.lease ?? {};
    return laneFor({ ordering: 'key', lanes: laneCount }, { key, keyHash, id: '' });
  }

  #laneOf(record: Key): LaneWork | undefined {
    return this.#options.workload.lanes.get(this.#laneNumber(record));
  }

  #lostLane(lane: number): FactlineError {
    return new FactlineError('LEASE_LOST', { lane, consumer: this.#options.services.consumer.name });
  }

  /** The key's queue, once what it has on its way to the database is stored: that must not overtake what is decided here. */
  async #queueOf(lane: LaneWork, record: Key): Promise<KeyQueue> {
    const { services, workload } = this.#options;
    let queue = workload.queueOf(lane, record.key);
    if (queue === undefined) {
      queue = KeyQueue.parked(lane, record);
      workload.addQueue(queue);
    }
    for (let look = 0; look < looksMax && !lane.dropped && isBeingStored(queue); look += 1) {
      await services.clock.sleep(lookEveryMs);
    }
    return queue;
  }

  /** Part of the release of a group. What became of each event is seen by who asked: nothing is waited for here. */
  async #release(request: OwnerRequest): Promise<OwnerAnswer> {
    const { services } = this.#options;
    const ids = idsOf(request);
    const targets: Omit<Target, 'request'>[] = [];
    for (const record of await findParkedRows(services.database.operations, ids)) {
      const lane = record.consumerId === services.consumer.id ? this.#laneOf(record) : undefined;
      if (lane === undefined || record.state !== 'quarantined' || record.replayId !== 0) continue;
      targets.push({ record, lane, queue: await this.#queueOf(lane, record) });
    }
    const { lanes, released } = await this.#releaseRows(targets);
    const gone = targets.filter(({ lane, record }) => lanes.has(lane.lane) && released.has(record.position));
    for (const { queue, record } of gone) this.#goOn(queue, record);
    return { state: 'done', answer: { asked: ids.length, released: gone.length } };
  }

  #releaseRows(targets: readonly Omit<Target, 'request'>[]): Promise<ReleaseResult> {
    const { services } = this.#options;
    const held = new Map(targets.map(({ lane }) => [lane.lane, lane.lease.token]));
    return releaseRows(services.database.operations, scopeOf(services), {
      fences: [...held].map(([lane, token]) => ({ lane, token, position: 0 })),
      rows: targets.map(({ lane, record }) => ({
        lane: lane.lane,
        key: record.key,
        position: record.position,
      })),
    });
  }

  /** Back into quarantine, before everything of its key that was not handled since. */
  async #restore(request: OwnerRequest): Promise<OwnerAnswer> {
    const { services, parking } = this.#options;
    const id = request.parkedId ?? 0;
    const found = await findDiscarded(services.database.operations, id);
    const [key] = found?.keys ?? [];
    if (found === null || key === undefined || found.consumerId !== services.consumer.id)
      throw new FactlineError('QUARANTINE_NOT_FOUND', { id });
    const row: Key = { ...key, position: found.position, state: 'waiting' };
    const lane = this.#laneOf(row);
    if (lane === undefined) throw this.#lostLane(this.#laneNumber(row));
    const queue = await this.#queueOf(lane, row);
    const force = request.arguments['force'] === true;
    const restored = async (): Promise<{ position: number; state: 'quarantined' }> => {
      await this.#putBack({ id, lane, force });
      return { position: found.position, state: 'quarantined' };
    };
    for (let look = 0; look < looksMax && !lane.dropped; look += 1) {
      if (await parking.whileResting(queue, restored))
        return { state: 'done', answer: { id, position: found.position, force } };
      await services.clock.sleep(lookEveryMs);
    }
    return { state: 'refused', answer: { id, error: 'events of its key are being handled; try again' } };
  }

  /** @throws FactlineError RESTORE_REFUSED, LEASE_LOST */
  async #putBack(row: {
    readonly id: number;
    readonly lane: LaneWork;
    readonly force: boolean;
  }): Promise<void> {
    const { services } = this.#options;
    const { id, lane, force } = row;
    const now = await findDiscarded(services.database.operations, id);
    const obstacle = now === null ? null : obstacleToRestoring(now, { projection: false, force });
    if (obstacle !== null) throw new FactlineError('RESTORE_REFUSED', { id, ...obstacle });
    const fence = { lane: lane.lane, token: lane.lease.token, position: 0 };
    const keys = await restoreRows(services.database.operations, scopeOf(services), { fence, id });
    if (keys === null) throw this.#lostLane(lane.lane);
  }

  async #retry({ record, lane, queue }: Target): Promise<OwnerAnswer> {
    if (record.state === 'running') return this.#refused(record, 'its handler is running');
    const { lanes, released } = await this.#releaseRows([{ record, lane, queue }]);
    if (!lanes.has(lane.lane)) return this.#undone(record, lane, 'lost');
    if (!released.has(record.position)) return this.#undone(record, lane, 'missing');
    this.#goOn(queue, record);
    return { state: 'done', answer: { ...this.#factsOf(record), ...(await this.#outcomeOf(record, lane)) } };
  }

  async #discard({ request, record, lane, queue }: Target): Promise<OwnerAnswer> {
    const { services } = this.#options;
    const missing = [
      ...((request.reason ?? '').trim() === '' ? ['a reason'] : []),
      ...(request.actor.trim() === '' ? ['a name'] : []),
    ];
    if (missing.length > 0)
      throw new FactlineError('DISCARD_NEEDS_REASON', { id: record.id, missing: missing.join(' and ') });
    if (record.state === 'running') return this.#refused(record, 'its handler is running');
    const answer = { ...this.#factsOf(record), discarded: true, by: request.actor, reason: request.reason };
    const outcome = await discardRow(services.database.operations, scopeOf(services), {
      fence: { lane: lane.lane, token: lane.lease.token, position: 0 },
      key: record.key,
      position: record.position,
      keyHash: record.keyHash,
      requestId: request.id,
      answer,
    });
    if (outcome !== 'done') return this.#undone(record, lane, outcome);
    services.telemetry.emit('quarantine.discarded', {
      consumer: services.consumer.name,
      id: record.id,
      eventId: record.eventId,
      by: request.actor,
      reason: request.reason,
    });
    this.#goOn(queue, record);
    return { state: 'done', answer };
  }

  /** A person found out what became of a call; then the key goes on. */
  async #settleEffect(target: Target): Promise<OwnerAnswer> {
    const { effects } = this.#options;
    const { request, record } = target;
    const happened = request.verb === 'effect-happened';
    const eventId = record.eventId ?? '';
    const open = eventId === '' ? [] : await effects.open(eventId);
    const { effect = open.length === 1 ? open[0] : undefined, result } = request.arguments;
    if (typeof effect !== 'string' || !open.includes(effect)) {
      return this.#refused(
        record,
        open.length === 0
          ? 'no effect of this event has an unknown outcome'
          : `say which effect with --effect; of unknown outcome are: ${open.join(', ')}`,
      );
    }
    if (!(await effects.settle(eventId, effect, { happened, result })))
      return this.#refused(record, 'its outcome is known by now');
    const answer = await this.#retry(target);
    return { ...answer, answer: { ...answer.answer, effect, happened, by: request.actor } };
  }

  /** "Done" shall mean handled, so the answer says what became of it, as far as that is known within a moment. */
  async #outcomeOf(record: ParkedRecord, lane: LaneWork): Promise<Readonly<Record<string, unknown>>> {
    const { services } = this.#options;
    for (let look = 0; look < outcomeLooksMax && !lane.dropped; look += 1) {
      const now = await findParked(services.database.operations, record.id);
      if (now === null) return { outcome: 'handled' };
      if (now.state === 'quarantined' || now.state === 'retrying') {
        return { outcome: 'failed again', state: now.state, failure: now.failure };
      }
      await services.clock.sleep(outcomeLookMs);
    }
    return { outcome: 'waiting for its turn, or still running' };
  }

  /** The head of the key may have changed: the database knows whether it may run. */
  #goOn(queue: KeyQueue, record: ParkedRecord): void {
    // What is being loaded may have been read before the row was let go.
    if (queue.phase === 'loading') queue.askedAgain = true;
    if (queue.phase !== 'parked') return;
    queue.head = { position: record.position, state: 'waiting' };
    this.#options.parking.settled(queue);
  }

  #refused(record: ParkedRecord, error: string): OwnerAnswer {
    return { state: 'refused', answer: { ...this.#factsOf(record), error } };
  }

  #factsOf(record: ParkedRecord): Readonly<Record<string, unknown>> {
    return {
      id: record.id,
      key: this.#options.contracts.shownKey(record.key),
      position: record.position,
      eventId: record.eventId,
      type: record.eventType,
      attempts: record.attempts,
      failure: record.failure,
    };
  }

  #undone(record: ParkedRecord, lane: LaneWork, outcome: RowOutcome): OwnerAnswer {
    if (outcome === 'lost') throw this.#lostLane(lane.lane);
    return this.#refused(record, 'it is being handled, or was handled meanwhile');
  }
}

const outcomeLookMs = 50;
/** Three seconds in all: other requests wait behind this one. */
const outcomeLooksMax = 60;
const lookEveryMs = 20;
const looksMax = 250;

const idsOf = ({ parkedId, arguments: given }: OwnerRequest): readonly number[] => {
  const ids = Array.isArray(given['ids']) ? given['ids'] : [parkedId];
  return ids.filter((id): id is number => Number.isSafeInteger(id));
};

const isBeingStored = (queue: KeyQueue): boolean => queue.phase === 'parking' || queue.phase === 'loading';
