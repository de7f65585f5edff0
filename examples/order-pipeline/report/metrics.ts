/** What the engine counted for one consumer, over all processes. */
export interface ConsumerMetrics {
  handled: number;
  duplicatesSuppressed: number;
  attempts: number;
  /** Upper bound in seconds → cumulated count, as Prometheus histograms have it. */
  readonly latencyBuckets: Map<number, number>;
}

const SAMPLE = /^(?<name>[a-z_]+)\{(?<labels>[^}]*)\} (?<value>\S+)$/;
const LABEL = /(\w+)="((?:[^"\\]|\\.)*)"/g;

/** Adds up the metrics of several processes; each text is what `app.metrics()` gives. */
export function readMetrics(texts: readonly string[]): Map<string, ConsumerMetrics> {
  const consumers = new Map<string, ConsumerMetrics>();
  for (const line of texts.flatMap((text) => text.split('\n'))) {
    const groups = SAMPLE.exec(line)?.groups;
    if (groups === undefined) continue;
    const { name = '', labels = '', value = '' } = groups;
    const label = new Map([...labels.matchAll(LABEL)].map(([, key = '', text = '']) => [key, text]));
    const consumer = label.get('consumer');
    if (consumer === undefined) continue;
    const metrics = consumers.get(consumer) ?? newMetrics();
    consumers.set(consumer, metrics);
    add(metrics, { name, bound: label.get('le'), value: Number(value) });
  }
  return consumers;
}

function newMetrics(): ConsumerMetrics {
  return { handled: 0, duplicatesSuppressed: 0, attempts: 0, latencyBuckets: new Map() };
}

function add(
  metrics: ConsumerMetrics,
  { name, bound, value }: { name: string; bound: string | undefined; value: number },
): void {
  switch (name) {
    case 'factline_events_handled_total':
      metrics.handled += value;
      return;
    case 'factline_duplicates_suppressed_total':
      metrics.duplicatesSuppressed += value;
      return;
    case 'factline_handle_attempts_total':
      metrics.attempts += value;
      return;
    case 'factline_handle_latency_seconds_bucket': {
      const seconds = bound === '+Inf' ? Number.POSITIVE_INFINITY : Number(bound);
      metrics.latencyBuckets.set(seconds, (metrics.latencyBuckets.get(seconds) ?? 0) + value);
    }
  }
}

/** A quantile in milliseconds, interpolated inside its bucket; null when nothing was measured. */
export function quantileMs(buckets: ReadonlyMap<number, number>, quantile: number): number | null {
  const bounds = [...buckets.keys()].sort((a, b) => a - b);
  const total = buckets.get(Number.POSITIVE_INFINITY) ?? 0;
  if (total === 0) return null;
  const wanted = quantile * total;
  let lower = 0;
  let below = 0;
  for (const bound of bounds) {
    const count = buckets.get(bound) ?? 0;
    if (count >= wanted) {
      if (!Number.isFinite(bound)) return round(lower * 1000);
      const share = count === below ? 1 : (wanted - below) / (count - below);
      return round((lower + (bound - lower) * share) * 1000);
    }
    lower = bound;
    below = count;
  }
  return round(lower * 1000);
}

function round(ms: number): number {
  return Math.round(ms * 10) / 10;
}
