export { DangerTrend } from './danger-trend.ts';
export { LiveCost, type LiveDelay } from './live-cost.ts';
export { type LiveDanger, readLiveDanger } from './live-danger.ts';
export { Pace, type PaceOptions } from './pace.ts';
export { type LiveSigns, nextRate, type Pacing, type RateLimits } from './yielding-rate.ts';
