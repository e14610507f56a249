/**
 * Which samples statistics cover, in a form that merges: sources with ranges of positions.
 *
 * @module
 */
import { PlimsollError } from "../../core/errors.ts";
import { option } from "../../core/option_words.ts";

/** Samples of one source. */
export interface SourceCoverage {
  /** What the source is, whatever its path: a hash of its content; empty for streams that have no name. */
  readonly source: string;
  /** Positions [start, end) of the samples, ascending, none touching the next. */
  readonly ranges: readonly (readonly [number, number])[];
}

/** Positions of samples as ranges, in memory proportional to their gaps. */
export class RangeSet {
  /** Starts and ends by turns, ascending. */
  #edges: number[] = [];

  /** The set of some ranges. */
  static from(ranges: Iterable<readonly [number, number]>): RangeSet {
    const set = new RangeSet();
    for (const [start, end] of ranges) set.#edges.push(start, end);
    return set;
  }

  /** Whether a position is in it. */
  has(position: number): boolean {
    return this.#indexAfter(position) % 2 === 1;
  }

  /**
   * Adds a position.
   *
   * @returns False when it was there already.
   */
  add(position: number): boolean {
    const at = this.#indexAfter(position);
    if (at % 2 === 1) return false;
    const edges = this.#edges;
    const joinsBefore = at > 0 && edges[at - 1] === position;
    const joinsAfter = at < edges.length && edges[at] === position + 1;
    if (joinsBefore && joinsAfter) edges.splice(at - 1, 2);
    else if (joinsBefore) edges[at - 1]++;
    else if (joinsAfter) edges[at]--;
    else edges.splice(at, 0, position, position + 1);
    return true;
  }

  /** The ranges [start, end), ascending. */
  ranges(): [number, number][] {
    const edges = this.#edges;
    return Array.from({ length: edges.length / 2 }, (_, i) => [edges[2 * i], edges[2 * i + 1]]);
  }

  /** Number of edges at or below a position. */
  #indexAfter(position: number): number {
    let [low, high] = [0, this.#edges.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#edges[middle] <= position) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/**
 * Coverage of all parts together.
 *
 * @throws {PlimsollError} kind `data` when a sample is in two parts: it would count twice.
 */
export function mergeCoverage(parts: readonly (readonly SourceCoverage[])[]): SourceCoverage[] {
  const bySource = new Map<string, [number, number][]>();
  for (const { source, ranges } of parts.flat()) {
    const all = bySource.get(source) ?? [];
    for (const [start, end] of ranges) all.push([start, end]);
    bySource.set(source, all);
  }
  return [...bySource].sort(([a], [b]) => a < b ? -1 : 1).map(([source, all]) => {
    all.sort(([a], [b]) => a - b);
    const ranges: [number, number][] = [];
    for (const [start, end] of all) {
      const last = ranges.at(-1);
      if (last === undefined || start > last[1]) ranges.push([start, end]);
      else if (start === last[1]) last[1] = end;
      else throw overlap(source, start);
    }
    return { source, ranges };
  });
}

function overlap(source: string, position: number): PlimsollError {
  return new PlimsollError("data", {
    action: "merging statistics",
    wanted: "parts that cover different samples",
    found: `sample ${position} of ${
      source === "" ? "the stream" : `source ${source}`
    } in two of them`,
    remedy: `Leave one of the two out, or calibrate with ${
      option("shard", "1/n")
    }, 2/n … so that none overlap`,
  });
}

/** Positions of the samples that statistics cover; one run has one source. */
export function coveredBy(
  data: { readonly sources: readonly SourceCoverage[] } | undefined,
): RangeSet {
  return RangeSet.from(data?.sources.flatMap(({ ranges }) => ranges) ?? []);
}
