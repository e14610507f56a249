/**
 * What a server has done and does, in the text format of Prometheus (0.0.4). The packages that write it want Node.
 *
 * @module
 */

/** Media type of the format. */
export const METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** Labels of a series. */
export type Labels = Readonly<Record<string, string>>;

/** Upper ends of the buckets for durations, in seconds. */
const BUCKETS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600];

/** A number that only grows, one for each set of labels. */
export class Counter {
  readonly #series = new Map<string, number>();

  /** Adds to the series with these labels. */
  add(labels: Labels = {}, by = 1): void {
    const key = labelText(labels);
    this.#series.set(key, (this.#series.get(key) ?? 0) + by);
  }

  /** Its samples, a line each. */
  lines(name: string): string[] {
    return [...this.#series].map(([labels, value]) => `${name}${labels} ${value}`);
  }
}

/** How long things took, one distribution for each set of labels. */
export class Durations {
  readonly #series = new Map<string, { labels: Labels; counts: number[]; sum: number }>();

  /** Counts one of so many seconds. */
  observe(labels: Labels, seconds: number): void {
    const key = labelText(labels);
    const series = this.#series.get(key) ??
      { labels, counts: new Array<number>(BUCKETS.length + 1).fill(0), sum: 0 };
    this.#series.set(key, series);
    const bucket = BUCKETS.findIndex((end) => seconds <= end);
    series.counts[bucket < 0 ? BUCKETS.length : bucket]++;
    series.sum += seconds;
  }

  /** Its samples, a line each: buckets count all that took at most so long. */
  lines(name: string): string[] {
    return [...this.#series.values()].flatMap(({ labels, counts, sum }) => {
      let count = 0;
      const buckets = counts.map((inBucket, i) => {
        count += inBucket;
        const le = i < BUCKETS.length ? String(BUCKETS[i]) : "+Inf";
        return `${name}_bucket${labelText({ ...labels, le })} ${count}`;
      });
      return [
        ...buckets,
        `${name}_sum${labelText(labels)} ${sum}`,
        `${name}_count${labelText(labels)} ${count}`,
      ];
    });
  }
}

/** A family of series with its head. */
export function family(
  name: string,
  type: "counter" | "gauge" | "histogram",
  help: string,
  lines: readonly string[],
): string {
  return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, ...lines, ""].join("\n");
}

/** One sample. */
export function sample(name: string, value: number, labels: Labels = {}): string {
  return `${name}${labelText(labels)} ${value}`;
}

function labelText(labels: Labels): string {
  const entries = Object.entries(labels);
  if (entries.length === 0) return "";
  const escape = (value: string) =>
    value.replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll('"', '\\"');
  return `{${entries.map(([name, value]) => `${name}="${escape(value)}"`).join(",")}}`;
}
