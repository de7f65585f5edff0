import { fineSeriesMax } from './telemetry-catalogue/buckets.ts';
import {
  type MetricEntry,
  type MetricLabels,
  type MetricName,
  type MetricOfType,
  metrics,
} from './telemetry-catalogue.ts';

interface Series {
  readonly labels: Readonly<Record<string, string>>;
  /** The value, or a histogram's sum. */
  value: number;
  /** A histogram's count per bucket, the last one beyond all bounds; empty for others. */
  readonly buckets: number[];
}

/** A metric with labels of unbounded variety would fill the memory: further series are dropped at this number. */
const seriesMax = 10_000;

const escapeLabel = (value: string): string =>
  value.replace(/\\/g, '\\\\').replace(/"/g, '\\"').replace(/\n/g, '\\n');

const labelText = (labels: Readonly<Record<string, string>>, extra = ''): string => {
  const parts = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(value)}"`);
  if (extra !== '') parts.push(extra);
  return parts.length === 0 ? '' : `{${parts.join(',')}}`;
};

/** Buckets are cumulative, so those that are left out change nothing about the others. */
const histogramLines = (
  name: string,
  series: Series,
  { entry, coarse }: { readonly entry: MetricEntry; readonly coarse: boolean },
): string[] => {
  const { buckets: bounds = [], coarseBuckets } = entry;
  let cumulated = 0;
  const lines = bounds.flatMap((bound, i) => {
    cumulated += series.buckets[i] ?? 0;
    if (coarse && coarseBuckets?.includes(bound) === false) return [];
    return [`${name}_bucket${labelText(series.labels, `le="${bound}"`)} ${cumulated}`];
  });
  cumulated += series.buckets[bounds.length] ?? 0;
  lines.push(`${name}_bucket${labelText(series.labels, 'le="+Inf"')} ${cumulated}`);
  lines.push(
    `${name}_sum${labelText(series.labels)} ${series.value}`,
    `${name}_count${labelText(series.labels)} ${cumulated}`,
  );
  return lines;
};

/** The metrics of one process, in memory; names and labels are those of the catalogue. */
export class MetricRegistry {
  readonly #metrics = new Map<MetricName, Map<string, Series>>();
  readonly #collectors = new Set<() => void>();

  count<Name extends MetricOfType<'counter'>>(name: Name, labels: MetricLabels<Name>, by = 1): void {
    const series = this.#series(name, labels);
    if (series) series.value += by;
  }

  set<Name extends MetricOfType<'gauge'>>(name: Name, labels: MetricLabels<Name>, value: number): void {
    const series = this.#series(name, labels);
    if (series) series.value = value;
  }

  observe<Name extends MetricOfType<'histogram'>>(
    name: Name,
    labels: MetricLabels<Name>,
    value: number,
  ): void {
    const series = this.#series(name, labels);
    if (!series) return;
    series.value += value;
    const bounds = (metrics[name] as MetricEntry).buckets ?? [];
    const found = bounds.findIndex((bound) => value <= bound);
    const bucket = found === -1 ? bounds.length : found;
    series.buckets[bucket] = (series.buckets[bucket] ?? 0) + 1;
  }

  /** Removes one series, so that what no longer exists is not reported with its last value. */
  forget<Name extends MetricName>(name: Name, labels: MetricLabels<Name>): void {
    this.#metrics.get(name)?.delete(this.#key(name, labels));
  }

  /** The present value of a counter or gauge (a histogram's sum); undefined when nothing was recorded. */
  value<Name extends MetricName>(name: Name, labels: MetricLabels<Name>): number | undefined {
    return this.#metrics.get(name)?.get(this.#key(name, labels))?.value;
  }

  /** Calls `collect` before each rendering, for gauges that are cheap to read then; until the returned function is called. */
  onRender(collect: () => void): () => void {
    const own = (): void => collect();
    this.#collectors.add(own);
    return () => void this.#collectors.delete(own);
  }

  /** All metrics in the Prometheus text format 0.0.4. */
  renderPrometheus(): string {
    for (const collect of this.#collectors) collect();
    const lines: string[] = [];
    for (const name of Object.keys(metrics).sort() as MetricName[]) {
      const entry: MetricEntry = metrics[name];
      const all = this.#metrics.get(name);
      if (!all) continue;
      lines.push(`# HELP ${name} ${entry.help}`, `# TYPE ${name} ${entry.type}`);
      for (const series of all.values()) {
        if (entry.type === 'histogram')
          lines.push(...histogramLines(name, series, { entry, coarse: all.size > fineSeriesMax }));
        else lines.push(`${name}${labelText(series.labels)} ${series.value}`);
      }
    }
    return `${lines.join('\n')}\n`;
  }

  /** Label values in the catalogue's order: the order in the caller's object does not matter. */
  #key(name: MetricName, labels: Readonly<Record<string, string>>): string {
    const names: readonly string[] = metrics[name].labels;
    if (names.length === 1) return labels[names[0] ?? ''] ?? '';
    return names.map((label) => labels[label]).join('\u0000');
  }

  #series(name: MetricName, labels: Readonly<Record<string, string>>): Series | undefined {
    let all = this.#metrics.get(name);
    if (!all) {
      all = new Map();
      this.#metrics.set(name, all);
    }
    const key = this.#key(name, labels);
    let series = all.get(key);
    if (!series) {
      if (all.size >= seriesMax) return undefined;
      const entry: MetricEntry = metrics[name];
      const ordered = Object.fromEntries(entry.labels.map((label) => [label, String(labels[label])]));
      series = {
        labels: ordered,
        value: 0,
        buckets: entry.buckets ? new Array(entry.buckets.length + 1).fill(0) : [],
      };
      all.set(key, series);
    }
    return series;
  }
}
