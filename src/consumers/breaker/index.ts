/** The breaker: a dependency that is down, or a bad deploy, pauses the consumer instead of filling the quarantine. */
export { Breaker, type BreakerOptions, type OpenBreaker } from './breaker.ts';
