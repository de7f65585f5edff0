export { Background } from './background.ts';
export { type Clock, systemClock, type Timer, type TimerOptions } from './clock.ts';
export { type Deadline, withDeadline } from './deadline.ts';
export type { Duration } from './duration.ts';
export { type ErrorCode, type ErrorEntry, errorCatalogue, exitCodes } from './error-catalogue.ts';
export {
  FactlineError,
  type FactlineErrorOptions,
  type Issue,
  PermanentError,
  TransientError,
  type TransientErrorOptions,
} from './errors.ts';
export { uuidv7, uuidv8 } from './ids.ts';
export { canonicalJson, type Json, toPosition } from './json.ts';
export { keyHash, laneOf } from './key-hash.ts';
export { Lifecycle, type LifecycleState, type Startable } from './lifecycle.ts';
export { type LifecycleStress, stressLifecycle } from './lifecycle-stress.ts';
export { createManualClock, type ManualClock } from './manual-clock.ts';
export { MetricRegistry } from './metric-registry.ts';
export { toMilliseconds } from './parse-duration.ts';
export { type Randomness, systemRandomness } from './random.ts';
export {
  defaultRetryPolicies,
  type FailureClass,
  mayRetry,
  type RetryPolicy,
  retryDelayMs,
  retryDelayMsMax,
} from './retry-schedule.ts';
export { Signal } from './signal.ts';
export {
  createTelemetry,
  failSpan,
  type Span,
  type SpanRequest,
  type Telemetry,
  type TelemetryEvent,
  type TelemetryListener,
} from './telemetry.ts';
export {
  type MetricLabels,
  type MetricName,
  metrics,
  type SpanAttributes,
  type SpanName,
  spans,
  type TelemetryEventName,
  type TelemetryFields,
  telemetryEvents,
} from './telemetry-catalogue.ts';
export { contextOfTrace, currentTrace, isTracing, type TraceContext } from './trace-context.ts';
