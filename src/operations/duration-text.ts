const units = [
  { suffix: 'd', ms: 86_400_000 },
  { suffix: 'h', ms: 3_600_000 },
  { suffix: 'min', ms: 60_000 },
  { suffix: 's', ms: 1_000 },
] as const;

/** A length of time for people, in its one or two largest units: `840 ms`, `3.2 s`, `2 min 5 s`, `3 h`, `12 d 4 h`. */
export const durationText = (ms: number): string => {
  const whole = Math.max(0, Math.round(ms));
  if (whole < 1_000) return `${whole} ms`;
  if (whole < 10_000) return `${(Math.floor(whole / 100) / 10).toString()} s`;
  const index = units.findIndex((unit) => whole >= unit.ms);
  const unit = units[index] ?? units[3];
  const count = Math.floor(whole / unit.ms);
  const smaller = units[index + 1];
  const rest = smaller === undefined ? 0 : Math.floor((whole - count * unit.ms) / smaller.ms);
  return rest === 0 || smaller === undefined
    ? `${count} ${unit.suffix}`
    : `${count} ${unit.suffix} ${rest} ${smaller.suffix}`;
};

/** `1 event`, `12,400 events`. */
export const countText = (count: number, one: string, many = `${one}s`): string =>
  `${count.toLocaleString('en-US')} ${count === 1 ? one : many}`;
