/** Far enough that a date in the result differs, whatever its precision. */
const shiftMs = 400 * 24 * 3_600_000;

const realDate = globalThis.Date;
const realRandom = Math.random;

/** A clock that is more than a year ahead; dates made from arguments are untouched. */
const shiftedDate = new Proxy(realDate, {
  construct: (target, values: [], newTarget) =>
    Reflect.construct(target, values.length === 0 ? [target.now() + shiftMs] : values, newTarget) as object,
  apply: (target) => new target(target.now() + shiftMs).toString(),
  get: (target, name) =>
    name === 'now' ? () => target.now() + shiftMs : (Reflect.get(target, name, target) as unknown),
});

/**
 * Runs a synchronous function with another clock and other random numbers, to see whether its answer depends on them.
 * The real ones are back before anything else can run.
 */
export const withOtherSurroundings = <T>(run: () => T): T => {
  globalThis.Date = shiftedDate;
  Math.random = () => (realRandom() + 0.5) % 1;
  try {
    return run();
  } finally {
    globalThis.Date = realDate;
    Math.random = realRandom;
  }
};
