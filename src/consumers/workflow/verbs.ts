import { keyHash } from '../../foundation/index.ts';
import { loadQueries, type NamedQuery, run } from '../../postgres/index.ts';
import type { OwnerAnswer, OwnerRequest, RunnerServices } from '../runner.ts';
import type { AnyWorkflow } from './definition.ts';
import type { HeldLane } from './execution-services.ts';
import type { InstanceState } from './instance.ts';
import type { JournalEntry } from './journal.ts';
import { runJournal } from './verify.ts';

const sql = loadQueries<
  | 'read_target'
  | 'end_instance'
  | 'skip_undos'
  | 'resume_instance'
  | 'settle_step'
  | 'patch_step'
  | 'patch_input'
  | 'fork_instance'
>(new URL('./verbs.sql', import.meta.url));

/** What the verbs need of the executor. */
export interface VerbPort {
  readonly laneOf: (keyHash: number) => HeldLane | undefined;
  /**
   * Takes the instance out of memory, and keeps it out while `work` runs. What it runs is let end, or aborts at once (`hurry`).
   * `settled`: it was in memory, and everything that began is on record.
   */
  readonly apart: <T>(id: number, hurry: boolean, work: (settled: boolean) => Promise<T>) => Promise<T>;
}

interface Target {
  readonly id: number;
  readonly key: string;
  readonly keyHash: number;
  readonly state: InstanceState;
  readonly ending: string | null;
  readonly input: unknown;
  readonly journal: readonly JournalEntry[];
}

interface Act {
  readonly request: OwnerRequest;
  readonly target: Target;
  readonly held: HeldLane;
  /** It was in memory here, and everything that began is on record. */
  readonly settled: boolean;
}

const refused = (reason: string): OwnerAnswer => ({ state: 'refused', answer: { reason } });
const done = (answer: Readonly<Record<string, unknown>> = {}): OwnerAnswer => ({ state: 'done', answer });
const lostRace = (): OwnerAnswer => refused('it has changed meanwhile; look at it again');

const text = (request: OwnerRequest, name: string): string | null => {
  const value = request.arguments[name];
  return typeof value === 'string' && value !== '' ? value : null;
};

/** In the forward direction. */
const stepsOf = ({ journal }: Target): readonly JournalEntry[] =>
  journal.filter(({ undo, kind }) => !undo && (kind === 'step' || kind === 'transaction'));

const stepNamed = (target: Target, name: string | null): JournalEntry | undefined =>
  stepsOf(target).find((entry) => entry.name === name);

const noFinishedStep = (target: Target, name: string | null): OwnerAnswer => {
  const finished = stepsOf(target).filter(({ completion }) => completion !== null);
  const known = finished.map((step) => step.name).join(', ') || 'none';
  return refused(`it has no finished step ${name}; finished are: ${known}`);
};

const json = (value: unknown): string | null => (value === undefined ? null : JSON.stringify(value));

/**
 * The verbs of people: arguments are { instance, … }. Each first takes the instance out of memory, then changes what is stored, so
 * that there is one way in which an instance goes on: it is loaded. Many may leave memory at one time, and the journals of one are read
 * and changed at a time.
 *
 *   cancel                            what it did is taken back, then cancelled; refused when its last step has happened
 *   retry                             a stuck one goes on; failed undos are tried anew, waiting retries at once
 *   skip { step, evidence, result? }  the failed undo of the step, or the step that is being retried, counts as done
 *   compensate { from? }              what it did is taken back, from this step down; later ones are left as they are
 *   patch { step? | input, value, before }   another result of a finished step, or another input
 *   fork { step?, key? }              a new instance with the journal up to the result of the step
 */
export class Verbs {
  readonly #services: RunnerServices;
  readonly #workflow: AnyWorkflow;
  readonly #port: VerbPort;
  #last: Promise<unknown> = Promise.resolve();

  constructor(services: RunnerServices, workflow: AnyWorkflow, port: VerbPort) {
    this.#services = services;
    this.#workflow = workflow;
    this.#port = port;
  }

