import { FactlineError } from '../../foundation/index.ts';
import type { Breaker } from '../breaker/index.ts';
import { describeFailure, type ParkedFailureClass, retryAfterMs } from '../parked/index.ts';
import type { RunnerServices } from '../runner.ts';
import { Attempt, type AttemptTools, type Outcome } from './attempt.ts';
import type { DispatchLimit } from './dispatch-limit.ts';
import type { Entry } from './entry.ts';
import type { InboxWriter } from './inbox-writer.ts';
import type { KeyParking } from './key-parking.ts';
import type { KeyQueue } from './key-queue.ts';
import type { LaneWork } from './lane-work.ts';
import type { RateLimiter } from './rate-limiter.ts';
import type { Redelivery } from './redelivery.ts';
import { decideRetry } from './retry-decision.ts';
import type { Suspects } from './suspects.ts';
import type { Workload } from './workload.ts';

export interface DispatcherOptions {
  readonly tools: AttemptTools;
  readonly services: RunnerServices;
  readonly workload: Workload;
  readonly parking: KeyParking;
  readonly inbox: InboxWriter;
  readonly limiter: RateLimiter | null;
  readonly breaker: Breaker;
  readonly suspects: Suspects;
  readonly limit: DispatchLimit;
  readonly redelivery: Redelivery;
  readonly onLost: (lane: LaneWork) => void;
  readonly onChange: () => void;
}

/** After a failure that is nobody's fault (our database is away), nothing begins for this long; it doubles while it lasts. */
const systemicPauseMsMin = 200;
const systemicPauseMsMax = 5_000;

/**
 * Begins events as slots become free. Fair over keys: one event of a key at a time, then the key that has waited longest, so
 * that a hot key gets one slot and a slow one holds one.
 */
export class Dispatcher {
  readonly #options: DispatcherOptions;
  readonly #running = new Map<KeyQueue, Attempt | null>();
  #handled = 0;
  #stopped = false;
  #pausedUntil = 0;
  /** A suspect was not let in when it was last looked at: see `Suspects`. */
  #suspectWaits = false;
  #systemicPauseMs = systemicPauseMsMin;

  constructor(options: DispatcherOptions) {
    this.#options = options;
  }

  /** Set by a person's pause: nothing begins. */
  paused = false;

  get inFlight(): number {
    return this.#running.size;
  }

  get handled(): number {
    return this.#handled;
  }

  get freeSlots(): number {
    return this.#options.tools.handler.concurrency - this.#running.size;
  }

