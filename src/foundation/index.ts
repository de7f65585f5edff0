export { type AmbientUse, type AmbientWatch, watchAmbientUse } from './ambient-use.ts';
export { Background } from './background.ts';
export { type Clock, systemClock, type Timer } from './clock.ts';
export { withDeadline } from './deadline.ts';
export type { Duration } from './duration.ts';
export { type ErrorCode, type ErrorEntry, errorCatalogue, exitCodes } from './error-catalogue.ts';
export {
  FactlineError,
  type Issue,
  PermanentError,
  TransientError,
} from './errors.ts';
export { nextTurn } from './event-loop.ts';
export { httpFailure } from './http-failure.ts';
export { type HttpDocument, type HttpGet, httpGet } from './http-get.ts';
export { type HttpAnswer, type HttpPost, httpPost } from './http-post.ts';
export { isDerivedId, uuidv7, uuidv8 } from './ids.ts';
export { canonicalJson, type Json, toPosition } from './json.ts';
export { keyHash, laneOf } from './key-hash.ts';
export { Lifecycle, type Startable } from './lifecycle.ts';
export { stressLifecycle } from './lifecycle-stress.ts';
export { createManualClock } from './manual-clock.ts';
export { MetricRegistry } from './metric-registry.ts';
export { toMilliseconds } from './parse-duration.ts';
export { afterStartMs, Periodic } from './periodic.ts';
export { type Randomness, systemRandomness } from './random.ts';
export {
  defaultRetryPolicies,
  type FailureClass,
  mayRetry,
  type RetryPolicy,
  retryDelayMs,
} from './retry-schedule.ts';
export { Signal } from './signal.ts';
export {
  createTelemetry,
  failSpan,
  type Span,
  type Telemetry,
  type TelemetryEvent,
} from './telemetry.ts';
export { contextOfTrace, currentTrace, isTracing, linksToTrace } from './trace-context.ts';
