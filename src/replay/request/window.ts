import { manifestInvalid, refuseUnknown } from './selection.ts';

/** The hours of the day in which a replay may run; over midnight where `to` comes before `from`. */
export interface ReplayWindow {
  /** `22:00`, included. */
  readonly from: string;
  /** `05:30`, not included. */
  readonly to: string;
  /** As PostgreSQL and IANA name it. */
  readonly zone: string;
}

const clockTime = /^([01]\d|2[0-3]):[0-5]\d$/;

/** @throws FactlineError REPLAY_MANIFEST_INVALID */
export const checkWindow = (given: unknown): ReplayWindow | null => {
  if (given === undefined || given === null) return null;
  if (typeof given !== 'object') throw manifestInvalid('window', 'an object with from, to and zone', given);
  refuseUnknown(given, ['from', 'to', 'zone'], 'window');
  const { from, to, zone = 'UTC' } = given as Readonly<Record<string, unknown>>;
  for (const [name, value] of [
    ['from', from],
    ['to', to],
  ] as const)
    if (typeof value !== 'string' || !clockTime.test(value))
      throw manifestInvalid(`window.${name}`, 'a time of day, like 22:00', value);
  if (from === to) throw manifestInvalid('window.to', `another time than ${String(from)}`, to);
  if (typeof zone !== 'string' || !isZone(zone))
    throw manifestInvalid('window.zone', 'a time zone, like Europe/London', zone);
  return { from: String(from), to: String(to), zone };
};

/** Names only: an offset would not follow summer time. */
const isZone = (zone: string): boolean => {
  try {
    return /^[A-Za-z]/.test(zone) && new Intl.DateTimeFormat('en', { timeZone: zone }) !== undefined;
  } catch {
    return false;
  }
};

/**
 * Whether it may run at this time of day in its zone.
 * @example isOpen({ from: '22:00', to: '05:30', zone: 'UTC' }, '23:15') // true
 */
export const isOpen = ({ from, to }: ReplayWindow, now: string): boolean =>
  from < to ? now >= from && now < to : now >= from || now < to;

/** `22:00–05:30 Europe/London`. */
export const windowText = ({ from, to, zone }: ReplayWindow): string => `${from}–${to} ${zone}`;
