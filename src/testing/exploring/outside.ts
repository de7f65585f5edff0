import { canonicalJson } from '../../foundation/index.ts';

/** What is asked of the outside world: the idempotency key, where there is one, and whatever else matters; JSON. */
export interface OutsideRequest {
  readonly idempotencyKey?: string | undefined;
  readonly [field: string]: unknown;
}

/** One call that reached the outside world. */
export interface OutsideCall {
  readonly name: string;
  readonly idempotencyKey: string | null;
  /** Without the key. */
  readonly request: Readonly<Record<string, unknown>>;
  /** The key was known: the first answer was given again, and nothing was done. */
  readonly repeated: boolean;
}

/**
 * The world outside of the database, as a good provider is: what comes under a key that it knows is answered as the first time
 * and not done again; without a key everything is done as often as it is asked for. It outlives every crash.
 */
export interface Outside {
  /**
   * @param answer what the world answers, or a function that works it out; when that throws nothing was done
   * @example charge: (pence, { idempotencyKey }) => outside.call('charge', { idempotencyKey, pence }, { id: 'ch-1' })
   */
  call<T>(name: string, request: OutsideRequest, answer: T | (() => T | Promise<T>)): Promise<T>;
  /** Every call, repeats included, oldest first. */
  calls(name?: string): readonly OutsideCall[];
  /** What was really done: the calls without the repeats. */
  effects(name?: string): readonly OutsideCall[];
}

/** What happens in the world after an effect, once: a carrier scans the parcel, a bank reports the payment. */
export type Reaction = (effect: OutsideCall) => Promise<unknown> | unknown;

/** Of one run; each life of the app gets its own door to it. */
export class OutsideWorld {
  readonly #calls: OutsideCall[] = [];
  readonly #answers = new Map<string, Promise<unknown>>();
  readonly #reactions: Readonly<Record<string, Reaction>>;
  readonly #reacting = new Set<Promise<unknown>>();
  readonly #failures: unknown[] = [];
  #hasReacted = false;

  constructor(reactions: Readonly<Record<string, Reaction>> = {}) {
    this.#reactions = reactions;
  }

  /** A dead process calls nobody: what it still does leads nowhere. */
  door(isDead: () => boolean = () => false): Outside {
    return {
      call: (name, request, answer) => (isDead() ? new Promise(() => {}) : this.#call(name, request, answer)),
      calls: (name) => this.#calls.filter((call) => name === undefined || call.name === name),
      effects: (name) =>
        this.#calls.filter((call) => !call.repeated && (name === undefined || call.name === name)),
    };
  }

  /** Waits for reactions that are under way; whether there were any since it was asked last. @throws what one of them threw */
  async reacted(): Promise<boolean> {
    while (this.#reacting.size > 0) await Promise.all(this.#reacting);
    if (this.#failures.length > 0) throw this.#failures[0];
    const reacted = this.#hasReacted;
    this.#hasReacted = false;
    return reacted;
  }

  async #call<T>(
    name: string,
    { idempotencyKey, ...request }: OutsideRequest,
    answer: T | (() => T | Promise<T>),
  ): Promise<T> {
    const key = idempotencyKey ?? null;
    // Under one key another kind of call is another thing: a provider keeps its keys by path.
    const place = `${name} ${key}`;
    const known = key === null ? undefined : this.#answers.get(place);
    const call: OutsideCall = { name, idempotencyKey: key, request, repeated: known !== undefined };
    if (known !== undefined) {
      this.#calls.push(call);
      return known as Promise<T>;
    }
    const answered = (async () => (typeof answer === 'function' ? (answer as () => T)() : answer))();
    if (key !== null) this.#answers.set(place, answered);
    try {
      const value = await answered;
      this.#calls.push(call);
      this.#react(call);
      return value;
    } catch (error) {
      this.#answers.delete(place);
      throw error;
    }
  }

  #react(effect: OutsideCall): void {
    const reaction = this.#reactions[effect.name];
    if (reaction === undefined) return;
    this.#hasReacted = true;
    const reacting = (async () => reaction(effect))()
      .catch((error: unknown) => this.#failures.push(error))
      .finally(() => this.#reacting.delete(reacting));
    this.#reacting.add(reacting);
  }
}

/** What tells one effect from another, whatever key it came under. */
export const effectText = ({ name, request }: OutsideCall): string => {
  const fields = canonicalJson(request);
  return fields === '{}' ? name : `${name} ${fields}`;
};
