import { levelOf, maskedValue, maskOf } from '../../contracts/index.ts';

/** What the contract of an event says about its fields, as far as it is known here. */
export interface FieldRules {
  /** By dotted path; items of lists are not named. Null: no contract is known, so nothing may be shown. */
  readonly sensitivity: Readonly<Record<string, string>> | null;
}

/** Of a payload whose contract nobody has declared in this database. */
const unknownLevel = 'no contract known';

/** The level under which a field is hidden; undefined: it may be shown. A path stands for everything below it. */
export const hiddenLevel = ({ sensitivity }: FieldRules, path: string): string | undefined =>
  sensitivity === null ? unknownLevel : levelOf(sensitivity, path);

/** The payload, or what stands at `path` in it, as it may be shown: values of sensitive fields give way to their level. */
export const masked = (payload: unknown, { sensitivity }: FieldRules, path = ''): unknown => {
  if (sensitivity !== null) return maskedValue(payload, sensitivity, path);
  return payload === undefined || payload === null ? payload : maskOf(unknownLevel);
};
