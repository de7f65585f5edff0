/** What a price in the feed turns out to be. Money is in pence, as a safe integer, from here on. */
export type Price =
  | { readonly kind: 'pence'; readonly pence: number }
  | { readonly kind: 'finer than a penny' }
  | { readonly kind: 'negative' }
  | { readonly kind: 'not a price' };

const DECIMAL = /^(?<sign>-?)(?<pounds>\d{1,12})(?:\.(?<fraction>\d{1,12}))?$/;

/**
 * Reads an amount in pounds, written as a decimal (`2.55`, `2.1`, `0`), without going through binary fractions:
 * `2.55 * 100` is 254.99999999999997.
 */
export function readPrice(text: string): Price {
  const groups = DECIMAL.exec(text)?.groups;
  if (groups === undefined) return { kind: 'not a price' };
  const fraction = (groups['fraction'] ?? '').replace(/0+$/, '');
  if (fraction.length > 2) return { kind: 'finer than a penny' };
  const pence = Number(groups['pounds']) * 100 + Number(fraction.padEnd(2, '0'));
  if (groups['sign'] === '-' && pence > 0) return { kind: 'negative' };
  return Number.isSafeInteger(pence) ? { kind: 'pence', pence } : { kind: 'not a price' };
}

/** `1234567` → `12,345.67`: for screens and mails, never for arithmetic. */
export function formatPounds(pence: number): string {
  const whole = Math.trunc(Math.abs(pence) / 100).toLocaleString('en-GB');
  const fraction = String(Math.abs(pence) % 100).padStart(2, '0');
  return `${pence < 0 ? '-' : ''}${whole}.${fraction}`;
}
