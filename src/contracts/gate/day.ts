/** `2026-11-21`: whether a text is a day of the calendar. */
export const isDay = (text: string): boolean => {
  const day = /^\d{4}-\d\d-\d\d$/.test(text) ? new Date(`${text}T00:00:00Z`) : null;
  // The 31st of February reads as a day of March.
  return day !== null && !Number.isNaN(day.getTime()) && day.toISOString().startsWith(text);
};

/** The day in UTC, the same on every machine. */
export const dayOf = (now: Date): string => now.toISOString().slice(0, 10);

/** A last day counts as a whole. */
export const isOver = (until: string, today: string): boolean => until < today;