  async carryOut(request: OwnerRequest): Promise<OwnerAnswer> {
    const verb = verbs[request.verb];
    const id = Number(request.arguments['instance']);
    if (verb === undefined) return refused(`a workflow does not know the verb ${request.verb}`);
    if (!Number.isSafeInteger(id)) return refused('the number of an instance is missing');
    const first = await this.#inTurn(() => this.#read(id));
    if (first === null)
      return refused(`there is no instance ${id} of ${this.#workflow.name} in this version`);
    const held = this.#port.laneOf(first.keyHash);
    if (held === undefined) return refused('its lane has just gone to another process; try again');
    await this.#services.testStep?.('workflow.before-act');
    const act = (settled: boolean): Promise<OwnerAnswer> =>
      this.#inTurn(async () => {
        const target = await this.#read(id);
        return target === null ? lostRace() : verb(this, { request, target, held, settled });
      });
    const hurry = request.verb === 'cancel' || request.verb === 'compensate';
    const answer = await (request.verb === 'fork' ? act(false) : this.#port.apart(id, hurry, act));
    await this.#services.testStep?.('workflow.after-act');
    return answer;
  }

  /** Runs one of the statements; false: it changed nothing. */
  async write(
    query: NamedQuery,
    act: Act,
    values: readonly unknown[] = [],
  ): Promise<readonly Record<string, unknown>[]> {
    const { target, held, request } = act;
    const first = [target.id, held.lane, held.token, request.actor, request.reason];
    return run(this.#services.database.operations, query, [...first, ...values]);
  }

  /** As `write`, for statements that leave no row of their own: without actor and reason. */
  async writePlain(
    query: NamedQuery,
    { target, held }: Act,
    values: readonly unknown[],
  ): Promise<readonly Record<string, unknown>[]> {
    return run(this.#services.database.operations, query, [target.id, held.lane, held.token, ...values]);
  }

  /** The ordinals that the function has called when it has got the results up to `completion`. */
  async called(target: Target, completion: number): Promise<number> {
    const entries = target.journal.filter(
      (entry) => !entry.undo && (entry.completion ?? Infinity) <= completion,
    );
    const { run: made } = await runJournal(this.#workflow, { ...target, entries });
    return made.callCount;
  }

  /** The steps that the function has called, without a result or with one that came after that of `step`. */
  async calledAfter(
    target: Target,
    step: JournalEntry,
  ): Promise<readonly Pick<JournalEntry, 'ordinal' | 'name'>[]> {
    const completions = new Map(
      target.journal.filter(({ undo }) => !undo).map(({ ordinal, completion }) => [ordinal, completion]),
    );
    const { run: made } = await runJournal(this.#workflow, { ...target, entries: target.journal });
    return [...made.steps.values()]
      .filter(({ ordinal }) => (completions.get(ordinal) ?? Infinity) > (step.completion ?? 0))
      .map(({ ordinal, name }) => ({ ordinal, name }));
  }

  /** Whether the function has made its last call, and only its end is not on record yet. */
  async hasReturned({ state, ...target }: Target): Promise<boolean> {
    if (state !== 'running' && state !== 'waiting') return false;
    const { turn } = await runJournal(this.#workflow, { ...target, entries: target.journal });
    return turn.difference === null && turn.end?.kind === 'returned';
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#last.then(work);
    this.#last = done.catch(() => undefined);
    return done;
  }

  async #read(id: number): Promise<Target | null> {
    const [row] = await run(this.#services.database.operations, sql.read_target, [
      id,
      this.#services.consumer.id,
    ]);
    if (row === undefined) return null;
    const journal = row['journal'] as (JournalEntry & { readonly hasValue: boolean })[];
    return {
      id,
      key: row['key'] as string,
      keyHash: row['key_hash'] as number,
      state: row['state'] as InstanceState,
      ending: row['ending'] as string | null,
      input: row['has_input'] === true ? row['input'] : undefined,
      journal: journal.map(({ hasValue, ...entry }) => (hasValue ? entry : { ...entry, value: undefined })),
    };
  }
}

const endInstance = async (verbs: Verbs, act: Act, ending: 'failed' | 'cancelled'): Promise<OwnerAnswer> => {
  const { request, target } = act;
  const { actor, reason } = request;
  const failure = {
    name: ending === 'cancelled' ? 'Cancelled' : 'Compensated',
    code: null,
    message: reason ?? `${ending === 'cancelled' ? 'cancelled' : 'taken back'} by ${actor}`,
    stack: '',
    details: null,
    cancelledBy: actor,
  };
  const detail = JSON.stringify({ state: target.state });
  const values = [JSON.stringify(failure), ending, detail, act.settled];
  const rows = await verbs.write(sql.end_instance, act, values);
  if (rows.length > 0) return done();
  return refused(
    target.state === 'compensating' ? 'what it did is being taken back already' : `it is ${target.state}`,
  );
};

/** What its last step did needs no undo, so one whose last step has happened is not taken back any more. */
const cancel = async (verbs: Verbs, act: Act): Promise<OwnerAnswer> =>
  (await verbs.hasReturned(act.target))
    ? refused('everything in it has happened, and it is about to be completed')
    : endInstance(verbs, act, 'cancelled');

const skip = async (verbs: Verbs, act: Act): Promise<OwnerAnswer> => {
  const { request, target } = act;
  const name = text(request, 'step');
  const evidence = text(request, 'evidence') ?? request.reason;
  const step = stepNamed(target, name);
  if (step === undefined) return refused(`it has no step ${name ?? '(missing)'}`);
  if (evidence === null) return refused('evidence is missing: how is it known that this is done?');
  const undo = target.journal.find((entry) => entry.undo && entry.ordinal === step.ordinal);
  const undone = undo?.state === 'failed' || undo?.state === 'pending';
  if (!undone && step.state !== 'pending') return refused('neither the step nor its undo is failing');
  const rows = undone
    ? await verbs.writePlain(sql.skip_undos, act, [JSON.stringify([step]), JSON.stringify(evidence)])
    : await verbs.writePlain(sql.settle_step, act, [step.ordinal, json(request.arguments['result'])]);
  if (rows.length === 0) return lostRace();
  const detail = JSON.stringify({ step: name, evidence, undo: undone });
  const resumed = await verbs.write(sql.resume_instance, act, ['skip', detail]);
  return resumed.length > 0 ? done() : lostRace();
};

const compensateFrom = async (verbs: Verbs, act: Act): Promise<OwnerAnswer> => {
  const { request, target } = act;
  const from = text(request, 'from');
  const step = from === null ? null : stepNamed(target, from);
  if (step !== null && step?.completion == null) return noFinishedStep(target, from);
  const answer = await endInstance(verbs, act, 'failed');
  if (answer.state !== 'done' || step === null) return answer;
  const later = await verbs.calledAfter(target, step);
  if (later.length > 0)
    await verbs.writePlain(sql.skip_undos, act, [
      JSON.stringify(later),
      JSON.stringify(`compensated from ${from}`),
    ]);
  return answer;
};

const patch = async (verbs: Verbs, act: Act): Promise<OwnerAnswer> => {
  const { request, target } = act;
  const { value, before } = request.arguments;
  if (value === undefined) return refused('the new value is missing');
  const name = text(request, 'step');
  if (name === null) {
    const rows = await verbs.write(sql.patch_input, act, [json(value), json(before)]);
    return rows.length > 0 ? done() : lostRace();
  }
  const step = stepNamed(target, name);
  if (step === undefined) return refused(`it has no step ${name}`);
  const rows = await verbs.write(sql.patch_step, act, [step.ordinal, json(value), json(before)]);
  return rows.length > 0 ? done() : lostRace();
};

const fork = async (verbs: Verbs, act: Act): Promise<OwnerAnswer> => {
  const { request, target } = act;
  const name = text(request, 'step');
  const step = name === null ? null : stepNamed(target, name);
  if (step !== null && step?.completion == null) return noFinishedStep(target, name);
  const completion = step?.completion ?? 0;
  const called = await verbs.called(target, completion);
  const kept = target.journal.filter(
    ({ undo, ordinal, completion: own, state }) =>
      !undo && ordinal < called && state !== 'pending' && (own === null || own <= completion),
  );
  const key = text(request, 'key') ?? target.key;
  const rows = await verbs.write(sql.fork_instance, act, [
    kept.map(({ ordinal }) => ordinal),
    key,
    keyHash(key),
  ]);
  const made = rows[0]?.['fork'];
  return made === undefined
    ? refused(`an instance lives under the key ${key}; give another one`)
    : done({ instance: made });
};

const verbs: Readonly<Record<string, (verbs: Verbs, act: Act) => Promise<OwnerAnswer>>> = {
  cancel,
  compensate: compensateFrom,
  skip,
  patch,
  fork,
  retry: async (own, act) => {
    const rows = await own.write(sql.resume_instance, act, ['retry', '{}']);
    return rows.length > 0 ? done() : refused(`it is ${act.target.state}`);
  },
};