  inFlightOf(lane: LaneWork): KeyQueue[] {
    return [...this.#running.keys()].filter((queue) => queue.lane === lane);
  }

  /** Gives up what runs in this lane: it rolls back and does not count. A COMMIT on its way still decides by itself. */
  abandon(lane: LaneWork): void {
    for (const queue of this.inFlightOf(lane)) this.#running.get(queue)?.abandon();
  }

  stop(): void {
    this.#stopped = true;
  }

  /** Begins what may begin. */
  pump(): void {
    const { workload, services } = this.#options;
    if (this.#stopped || this.paused || workload.ready.size + workload.readyReplayed.size === 0) return;
    if (services.clock.monotonic() < this.#pausedUntil) return;
    if (workload.ready.size > 0) this.#pumpLive();
    if (workload.readyReplayed.size > 0) this.#pumpReplayed();
  }

  /** Events of a replay begin only while no live event waits for a slot, and take some of the slots at most. */
  #pumpReplayed(): void {
    const { workload, breaker, limiter, suspects, redelivery } = this.#options;
    for (const queue of workload.readyReplayed) {
      const slots = Math.min(this.freeSlots, redelivery.slots - redelivery.pace.inFlight);
      if (workload.ready.size > 0 || slots <= 0 || breaker.open !== null) return;
      if (!redelivery.pace.mayBegin(this.#running.size - redelivery.pace.inFlight)) return;
      const entry = queue.nextReplayed;
      if (entry === undefined) workload.readyReplayed.delete(queue);
      else if (!entry.suspect || suspects.tryBegin(entry)) {
        if (limiter !== null && !limiter.tryTake()) {
          suspects.end(entry);
          return;
        }
        this.#begin(queue);
      }
    }
  }

  #pumpLive(): void {
    const { workload, breaker, limiter, suspects, limit } = this.#options;
    let waiting = false;
    for (const queue of workload.ready) {
      if (this.freeSlots <= 0) return;
      const entry = queue.next;
      if (entry === undefined) {
        workload.ready.delete(queue);
        continue;
      }
      // While a suspect waits for its turn the last free slot is its own: others would take it again and again.
      if (!entry.suspect && this.#suspectWaits && this.freeSlots === 1) {
        if (waiting) return;
        continue;
      }
      // Its dispatch limit is being raised; that calls us again.
      if (entry.open && !limit.admits(queue.lane, entry.position)) continue;
      if (this.#options.parking.obstacle(entry.event) !== null) {
        workload.ready.delete(queue);
        void this.#options.parking.parkNext(queue);
        continue;
      }
      if (!breaker.admits()) return;
      if (entry.suspect && !suspects.tryBegin(entry)) {
        waiting = true;
        this.#suspectWaits = true;
        continue;
      }
      if (limiter !== null && !limiter.tryTake()) {
        if (entry.suspect) suspects.end(entry);
        return;
      }
      this.#begin(queue);
    }
    if (waiting || !this.#suspectWaits) return;
    this.#suspectWaits = false;
    this.#pumpLive();
  }

  #begin(queue: KeyQueue): void {
    const { workload, services, redelivery, onChange } = this.#options;
    workload.ready.delete(queue);
    workload.readyReplayed.delete(queue);
    const now = services.clock.monotonic();
    const entry = queue.begin(now) ?? queue.beginReplayed(now);
    if (entry === undefined) return;
    this.#running.set(queue, null);
    if (entry.replay !== null) redelivery.pace.began();
    const probe = entry.replay === null && this.#options.breaker.beginAttempt();
    void this.#run(queue, entry, probe)
      .catch((error: unknown) => this.#defect(queue, entry, error))
      .finally(() => {
        this.#running.delete(queue);
        if (entry.suspect) this.#options.suspects.end(entry);
        if (entry.replay === null) this.#options.breaker.endAttempt(probe);
        else redelivery.pace.ended();
        workload.refresh(queue);
        onChange();
      });
  }

  async #run(queue: KeyQueue, entry: Entry, probe: boolean): Promise<void> {
    const { services } = this.#options;
    const since = services.clock.monotonic();
    const outcome = await this.#attempt(queue, entry);
    if (queue.lane.dropped) return;
    // A spilled key's rows are on their way into the table: what follows has to find them there.
    if (queue.spilling !== null) await queue.spilling;
    if (queue.lane.dropped) return;
    if (probe && (outcome.kind === 'committed' || outcome.kind === 'duplicate'))
      this.#options.breaker.probeHandled();
    const ms = services.clock.monotonic() - since;
    if (outcome.kind === 'committed') this.#report(entry, outcome.lateError, ms);
    await this.#settle(queue, entry, outcome);
  }

  async #attempt(queue: KeyQueue, entry: Entry): Promise<Outcome> {
    const { tools, suspects, inbox, redelivery, services } = this.#options;
    if (entry.suspect) {
      const verdict = await suspects.record(entry, queue.lane);
      if (verdict.kind !== 'run') return verdict.outcome;
    }
    await services.testStep?.('operational.before-attempt');
    const attempt = new Attempt(tools, entry, queue.lane.lease.token);
    this.#running.set(queue, attempt);
    const outcome = await attempt.run();
    await services.testStep?.('operational.after-attempt');
    if (outcome.kind !== 'finished') return outcome;
    const result = await (entry.replay === null ? inbox : redelivery).finish(entry, queue.lane);
    return result === 'handled' ? { kind: 'committed', lateError: undefined } : { kind: result };
  }

  async #settle(queue: KeyQueue, entry: Entry, outcome: Outcome): Promise<void> {
    switch (outcome.kind) {
      case 'committed':
        return this.#done(queue, entry);
      case 'duplicate':
        if (entry.replay === null) this.#countDuplicate();
        return this.#done(queue, entry);
      case 'lost':
        this.#count('lost');
        return this.#options.onLost(queue.lane);
      case 'abandoned':
        return queue.putBack();
      case 'failed':
        return this.#failed(queue, entry, outcome);
    }
  }

  async #done(queue: KeyQueue, entry: Entry): Promise<void> {
    const { workload, inbox, parking, breaker, redelivery } = this.#options;
    this.#systemicPauseMs = systemicPauseMsMin;
    if (entry.replay !== null) {
      redelivery.done(queue, entry);
      return parking.settled(queue);
    }
    breaker.handled(queue.key);
    // It was spilled after its commit had been made: the row is still there.
    if (entry.parked && !entry.deletesRow) await inbox.finish(entry, queue.lane);
    if (queue.lane.dropped) return;
    queue.running = null;
    workload.release(queue.lane, [entry]);
    parking.settled(queue);
  }

