/**
 * How a pass is cut into shards, and how their results are merged.
 *
 * @module
 */

/** Positions [start, end) of samples, ascending. */
export type Ranges = readonly (readonly [number, number])[];

/** How long a shard should take on a machine like the one that cuts, in seconds. */
const SHARD_SECONDS = 60;
/** Shards that there should be at least, so that several machines have something to do … */
const LEAST_SHARDS = 16;
/** … as long as one takes so many seconds. */
const LEAST_SECONDS = 2;
/** Files that are merged at once. */
export const FAN_IN = 16;

/** Samples of all ranges. */
export function countOf(ranges: Ranges): number {
  return ranges.reduce((sum, [start, end]) => sum + end - start, 0);
}

/** Samples of a shard, for a machine of so many samples a second. */
export function shardSize(total: number, rate: number): number {
  const whole = total / rate;
  const seconds = Math.min(SHARD_SECONDS, Math.max(LEAST_SECONDS, whole / LEAST_SHARDS));
  return Math.max(1, Math.round(seconds * rate));
}

/**
 * Cuts samples into shards of about the same size, none of them empty.
 *
 * @param shards How many at most.
 * @param multiple All but the last one have a multiple of so many samples.
 */
export function cutRanges(ranges: Ranges, shards: number, multiple: number): Ranges[] {
  const total = countOf(ranges);
  const units = Math.ceil(total / multiple);
  const count = Math.min(shards, units);
  const ends = Array.from(
    { length: count },
    (_, i) => Math.min(total, Math.floor((i + 1) * units / count) * multiple),
  );
  const cut: [number, number][][] = [];
  let [at, from] = [0, ranges[0]?.[0] ?? 0];
  let done = 0;
  for (const end of ends) {
    const own: [number, number][] = [];
    while (done < end) {
      const [start, stop] = ranges[at];
      from = Math.max(from, start);
      const taken = Math.min(stop - from, end - done);
      own.push([from, from + taken]);
      done += taken;
      from += taken;
      if (from === stop) at++;
    }
    cut.push(own);
  }
  return cut;
}

/** A tree of merges: leaves are numbers of shards. */
export type MergeTree = number | readonly MergeTree[];

/** A tree in which no one merges more than {@linkcode FAN_IN}; a single shard is a leaf alone. */
export function mergeTree(shards: number): MergeTree {
  let level: MergeTree[] = Array.from({ length: shards }, (_, i) => i);
  while (level.length > 1) {
    const groups = Math.ceil(level.length / FAN_IN);
    level = Array.from({ length: groups }, (_, i) => {
      const own = level.slice(
        Math.floor(i * level.length / groups),
        Math.floor((i + 1) * level.length / groups),
      );
      return own.length === 1 ? own[0] : own;
    });
  }
  return level[0];
}
