import { FactlineError } from '../../foundation/index.ts';
import type { FactEvent } from '../envelope.ts';
import { keyOf } from '../key.ts';
import { validatePayload } from '../payload-check.ts';
import type { Upcaster } from './define-upcaster.ts';

/** By an old type: the upcasters that lead from it to a type that is known, in their order; never empty. */
export type UpcastRoutes = ReadonlyMap<string, readonly Upcaster[]>;

const refuse = (
  { from, to }: Upcaster,
  problem: { readonly expected: string; readonly message: string },
): never => {
  const issues = [{ path: 'upcasters', actual: `${from.type} → ${to.type}`, ...problem }];
  throw new FactlineError('UPCASTER_INVALID', { from: from.type, to: to.type, issues });
};

const bySource = (upcasters: readonly Upcaster[]): ReadonlyMap<string, Upcaster> => {
  const sources = new Map<string, Upcaster>();
  for (const upcaster of new Set(upcasters)) {
    const { from } = upcaster;
    if (sources.has(from.type))
      refuse(upcaster, {
        expected: `one upcaster from ${from.type}`,
        message: 'which one reads the event is ambiguous',
      });
    sources.set(from.type, upcaster);
  }
  return sources;
};

/**
 * Which old types can be read as types that are known, and how. A type that is known is read as it is: whoever handles both
 * versions gets each as the one it was written for.
 * @throws FactlineError UPCASTER_INVALID when two upcasters begin at one type, or a chain ends where it began
 */
export const upcastRoutes = (
  upcasters: readonly Upcaster[],
  isKnown: (type: string) => boolean,
): UpcastRoutes => {
  const sources = bySource(upcasters);
  const routes = new Map<string, readonly Upcaster[]>();
  for (const [type, first] of sources) {
    const chain: Upcaster[] = [];
    let route: readonly Upcaster[] | undefined;
    for (let next: Upcaster | undefined = first; next !== undefined; next = sources.get(next.to.type)) {
      if (chain.includes(next))
        refuse(next, { expected: 'a chain that ends', message: 'the chain is circular' });
      chain.push(next);
      if (route === undefined && isKnown(next.to.type)) route = [...chain];
    }
    if (route !== undefined && !isKnown(type)) routes.set(type, route);
  }
  return routes;
};

const fail = (
  upcaster: Upcaster,
  event: FactEvent,
  failure: { readonly reason: string; readonly cause?: unknown },
): never => {
  const details = {
    from: upcaster.from.type,
    to: upcaster.to.type,
    eventId: event.id,
    reason: failure.reason,
  };
  throw new FactlineError('UPCAST_FAILED', details, 'cause' in failure ? { cause: failure.cause } : {});
};

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

const upcastOnce = (upcaster: Upcaster, event: FactEvent, data: unknown): unknown => {
  let answer: unknown;
  try {
    answer = upcaster.upcast(data);
  } catch (cause) {
    return fail(upcaster, event, { reason: `it threw: ${messageOf(cause)}`, cause });
  }
  if (typeof (answer as PromiseLike<unknown> | null | undefined)?.then === 'function') {
    // Nobody awaits that promise: its rejection must not end the process.
    void (answer as Promise<unknown>).then(undefined, () => undefined);
    return fail(upcaster, event, { reason: 'it answered with a promise' });
  }
  const { type, schema, key } = upcaster.to;
  try {
    const accepted = validatePayload(upcaster.to, schema, answer);
    const now = keyOf(type, key, accepted).key;
    return now === event.key ? accepted : fail(upcaster, event, { reason: `it changed the key to ${now}` });
  } catch (cause) {
    if (FactlineError.is(cause, 'UPCAST_FAILED')) throw cause;
    return fail(upcaster, event, { reason: messageOf(cause), cause });
  }
};

/**
 * The event as the last upcaster's contract has it: checked against every contract on the way, with its own id, position,
 * time and key.
 * @throws FactlineError UPCAST_FAILED; what the schema of its own contract throws. A retry cannot help.
 */
export const upcastEvent = (event: FactEvent, route: readonly Upcaster[]): FactEvent => {
  const [first] = route;
  if (first === undefined) return event;
  let data = validatePayload(first.from, first.from.schema, event.data);
  let type: string = event.type;
  for (const upcaster of route) {
    data = upcastOnce(upcaster, event, data);
    type = upcaster.to.type;
  }
  return { ...event, type, data, upcastFrom: event.type };
};