  async #failed(queue: KeyQueue, entry: Entry, outcome: Extract<Outcome, { kind: 'failed' }>): Promise<void> {
    const { services, tools, parking, redelivery } = this.#options;
    const { event } = entry;
    const redact = tools.contracts.redactionOf(event);
    const description = describeFailure(outcome.error, outcome.failureClass, redact);
    const { failureClass } = description;
    const attempts = entry.attempts + 1;
    services.telemetry.emit('event.attempt-failed', {
      consumer: tools.handler.name,
      eventId: entry.event.id,
      position: entry.position,
      attempt: attempts,
      failureClass,
      error: description.message,
    });
    this.#count(countedOutcome(failureClass, outcome.error));
    const facts = { failureClass, attempts, retryAfterMs: retryAfterMs(outcome.error) };
    const decision = decideRetry(facts, tools.handler.retryPolicies, services.randomness);
    if (decision.verdict === 'again') {
      this.#pause();
      return queue.putBack();
    }
    const { verdict } = decision;
    const next =
      verdict === 'retry'
        ? { state: 'retrying' as const, reason: failureClass, delayMs: decision.delayMs }
        : { state: 'quarantined' as const, reason: quarantineReason(failureClass, outcome.error) };
    const shownKey = tools.contracts.shownKey(queue.key);
    const failed = { entry, description, shownKey, attempts, next };
    if (entry.replay !== null) {
      await redelivery.failed(queue, failed);
      return parking.settled(queue);
    }
    // While the breaker is open, or opens with this failure, nothing is parked and nothing is counted.
    const uncounted = await this.#options.breaker.failed({ key: queue.key, description });
    if (queue.spilling !== null) await queue.spilling;
    if (queue.lane.dropped) return;
    if (uncounted) {
      // As in the database: what failed in the way that opened it has all its attempts again.
      if (this.#options.breaker.open?.fingerprint === description.fingerprint) entry.attempts = 0;
      return queue.putBack();
    }
    await parking.fail(queue, failed);
  }

  /** An error of ours, not of the handler: the event stays where it is and is tried again. */
  async #defect(queue: KeyQueue, entry: Entry, error: unknown): Promise<void> {
    const { services, tools } = this.#options;
    services.telemetry.emit('engine.error', { unit: `dispatching of ${tools.handler.name}`, error });
    if (queue.spilling !== null) await queue.spilling;
    if (queue.lane.dropped || queue.running !== entry) return;
    if (entry.replay !== null || queue.phase === 'flowing' || queue.phase === 'draining') queue.putBack();
    this.#pause();
  }

  /** What is in flight when our database goes fails together: that is one pause. */
  #pause(): void {
    const { services, onChange } = this.#options;
    const now = services.clock.monotonic();
    if (now < this.#pausedUntil) return;
    const ms = this.#systemicPauseMs;
    this.#pausedUntil = now + ms;
    this.#systemicPauseMs = Math.min(ms * 2, systemicPauseMsMax);
    services.clock.timer(ms + 1, onChange, { unref: true });
  }

  get #label(): { consumer: string } {
    return { consumer: this.#options.tools.handler.name };
  }

  #count(outcome: string): void {
    this.#options.services.telemetry.metrics.count('factline_handle_attempts_total', {
      ...this.#label,
      outcome,
    });
  }

  #countDuplicate(): void {
    this.#count('handled');
    this.#options.services.telemetry.metrics.count('factline_duplicates_suppressed_total', this.#label);
  }

  /** What a replay delivers does not count as live work. */
  #measure({ event }: Entry, durationMs: number): void {
    const { telemetry, liveDelays, clock } = this.#options.services;
    this.#handled += 1;
    this.#count('handled');
    telemetry.metrics.count('factline_events_handled_total', this.#label);
    telemetry.metrics.observe('factline_handle_duration_seconds', this.#label, durationMs / 1000);
    const latencyMs = Math.max(clock.wall().getTime() - Date.parse(event.recordedAt), 0);
    liveDelays.handled(this.#options.tools.handler.name, event.recordedAt);
    telemetry.metrics.observe('factline_handle_latency_seconds', this.#label, latencyMs / 1000);
  }

  #report(entry: Entry, lateError: unknown, durationMs: number): void {
    const { telemetry } = this.#options.services;
    const { event, position } = entry;
    const { handler, contracts } = this.#options.tools;
    const consumer = handler.name;
    if (entry.replay === null) this.#measure(entry, durationMs);
    telemetry.emit('event.handled', {
      consumer,
      eventId: event.id,
      position,
      attempt: entry.attempts + 1,
      durationMs,
    });
    if (entry.releasedId !== null) {
      telemetry.emit('quarantine.released', { consumer, id: entry.releasedId, eventId: event.id });
    }
    if (lateError !== undefined) {
      telemetry.emit('event.failed-after-commit', {
        consumer,
        eventId: event.id,
        position,
        error: describeFailure(lateError, undefined, contracts.redactionOf(event)).message,
      });
    }
  }
}

const countedOutcome = (failureClass: ParkedFailureClass, error: unknown): string => {
  if (FactlineError.is(error, 'HANDLER_TIMEOUT')) return 'timeout';
  if (failureClass === 'systemic') return 'lost';
  return failureClass === 'schema' ? 'permanent' : failureClass;
};

const quarantineReason = (failureClass: ParkedFailureClass, error: unknown): string => {
  if (FactlineError.is(error, 'KILLED_PROCESS')) return 'killed the process';
  if (FactlineError.is(error, 'EFFECT_OUTCOME_UNKNOWN')) return 'outcome unknown';
  return failureClass === 'transient' || failureClass === 'unclassified' ? 'attempts used up' : failureClass;
};
