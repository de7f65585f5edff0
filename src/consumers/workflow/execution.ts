import { Background } from '../../foundation/index.ts';
import type { Call } from './calls.ts';
import { Ending } from './ending.ts';
import { ExecutionRecord } from './execution-record.ts';
import { differenceReason, failedEntry, pendingEntry, runEnded } from './execution-rules.ts';
import type { Departure, ExecutionListener, ExecutionServices, HeldLane } from './execution-services.ts';
import { startFunction } from './function-context.ts';
import type { LoadedInstance, StuckReason } from './instance.ts';
import { callsMax, deliveryOf, type JournalEntry } from './journal.ts';
import { journalDamage, journalLoss } from './journal-check.ts';
import { type Found, OpenWaits } from './open-waits.ts';
import { recordFailure } from './recorded-failure.ts';
import { type FunctionEnd, FunctionRun, type Turn } from './replaying.ts';
import { type Outcome, type StepListener, StepRunner } from './step-runner.ts';

/*
 * One instance in memory.
 *
 *   replaying ──► live ──► (a result: handed over, recorded, flushed; then what was called begins) ──► live …
 *       │          ├── the function ended ──► closed, or compensating (ending.ts)
 *       │          ├── only moments and events are waited for: recorded ──► closed
 *       │          └── freeze ──► freezing: what runs is let end or given up, what it did is recorded ──► closed
 *       ├── it is being taken back ──► compensating ──► closed
 *       └── code and journal differ, too many calls, cannot be recorded ──► stuck: closed
 *
 * A result reaches the function at once; what the function then calls begins, and what it publishes becomes visible, only when
 * everything before it is committed. `#next` decides what comes next, `#enter` is the only way into another phase.
 */
type Phase = 'replaying' | 'live' | 'freezing' | 'compensating' | 'closed';

const onward: Readonly<Record<Phase, readonly Phase[]>> = {
  replaying: ['live', 'freezing', 'compensating', 'closed'],
  live: ['freezing', 'compensating', 'closed'],
  freezing: ['compensating', 'closed'],
  compensating: ['closed'],
  closed: [],
};

/** So much longer a wait goes on whose event may be on its way; its delivery wakes it earlier. */
const behindMs = 2_000;

export class Execution {
  readonly instance: LoadedInstance;
  readonly lane: HeldLane;
  readonly record: ExecutionRecord;
  readonly #services: ExecutionServices;
  readonly #listener: ExecutionListener;
  readonly #run: FunctionRun;
  readonly #abort = new AbortController();
  readonly #background: Background;
  readonly #waits: OpenWaits;
  /** Calls that have no result yet. */
  readonly #open = new Map<number, Call>();
  readonly #steps: StepRunner;
  readonly #ending: Ending;
  /** What was recorded since the instance was loaded, over what was loaded. */
  readonly #entries = new Map<number, JournalEntry>();
  #outcomes: Outcome[] = [];
  #toBegin: Call[] = [];
  #end: FunctionEnd | null = null;
  #stuck: StuckReason | null = null;
  #completion: number;
  #phase: Phase = 'replaying';
  #busy = false;
  #stored: 'running' | 'waiting' = 'running';
  #suspect: boolean;
  #frozen: ((settled: boolean) => void)[] = [];
  /** How often mail was announced. */
  #announced = 0;

