export { DangerTrend } from './danger-trend.ts';
export { LiveCost } from './live-cost.ts';
export { type LiveDanger, readLiveDanger } from './live-danger.ts';
export { LiveDelays, type LiveListener, preciseMs } from './live-delays.ts';
export { Pace, type PaceOptions } from './pace.ts';
export { type LiveSigns, nextRate, type Pacing, type RateLimits } from './yielding-rate.ts';
