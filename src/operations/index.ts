/** The room `operations`: lag measured at the source, and the verdicts made of it. Knows no HTTP. */
export { countText, durationText } from './duration-text.ts';
export type {
  ConsumerClassName,
  ConsumerFacts,
  OldestUnhandled,
  OwnerFacts,
  RunnerFacts,
  TailIncident,
  Trend,
  VerdictContext,
} from './facts.ts';
export { measureConsumers } from './measuring.ts';
export { createMeter, type MeasureOptions, type Meter, type MeterOptions, measure } from './meter.ts';
export type {
  QuarantineCounts,
  Reason,
  ReasonCode,
  Verdict,
  VerdictBreaker,
  VerdictName,
} from './verdict.ts';
export { VerdictMetrics } from './verdict-metrics.ts';
export { verdictOf } from './verdict-of.ts';
