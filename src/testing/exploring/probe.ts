import { TransientError } from '../../foundation/index.ts';
import {
  type Injection,
  type InjectionKind,
  injectedError,
  injectedMark,
  type Plan,
  type Point,
} from './injection.ts';

/** What a point does to who reaches it: nothing, or it never lets him go on, or it throws. */
export type Reached = Promise<void> | undefined;

export interface Passing {
  readonly point: Point;
  /** Set at the last moment before a piece of work counts as done: what tells it from all others. */
  readonly work: string | undefined;
  /** Ends the life that reaches the point; what it returns never ends. */
  readonly die: () => Promise<void>;
}

/** Of one run: notes which points are passed, and lets go wrong what the plan says. Shared by all lives of the app. */
export class Probe {
  readonly #plan: Plan;
  readonly #passed = new Map<string, Point>();
  /** With duplicates: the work whose first delivery was lost. */
  readonly #lost: Set<string> | null;
  #fired = 0;

  constructor(plan: Plan, { duplicates }: { readonly duplicates: boolean }) {
    this.#plan = plan;
    this.#lost = duplicates ? new Set() : null;
  }

  /** In the order in which they were first passed. */
  get passed(): readonly Point[] {
    return [...this.#passed.values()];
  }

  /** Whether everything of the plan has happened. */
  get complete(): boolean {
    return this.#fired === this.#plan.length;
  }

  reach({ point, work, die }: Passing): Reached {
    const known = this.#passed.get(point.name);
    this.#passed.set(point.name, known === undefined ? point : { ...point, kinds: union(known, point) });
    const next = this.#plan[this.#fired];
    if (next?.point === point.name && point.kinds.includes(next.kind)) {
      this.#fired += 1;
      return next.kind === 'crash' ? die() : failing(next);
    }
    if (work === undefined || this.#lost === null || this.#lost.has(work)) return undefined;
    this.#lost.add(work);
    return losing(point.name);
  }
}

const failing = async (injection: Injection): Promise<never> => {
  throw injectedError(injection);
};

const losing = async (point: string): Promise<never> => {
  throw new TransientError(`its first delivery is lost (${injectedMark} at ${point})`);
};

const union = (left: Point, right: Point): readonly InjectionKind[] => [
  ...new Set([...left.kinds, ...right.kinds]),
];
