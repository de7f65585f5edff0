import { FactlineError } from '../../foundation/index.ts';

/** What a publish gives back: which events, in which epoch of the log. Opaque to users, safe in a header and a URL. */
export interface TokenFacts {
  readonly epoch: string;
  /** Ascending. */
  readonly positions: readonly number[];
}

const prefix = 'f1';
const pattern = /^f1\.([0-9a-f]{32})\.([0-9a-z.~-]*)$/;

/**
 * @example encodeToken({ epoch, positions: [12, 13, 14, 20] }) // 'f1.6f1c….c~e.k'
 */
export const encodeToken = ({ epoch, positions }: TokenFacts): string => {
  const ranges: string[] = [];
  let index = 0;
  while (index < positions.length) {
    const first = positions[index] ?? 0;
    let last = first;
    while (positions[index + 1] === last + 1) {
      last += 1;
      index += 1;
    }
    index += 1;
    ranges.push(first === last ? first.toString(36) : `${first.toString(36)}~${last.toString(36)}`);
  }
  return `${prefix}.${epoch.replaceAll('-', '')}.${ranges.join('.')}`;
};

/** No transaction holds more events; a longer range is a forged token. */
const positionsMax = 1_000_000;

/** @throws FactlineError TOKEN_INVALID */
export const decodeToken = (token: string): TokenFacts => {
  const match = typeof token === 'string' ? pattern.exec(token) : null;
  if (match === null) throw invalid(token);
  const hex = match[1] ?? '';
  const epoch = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join(
    '-',
  );
  const positions: number[] = [];
  for (const range of (match[2] ?? '').split('.').filter((text) => text !== '')) {
    const [first = Number.NaN, last = first] = range.split('~').map((text) => Number.parseInt(text, 36));
    if (
      !Number.isSafeInteger(first) ||
      !Number.isSafeInteger(last) ||
      last < first ||
      last - first > positionsMax
    ) {
      throw invalid(token);
    }
    for (let position = first; position <= last; position += 1) positions.push(position);
  }
  return { epoch, positions };
};

const invalid = (token: unknown): FactlineError =>
  new FactlineError('TOKEN_INVALID', {
    token: typeof token === 'string' ? token.slice(0, 80) : typeof token,
  });
