/** From a handler that touches memory only to one at its time limit. */
export const handlingBuckets = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
] as const;
/** From the same process at once to hours behind; fine between 1 ms and 1 s, where percentiles are read. */
export const latencyBuckets = [
  0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5,
  0.75, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1200, 3600,
] as const;

/** Of each, what a process with many consumers shows. */
export const coarseHandlingBuckets = [0.01, 0.1, 1, 10] as const;
export const coarseLatencyBuckets = [0.01, 0.1, 1, 10, 300] as const;

/** With more consumers than these a process shows the coarse buckets of histograms: every bucket is a series of its own to Prometheus. */
export const fineSeriesMax = 20;
