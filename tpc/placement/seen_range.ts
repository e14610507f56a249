/**
 * Ranges of tensors that calibration has seen, for decisions that depend on them.
 *
 * @module
 */

/** Range of a tensor that was seen, with zero in it. */
export interface SeenRange {
  readonly low: number;
  readonly high: number;
}

/** What the statistics tell of a tensor; undefined for one that wasn't watched. */
export type RangeOf = (tensor: string) => SeenRange | undefined;

/** The range that holds all of some; undefined when one isn't known or there is none. */
export function unite(ranges: readonly (SeenRange | undefined)[]): SeenRange | undefined {
  let [low, high] = [0, 0];
  for (const range of ranges) {
    if (range === undefined) return undefined;
    [low, high] = [Math.min(low, range.low), Math.max(high, range.high)];
  }
  return ranges.length === 0 ? undefined : { low, high };
}

/** Length of a range. */
export function spanOf({ low, high }: SeenRange): number {
  return high - low;
}