  constructor(
    services: ExecutionServices,
    parts: {
      readonly instance: LoadedInstance;
      readonly lane: HeldLane;
      readonly listener: ExecutionListener;
      readonly suspect: boolean;
    },
  ) {
    const { instance, lane, listener, suspect } = parts;
    this.instance = instance;
    this.lane = lane;
    this.record = new ExecutionRecord(services, instance, lane);
    this.#services = services;
    this.#listener = listener;
    this.#suspect = suspect || instance.suspected;
    this.#waits = new OpenWaits(services, instance, {
      onFound: (found) => this.#takeMail(found),
      gone: () => this.#phase === 'closed',
    });
    this.#steps = new StepRunner(services, { instance, record: this.record }, this.#stepListener());
    this.#completion = Math.max(0, ...instance.journal.map(({ completion }) => completion ?? 0));
    for (const entry of instance.journal) if (!entry.undo) this.#entries.set(entry.ordinal, entry);
    this.#background = new Background((error) => this.#report(error));
    this.#run = new FunctionRun({
      journal: instance.journal,
      start: (run) => startFunction(run, { services, instance, signal: this.#abort.signal }),
      onLoose: (turn) => {
        this.#absorb(turn);
        this.#proceed();
      },
    });
    this.#ending = this.#makeEnding();
  }

  /** Whether something of it can fall due, or come, while it is in memory. */
  get waits(): boolean {
    return this.#open.size > this.#steps.size;
  }

  begin(): void {
    this.#background.run(async () => {
      const damage = journalDamage(this.instance.journal);
      if (damage !== null) return this.#ending.park(damage);
      const turn = await this.#run.replay();
      if (this.#phase === 'closed') return;
      this.#stuck = turn.difference === null ? journalLoss(this.instance) : differenceReason(turn.difference);
      if (this.instance.state === 'compensating') {
        this.#enter('compensating');
        this.#run.close();
        return this.#stuck === null ? this.#ending.compensate() : this.#ending.park(this.#stuck);
      }
      this.#enter('live');
      this.#absorb(turn);
      const due = this.instance.journal.filter((entry) => entry.due && !entry.undo);
      await this.#waits.look();
      this.fallDue(due.map(({ ordinal }) => ordinal));
    });
  }

  /** Moments of its pending calls have come. */
  fallDue(ordinals: readonly number[]): void {
    if (this.#phase !== 'live') return;
    for (const ordinal of ordinals) {
      const call = this.#open.get(ordinal);
      if (call === undefined || this.#steps.has(ordinal) || this.#toBegin.includes(call)) continue;
      if (this.#outcomes.some((outcome) => outcome.call === call)) continue;
      if (call.request.kind === 'sleep') this.#settle(call, { value: undefined, text: null });
      else if (call.request.kind === 'wait') this.#expire(call);
      else this.#toBegin.push(call);
    }
    this.#proceed();
  }

  /** The time limit of a wait has come. */
  #expire(call: Call): void {
    this.#background.run(async () => {
      try {
        const expiry = await this.#waits.expire(call.ordinal);
        if (this.#phase !== 'live') return;
        if (expiry === 'over') this.#settle(call, { value: null, text: 'null' });
        if (expiry !== 'expected') return;
        this.record.row({ entry: pendingEntry(call, 0), valueText: null, delayMs: behindMs });
        this.#listener.onExpect(behindMs);
      } finally {
        this.#proceed();
      }
    });
  }

  /** Mail may have come. */
  look(): void {
    this.#announced += 1;
    if (this.#phase === 'live' && this.#waits.size > 0) this.#background.run(() => this.#waits.look());
  }

  /**
   * Takes it out of memory as soon as what runs has ended; what has happened is recorded, nothing new begins. `hurry`: the signals of
   * what runs abort at once. Answers whether everything that began is on record.
   */
  freeze({ hurry }: { readonly hurry: boolean }): Promise<boolean> {
    if (this.#phase === 'closed') return Promise.resolve(false);
    if (hurry) this.#steps.abort();
    this.#enter('freezing');
    const done = new Promise<boolean>((resolve) => this.#frozen.push(resolve));
    this.#proceed();
    return done;
  }

  /** Gives up what runs: what it does from now on counts for nothing. */
  abandon(): void {
    this.#steps.abandon();
  }

  /** The lease is lost. */
  drop(): void {
    this.#depart({ kind: 'lost' });
    this.abandon();
  }

  #makeEnding(): Ending {
    return new Ending({
      services: this.#services,
      instance: this.instance,
      record: this.record,
      run: this.#run,
      waits: this.#waits,
      entries: this.#entries,
      recorded: () => this.#recorded(),
      stopped: () => this.#phase === 'closed' || this.#frozen.length > 0,
      closed: () => this.#phase === 'closed',
      inDoubt: () => this.instance.wasHeld || this.#steps.size > 0,
      compensating: () => this.#enter('compensating'),
      running: (undo) => this.#steps.watch(undo),
      depart: (departure) =>
        this.#depart(departure.kind === 'resting' ? { ...departure, dueMs: this.#dueMs } : departure),
    });
  }

  #stepListener(): StepListener {
    return {
      onOutcomes: (outcomes, { first }) => {
        if (first) this.#outcomes.unshift(...outcomes);
        else this.#outcomes.push(...outcomes);
      },
      onRetry: (entry, { delayMs, tookMs }) => {
        this.#entries.set(entry.ordinal, entry);
        this.record.row({ entry, valueText: null, delayMs, tookMs });
        this.#listener.onExpect(delayMs);
      },
      onCutOff: (call, attempts) => this.#noteCutOff(call, attempts),
      onOutdated: (kind) => this.#depart({ kind }),
      reserve: () => {
        this.#completion += 1;
        return this.#completion;
      },
      phase: () => this.#phase,
    };
  }

  /** It is begun again, or taken back; a transaction was rolled back and needs no note. */
  #noteCutOff(call: Call, attempts: number): void {
    if (call.request.kind !== 'step') return;
    const entry = { ...pendingEntry(call, attempts), error: this.#entries.get(call.ordinal)?.error ?? null };
    this.#entries.set(call.ordinal, entry);
    this.record.row({ entry, valueText: null, delayMs: 0 });
  }

  /** Takes in what the function did since the last result. */
  #absorb(turn: Turn): void {
    if (turn.difference !== null) this.#stuck ??= differenceReason(turn.difference);
    if (turn.overflown)
      this.#stuck ??= { reason: 'too many calls', message: `it made more than ${callsMax} calls` };
    for (const entry of turn.entries)
      this.record.row({ entry, valueText: entry.value === undefined ? null : JSON.stringify(entry.value) });
    this.record.publish(turn.drafts);
    for (const call of turn.calls) this.#take(call);
    this.#end ??= turn.end;
  }

  #take(call: Call): void {
    const { request, entry, ordinal } = call;
    this.#open.set(ordinal, call);
    if (request.kind === 'wait') this.#waits.open(call, request);
    // Recorded already: it goes on when its moment has come.
    if (entry !== null) return;
    const pending = { entry: pendingEntry(call, 0), valueText: null };
    if (request.kind === 'sleep') {
      this.record.row({ ...pending, delayMs: request.delayMs, until: request.until });
    } else if (request.kind === 'wait') {
      this.record.row({ ...pending, delayMs: request.withinMs });
      this.record.wait(this.#waits.rowOf(ordinal));
    } else this.#toBegin.push(call);
  }

  /** A sleep or a wait has its result. */
  #settle(call: Call, result: { readonly value: unknown; readonly text: string | null }): void {
    const entry: JournalEntry = { ...pendingEntry(call, 0), state: 'done', value: result.value };
    this.#outcomes.push({ call, entry, valueText: result.text });
  }

  #takeMail({ ordinal, event, error }: Found): void {
    const call = this.#open.get(ordinal);
    if (this.#phase !== 'live' || call === undefined) return;
    if (error === undefined) this.#settle(call, { value: event, text: JSON.stringify(event) });
    else this.#outcomes.push({ call, entry: failedEntry(call, error), valueText: null });
    this.#proceed();
  }

  /** Does what is to be done next; one thing at a time. */
  #proceed(): void {
    if (this.#busy || (this.#phase !== 'live' && this.#phase !== 'freezing')) return;
    const next = this.#next();
    if (next === null) return;
    this.#busy = true;
    this.#background.run(async () => {
      try {
        await next();
      } catch (error) {
        // A defect: what is stored goes on from its beginning.
        this.#report(error);
        this.#depart({ kind: 'stale' });
      } finally {
        this.#busy = false;
      }
      this.#proceed();
    });
  }

  #next(): (() => Promise<unknown>) | null {
    if (this.#stuck !== null) return () => this.#ending.park(this.#stuck as StuckReason);
    if (this.#outcomes.length > 0 && !this.#steps.committing) return () => this.#handOver();
    if (this.#phase === 'freezing') {
      if (this.#steps.size > 0) return null;
      return this.record.empty ? async () => this.#depart({ kind: 'frozen' }) : () => this.#flush();
    }
    if (this.#end !== null && this.#steps.size === 0 && this.#outcomes.length === 0)
      return () => this.#ending.finish(this.#end as FunctionEnd);
    if (this.#rests()) return () => this.#rest();
    if (!this.record.empty) return () => this.#flush();
    for (const call of this.#toBegin.splice(0)) this.#beginStep(call);
    return null;
  }

  async #handOver(): Promise<void> {
    const { call, entry, valueText, tookMs, recorded } = this.#outcomes.shift() as Outcome;
    const { ordinal, request } = call;
    if (!this.#open.delete(ordinal)) return;
    const completed: JournalEntry = recorded ? entry : { ...entry, completion: ++this.#completion };
    this.#entries.set(ordinal, completed);
    if (recorded) this.record.noteStored(completed);
    else this.record.row({ entry: completed, valueText, ...(tookMs === undefined ? {} : { tookMs }) });
    if (request.kind === 'wait') {
      const { contract, key } = request;
      this.record.wait({ ordinal, type: contract.type, key, after: 0, open: false });
    }
    // What a freezing instance does not get now it gets from its journal.
    if (this.#phase === 'freezing') return;
    const turn = await this.#run.deliver(ordinal, deliveryOf(completed));
    if (this.#phase !== 'closed') this.#absorb(turn);
  }

  async #flush(): Promise<boolean> {
    const begin = this.#toBegin;
    this.#toBegin = [];
    if (this.#stored === 'waiting') {
      this.record.change({ state: 'running', held: true, due: 'now' });
      this.#stored = 'running';
    }
    if (!(await this.#recorded())) return false;
    if (this.#phase === 'live') for (const call of begin) this.#beginStep(call);
    return true;
  }

  /** Whether what was gathered is recorded; if not, the instance has left memory. */
  async #recorded(): Promise<boolean> {
    if (this.#suspect) this.record.change({ progress: true });
    const result = await this.record.flush();
    if (this.#phase === 'closed') return false;
    switch (result.kind) {
      case 'recorded':
        if (this.#suspect) {
          this.#suspect = false;
          this.#listener.onSurvived();
        }
        this.#dueMs = result.dueMs;
        return true;
      case 'refused':
        this.#report(result.error);
        // Without what cannot be stored; its journal ends before it.
        await this.#ending.park({
          reason: 'cannot be recorded',
          message: recordFailure(result.error).message,
        });
        return false;
      default:
        this.#depart({ kind: result.kind });
        return false;
    }
  }

  #dueMs: number | null = null;

  /** Only moments and events are waited for. */
  #rests(): boolean {
    return (
      this.#end === null &&
      this.#open.size > 0 &&
      this.#steps.size === 0 &&
      !this.#waits.expiring &&
      this.#toBegin.length === 0 &&
      !this.#steps.committing
    );
  }

  /** Recorded as waiting, then the mail is looked for once more: what came before that was not announced to a waiting one. */
  async #rest(): Promise<void> {
    if (this.#stored !== 'waiting' || !this.record.empty) {
      this.record.change({ state: 'waiting', held: false, due: 'rest' });
      if (!(await this.#recorded())) return;
      this.#stored = 'waiting';
    }
    // What is announced meanwhile finds it still in memory, and its own look may end after the departure.
    for (let seen = -1; seen !== this.#announced && this.#outcomes.length === 0 && this.#phase === 'live'; ) {
      seen = this.#announced;
      await this.#waits.look();
      if (!(await this.#noteLooks())) return;
    }
    if (this.#outcomes.length === 0 && this.#phase === 'live' && this.record.empty)
      this.#depart({ kind: 'resting', dueMs: this.#dueMs });
  }

  /** What `where` has rejected is not asked again by whoever loads the instance next. When it is due stays as it is. */
  async #noteLooks(): Promise<boolean> {
    for (const wait of this.#waits.moved()) this.record.wait(wait);
    if (this.record.empty) return true;
    const dueMs = this.#dueMs;
    if (!(await this.#recorded())) return false;
    this.#dueMs = dueMs;
    return true;
  }

  #beginStep(call: Call): void {
    const attempts = this.#entries.get(call.ordinal)?.attempts ?? 0;
    this.#background.run(async () => {
      await this.#steps.run(call, attempts);
      this.#proceed();
    });
  }

  #depart(departure: Departure): void {
    if (!this.#enter('closed')) return;
    this.#run.close();
    this.#abort.abort(runEnded);
    if (this.#suspect) this.#listener.onSurvived();
    this.#listener.onDeparture(departure);
    const settled = departure.kind !== 'lost' && departure.kind !== 'stale' && this.#isSettled();
    for (const resolve of this.#frozen.splice(0)) resolve(settled);
  }

  /** False: it is past that. */
  #enter(phase: Phase): boolean {
    if (!onward[this.#phase].includes(phase)) return false;
    this.#phase = phase;
    return true;
  }

  /** Whether everything of it that began is on record, also what began before it was loaded here. */
  #isSettled(): boolean {
    const noted = ({ ordinal, request }: Call) => request.kind !== 'step' || this.#entries.has(ordinal);
    return this.#steps.size === 0 && (!this.instance.wasHeld || [...this.#open.values()].every(noted));
  }

  #report(error: unknown): void {
    const unit = `instance ${this.instance.id} of ${this.#services.workflow.name}`;
    this.#services.runner.telemetry.emit('engine.error', { unit, error });
  }
}
