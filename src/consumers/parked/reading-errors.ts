/**
 * Whatever was thrown, reading it must not throw: users throw `undefined`, proxies, and errors whose getters throw.
 * PostgreSQL's text and jsonb hold neither U+0000 nor lone surrogates, so those are replaced as well.
 */

/** How deep a chain of causes is followed; a longer one is cut. */
export const causesMax = 8;

/** A member of anything, or undefined when there is none or reading it throws. */
export const memberOf = (value: unknown, name: string): unknown => {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return undefined;
  try {
    return (value as Record<string, unknown>)[name];
  } catch {
    return undefined;
  }
};

export const textOf = (value: unknown): string => {
  try {
    return String(value);
  } catch {
    return 'something that cannot be printed';
  }
};

/** Text that PostgreSQL can store, at most `max` characters; what was cut is said. */
export const storableText = (text: string, max: number): string => {
  const whole = text.toWellFormed().replaceAll('\u0000', '\uFFFD');
  if (whole.length <= max) return whole;
  return `${whole.slice(0, max).toWellFormed()}… (${whole.length - max} more characters)`;
};

/** The error itself, then its causes and the errors of an AggregateError, each once, at most `causesMax` of them. */
export const chainOf = (error: unknown): unknown[] => {
  const chain: unknown[] = [];
  const next: unknown[] = [error];
  while (next.length > 0 && chain.length <= causesMax) {
    const current = next.shift();
    if (chain.includes(current)) continue;
    chain.push(current);
    const cause = memberOf(current, 'cause');
    if (cause !== undefined && cause !== null) next.push(cause);
    const errors = memberOf(current, 'errors');
    if (Array.isArray(errors)) next.push(...errors.slice(0, causesMax));
  }
  return chain;
};
