import { FactlineError, PermanentError, TransientError } from '../../foundation/index.ts';

/**
 * crash: the process ends here, as by kill -9. transient failure: a TransientError, once. permanent failure: a PermanentError,
 * once. lost answer: the call has happened, and the caller gets a time-out instead of the answer, once.
 */
export const injectionKinds = ['crash', 'transient failure', 'permanent failure', 'lost answer'] as const;
export type InjectionKind = (typeof injectionKinds)[number];

/** One thing that goes wrong at one point of the saga. */
export interface Injection {
  readonly kind: InjectionKind;
  readonly point: string;
}

/** What goes wrong in one run, in this order; empty: nothing. */
export type Plan = readonly Injection[];

const between = ', then ';

/** @example 'permanent failure at fulfil-order · step pack · before the call, then crash at fulfil-order · undo reserve · …' */
export const planText = (plan: Plan): string =>
  plan.map(({ kind, point }) => `${kind} at ${point}`).join(between);

/** @throws FactlineError OPTION_INVALID */
export const readPlan = (text: string): Plan =>
  text.split(between).map((part) => {
    const kind = injectionKinds.find((each) => part.startsWith(`${each} at `));
    if (kind === undefined)
      throw new FactlineError('OPTION_INVALID', {
        option: 'only',
        expected: 'an injection as the report names it, like "crash at charge-card · …"',
        actual: text,
      });
    return { kind, point: part.slice(`${kind} at `.length) };
  });

/** Stands in every injected error: what waits because of one is let go again. */
export const injectedMark = 'injected by exploreCrashes';

export const injectedError = ({ kind, point }: Injection): FactlineError => {
  const text = `${injectedMark} at ${point}`;
  if (kind === 'permanent failure') return new PermanentError(text);
  // Not a TransientError: that would say that nothing has happened outside.
  if (kind === 'lost answer')
    return new FactlineError('WAIT_TIMED_OUT', { stage: `An answer (${text})`, ms: 0 });
  return new TransientError(text);
};

/** A place that a saga passes, and what can go wrong there. */
export interface Point {
  /** Of a handler: its name and the event's type. Of a workflow: its name. */
  readonly site: string;
  /** Begins with the site. */
  readonly name: string;
  readonly kinds: readonly InjectionKind[];
}

export const begins = 'begins';
export const ends = 'ends';
export const committed = 'transaction · after the commit';

export const pointName = (site: string, point: string): string => `${site} · ${point}`;

/** Of points that are not in the user's code but between its steps. */
const engineSite = 'Factline';

export const betweenSteps = (moment: string): Point => ({
  site: engineSite,
  name: pointName(engineSite, moment),
  kinds: ['crash'],
});

export const isBetween = ({ point }: Injection): boolean => point.startsWith(pointName(engineSite, ''));

/** Everything that can go wrong at these points, in their order. */
export const injectionsOf = (points: readonly Point[]): readonly Injection[] => {
  const names = new Set(points.map(({ name }) => name));
  const isStep = ({ site, name }: Point): boolean =>
    name !== pointName(site, begins) && name !== pointName(site, ends);
  const withSteps = new Set(points.filter(isStep).map(({ site }) => site));
  return points.flatMap((point) => {
    const { site, name, kinds } = point;
    // That the event is handled was recorded with the commit.
    if (name === pointName(site, ends) && names.has(pointName(site, committed))) return [];
    // What can fail are the steps, where there are any.
    const own = !isStep(point) && withSteps.has(site) ? kinds.filter((kind) => kind === 'crash') : kinds;
    return own.map((kind) => ({ kind, point: name }));
  });
};
