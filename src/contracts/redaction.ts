/** What a contract says is personal or secret: levels by dotted path, and the fields that form the key. */
export interface Sensitive {
  readonly key: readonly string[];
  readonly sensitivity: Readonly<Record<string, string>>;
}

export const hidesSomething = ({ sensitivity }: Pick<Sensitive, 'sensitivity'>): boolean =>
  Object.keys(sensitivity).length > 0;

/** `(personal)`: what is shown instead of a value. */
export const maskOf = (level: string): string => `(${level})`;

/** The level under which a field is hidden; a declared path stands for everything below it. */
export const levelOf = (sensitivity: Readonly<Record<string, string>>, path: string): string | undefined => {
  for (const [declared, level] of Object.entries(sensitivity))
    if (path === declared || path.startsWith(`${declared}.`)) return level;
  return undefined;
};

/** A value as it may be shown: hidden fields give way to their level. `path`: where it stands in the payload. */
export const maskedValue = (
  value: unknown,
  sensitivity: Readonly<Record<string, string>>,
  path: string,
): unknown => {
  const level = levelOf(sensitivity, path);
  if (level !== undefined && value !== undefined && value !== null) return maskOf(level);
  if (Array.isArray(value)) return value.map((item) => maskedValue(item, sensitivity, path));
  if (typeof value !== 'object' || value === null) return value;
  const shown = Object.create(null) as Record<string, unknown>;
  for (const [name, member] of Object.entries(value))
    shown[name] = maskedValue(member, sensitivity, path === '' ? name : `${path}.${name}`);
  return shown;
};

/** The level of a key that is made of a hidden field. */
export const keyLevelOf = ({ key, sensitivity }: Sensitive): string | undefined =>
  key.map((field) => levelOf(sensitivity, field)).find((level) => level !== undefined);

/** A key as it may be shown, where it is one of this contract. */
export const shownKey = (contract: Sensitive, key: string): string => {
  const level = keyLevelOf(contract);
  return level !== undefined && key.startsWith(`${contract.key.join(',')}=`) ? maskOf(level) : key;
};

/** Takes the hidden values of one event out of a text. */
export type Redact = (text: string) => string;

/** Shorter values are taken out only where they stand alone: "a" is part of every sentence. */
const standsAloneMax = 3;

/**
 * Takes every value of these payloads that the contract hides out of a text, in any case, as it is, as JSON or in a URL has it. Lines
 * of a stack that name a place in code stay as they are.
 * @example redaction(contract, [event.data])('no account of ada@example.com') // 'no account of (personal)'
 */
export const redaction = (contract: Sensitive, payloads: readonly unknown[]): Redact => {
  const levels = new Map<string, string>();
  for (const payload of payloads) collect(payload, { path: '', hidden: undefined, contract, levels });
  return (text) => {
    const lower = text.toLowerCase();
    const found = [...levels.keys()].filter((value) => lower.includes(value)).sort(longestFirst);
    if (found.length === 0) return text;
    const pattern = new RegExp(found.map(patternOf).join('|'), 'giu');
    const replace = (line: string): string =>
      line.replace(pattern, (value) => maskOf(levels.get(value.toLowerCase()) ?? 'hidden'));
    return text
      .split('\n')
      .map((line) => (/^\s+at /.test(line) ? line : replace(line)))
      .join('\n');
  };
};

const longestFirst = (a: string, b: string): number => b.length - a.length;

const patternOf = (value: string): string => {
  const literal = value.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
  return value.length > standsAloneMax ? literal : `(?<![\\p{L}\\p{N}])${literal}(?![\\p{L}\\p{N}])`;
};

interface Place {
  readonly path: string;
  /** The level of what this is part of. */
  readonly hidden: string | undefined;
  readonly contract: Sensitive;
  readonly levels: Map<string, string>;
}

const collect = (value: unknown, place: Place): void => {
  const { path, contract, levels } = place;
  const hidden = place.hidden ?? levelOf(contract.sensitivity, path);
  if (Array.isArray(value)) for (const item of value) collect(item, { ...place, hidden });
  else if (typeof value === 'object' && value !== null)
    for (const [name, member] of Object.entries(value))
      collect(member, { ...place, hidden, path: path === '' ? name : `${path}.${name}` });
  else if (hidden !== undefined && (typeof value === 'string' || typeof value === 'number'))
    for (const form of formsOf(String(value))) levels.set(form.toLowerCase(), hidden);
};

/** Empty texts tell nothing. */
const formsOf = (text: string): readonly string[] =>
  text === '' ? [] : [text, JSON.stringify(text).slice(1, -1), encodeURIComponent(text.toWellFormed())];
