/**
 * KL: the grid of least information loss.
 *
 * For a candidate grid the range of its rounding cells, from half a step below the lowest level to half
 * a step above the highest, is cut into equal cells, a whole number of them for each level (2,048 in
 * all at up to 8 bits, 8 for each level beyond). Then
 *
 *  1. P: mass of each cell; everything outside the range is folded into the two end cells.
 *  2. Q: for each level the mass of its cells without the folded part, spread evenly over those of its
 *     cells where P is not empty.
 *  3. Both get SMOOTHING on every cell and are normalised to 1.
 *  4. ERR = Σ P·ln(P / Q), in nats.
 *
 * The idea is TensorRT's (Migacz, "8-bit Inference with TensorRT", GTC 2017). Cells that belong to the
 * candidate instead of to a fixed histogram make it free of scale: MCT's version, on fixed bins, has zero
 * loss once the range is narrower than a bin and picks such thresholds (mct.md §0, fact 4). Here each
 * level always has several cells, and what is clipped always counts.
 *
 * @module
 */
import type { Levels } from "../../../tpc/core/grid.ts";
import { binIndex, type ValueBins } from "../../statistics/value_bins.ts";
import type { Judge } from "./method.ts";

const CELLS = 2048;
const CELLS_PER_LEVEL = 8;
/** Beyond 10 bits neighbouring levels are taken together: what matters there is the range. */
const MAX_LEVELS = 1024;
/** Part of the whole mass that every cell gets before normalising. */
const SMOOTHING = 1e-9;

/** Least Kullback-Leibler divergence. */
export const kl: Judge = {
  kind: "judge",
  formula: "KL(P ‖ Q) in nats",
  error: ({ bins }, levels) => divergence(bins, levels),
};

function divergence(bins: ValueBins, grid: Levels): number {
  const group = Math.max(1, (grid.high - grid.low + 1) / MAX_LEVELS);
  const levels = (grid.high - grid.low + 1) / group;
  const step = grid.step * group;
  const perLevel = Math.max(CELLS_PER_LEVEL, Math.floor(CELLS / levels));
  const cells = levels * perLevel;
  const start = (grid.low - 0.5) * grid.step;
  const width = step / perLevel;
  const mass = new Float64Array(cells);
  // Mass above each border, so that neighbouring cells share nothing and lose nothing.
  let above = massAbove(bins, start);
  const below = bins.total - above;
  for (let i = 0; i < cells; i++) {
    const next = massAbove(bins, start + (i + 1) * width);
    mass[i] = above - next;
    above = next;
  }
  const folded = (i: number) => (i === 0 ? below : 0) + (i === cells - 1 ? above : 0);
  const scale = 1 / bins.total;
  const normal = 1 / (1 + cells * SMOOTHING);
  let inside = 0;
  for (let i = 0; i < cells; i++) inside += mass[i];
  const insideScale = inside > 0 ? 1 / inside : 0;
  let sum = 0;
  for (let level = 0; level < levels; level++) {
    const first = level * perLevel;
    let total = 0;
    let filled = 0;
    for (let i = first; i < first + perLevel; i++) {
      total += mass[i];
      if (mass[i] + folded(i) > 0) filled++;
    }
    for (let i = first; i < first + perLevel; i++) {
      const reference = mass[i] + folded(i);
      const p = (reference * scale + SMOOTHING) * normal;
      const q = ((reference > 0 ? total / filled * insideScale : 0) + SMOOTHING) * normal;
      sum += p * Math.log(p / q);
    }
  }
  // Both are normalised, so that the sum is not negative but for rounding.
  return Math.max(0, sum);
}

/** Elements above x; a bin that x cuts is shared out by width. */
function massAbove(bins: ValueBins, x: number): number {
  const i = binIndex(bins, x);
  if (i === bins.count.length) return 0;
  if (bins.from[i] >= x) return bins.tailCount[i];
  return bins.tailCount[i + 1] + bins.count[i] * (bins.to[i] - x) / (bins.to[i] - bins.from[i]);
}
