/** What the contract of an event says about its fields, as far as it is known here. */
export interface FieldRules {
  /** By dotted path; items of lists are not named. Null: no contract is known, so nothing may be shown. */
  readonly sensitivity: Readonly<Record<string, string>> | null;
}

const maskOf = (level: string): string => `(${level})`;

/** Of a payload whose contract nobody has declared in this database. */
const unknownLevel = 'no contract known';

/** The level under which a field is hidden; undefined: it may be shown. A path stands for everything below it. */
export const hiddenLevel = ({ sensitivity }: FieldRules, path: string): string | undefined => {
  if (sensitivity === null) return unknownLevel;
  for (const [declared, level] of Object.entries(sensitivity))
    if (path === declared || path.startsWith(`${declared}.`)) return level;
  return undefined;
};

/** The payload as it may be shown: values of sensitive fields give way to their level, also when they are absent below a list. */
export const masked = (payload: unknown, rules: FieldRules, path = ''): unknown => {
  const level = hiddenLevel(rules, path);
  if (level !== undefined && payload !== undefined && payload !== null) return maskOf(level);
  if (Array.isArray(payload)) return payload.map((item) => masked(item, rules, path));
  if (typeof payload !== 'object' || payload === null) return payload;
  const shown = Object.create(null) as Record<string, unknown>;
  for (const [name, value] of Object.entries(payload))
    shown[name] = masked(value, rules, path === '' ? name : `${path}.${name}`);
  return shown;
};
