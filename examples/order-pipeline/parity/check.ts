/** One comparison of what must be with what is. */
export interface ParityCheck {
  readonly check: string;
  readonly expected: number | string;
  readonly actual: number | string;
  readonly ok: boolean;
}

export function equal(check: string, expected: number | string, actual: number | string): ParityCheck {
  return { check, expected, actual, ok: expected === actual };
}

/**
 * Compares amount by amount, not only the sum: two errors that cancel each other out are two errors. What it shows is
 * the sums, or, where they agree and single amounts do not, how many of those and one of them.
 */
export function equalAmounts(
  check: string,
  expected: ReadonlyMap<string, number>,
  actual: ReadonlyMap<string, number>,
): ParityCheck {
  const keys = new Set([...expected.keys(), ...actual.keys()]);
  const wrong = [...keys].filter((key) => (expected.get(key) ?? 0) !== (actual.get(key) ?? 0));
  const [first] = wrong;
  if (first === undefined) return { check, expected: sum(expected), actual: sum(actual), ok: true };
  const one = (amounts: ReadonlyMap<string, number>): string =>
    `${sum(amounts)}; ${first}: ${amounts.get(first) ?? 0} (${wrong.length} differ)`;
  return { check, expected: one(expected), actual: one(actual), ok: false };
}

/** The members that only one side has. */
export function equalSets(
  check: string,
  expected: ReadonlySet<string>,
  actual: ReadonlySet<string>,
): ParityCheck {
  const missing = [...expected].filter((member) => !actual.has(member));
  const strange = [...actual].filter((member) => !expected.has(member));
  const ok = missing.length === 0 && strange.length === 0;
  const note = ok
    ? ''
    : `; ${missing.length} missing, ${strange.length} too many: ${missing[0] ?? strange[0]}`;
  return { check, expected: expected.size, actual: ok ? actual.size : `${actual.size}${note}`, ok };
}

function sum(amounts: ReadonlyMap<string, number>): number {
  return [...amounts.values()].reduce((total, amount) => total + amount, 0);
}
