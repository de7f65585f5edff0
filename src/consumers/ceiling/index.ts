export { type LiveDanger, readLiveDanger } from './live-danger.ts';
export { Pace, type PaceOptions } from './pace.ts';
export type { RateLimits } from './yielding-rate.ts';
