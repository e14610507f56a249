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
 *  3. Both are divided by the number of all elements, and get SMOOTHING on every cell. Q isn't scaled up to a
 *     sum of 1: that would pass off what is clipped as if it were kept, and make the loss vanish when all that is
 *     left inside lies where the rest is folded.
 *  4. ERR = Σ P·ln(P / Q), in nats; never negative, since the sum of Q is at most that of P.
 *
 * Atoms, values that many elements share exactly, are no part of the shape that a grid should keep: zero, which
 * every grid has and which Relu makes half of a tensor of or more, and the least and greatest value where a clamp
 * has made heaps of them. Zeros are left out of P, Q and the number of elements, heaps out of P and Q as long as the
 * range holds them; beyond it they are clipped like anything else. TensorRT leaves out its bin at zero likewise.
 * With them in, spreading the heap over the cells of its level cost more than clipping nearly all the rest: with 92 %
 * zeros the best threshold of a ReLU6 was 0.0002 (EfficientNet-Lite0, measured).
 *
 * The idea is TensorRT's (Migacz, "8-bit Inference with TensorRT", GTC 2017). Cells that belong to the
 * candidate instead of to a fixed histogram make it free of scale: MCT's version, on fixed bins, has zero
 * loss once the range is narrower than a bin and picks such thresholds. Here each
 * level always has several cells, and what is clipped always counts.
 *
 * @module
 */
import { ln, quickLn } from "../../../core/portable_math.ts";
import type { Levels } from "../../../core/grid.ts";
import { binIndex, countAbove, type ValueBins } from "../../statistics/value_bins.ts";
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
  error: ({ bins }, levels) => divergence(massesOf(bins), levels),
  floor: ({ bins }, levels) => foldingFloor(massesOf(bins), levels),
};

/** The elements of a tensor as KL counts them. */
interface Masses {
  /** All of them, which may be clipped. */
  readonly all: ValueBins;
  /** Without atoms. */
  readonly free: ValueBins;
  /** How many there are, without zeros. */
  readonly total: number;
}

/** Part of the elements that aren't zero from which on equal extreme values are a heap. */
const HEAP = 1e-3;
/** The least heap: an extreme value alone is none. */
const LEAST_HEAP = 8;

const masses = new WeakMap<ValueBins, Masses>();

function massesOf(all: ValueBins): Masses {
  let found = masses.get(all);
  if (found === undefined) masses.set(all, found = withoutAtoms(all));
  return found;
}

function withoutAtoms(all: ValueBins): Masses {
  const { data: { zeros, min, max }, from, mean, variance } = all;
  const count = all.count.slice();
  const total = all.total - zeros;
  // Zeros are in the bins that begin or end at zero, +0 and −0.
  let left = zeros;
  for (let i = 0; i < count.length && left > 0; i++) {
    if (from[i] > 0 || all.to[i] < 0) continue;
    const taken = Math.min(left, count[i]);
    count[i] -= taken;
    left -= taken;
  }
  for (const [i, extreme] of [[0, min], [count.length - 1, max]] as const) {
    const isHeap = extreme !== 0 && variance[i] === 0 && mean[i] === extreme;
    if (isHeap && count[i] >= Math.max(LEAST_HEAP, HEAP * total)) count[i] = 0;
  }
  const tailCount = new Float64Array(count.length + 1);
  for (let i = count.length - 1; i >= 0; i--) tailCount[i] = tailCount[i + 1] + count[i];
  // A tensor of zeros and heaps has no shape, and nothing is divided by it.
  return { all, free: { ...all, count, tailCount }, total: Math.max(total, 1) };
}

/** How a candidate's range is cut into cells. */
function cellsOf(grid: Levels) {
  const group = Math.max(1, (grid.high - grid.low + 1) / MAX_LEVELS);
  const levels = (grid.high - grid.low + 1) / group;
  const perLevel = Math.max(CELLS_PER_LEVEL, Math.floor(CELLS / levels));
  return {
    perLevel,
    cells: levels * perLevel,
    start: (grid.low - 0.5) * grid.step,
    width: grid.step * group / perLevel,
  };
}

/**
 * What the folded part alone costs. Taking cells together never adds to a divergence (log sum inequality), so two
 * heaps will do: A, the end cells with all that is folded into them, and the rest. Q, whose sum is S, gives A at
 * most the mass of the end levels; where that is more than A's due share of S, the bound is that of the sums, −ln S.
 */
function foldingFloor({ all, free, total }: Masses, grid: Levels): number {
  const { perLevel, cells, start, width } = cellsOf(grid);
  const at = (cell: number) => countAbove(free, start + cell * width);
  const [from, to] = [at(0), at(cells)];
  const inside = from - to;
  const clipped = clippedBy(all, grid);
  const normal = 1 / (1 + cells * SMOOTHING);
  const share = (mass: number, cells: number) => (mass / total + cells * SMOOTHING) * normal;
  const sums = { p: share(inside + clipped, cells), q: share(inside, cells) };
  const p = share(clipped + from - at(1) + at(cells - 1) - to, 2);
  const q = share(from - at(perLevel) + at(cells - perLevel) - to, 2);
  if (q * sums.p >= p * sums.q) return sums.p * ln(sums.p / sums.q);
  const rest = { p: sums.p - p, q: sums.q - q };
  return p * ln(p / q) + (rest.p > 0 ? rest.p * ln(rest.p / rest.q) : 0);
}

/** Elements outside the range of a grid. */
function clippedBy(all: ValueBins, grid: Levels): number {
  const { cells, start, width } = cellsOf(grid);
  return all.total - countAbove(all, start) + countAbove(all, start + cells * width);
}

function divergence({ all, free, total: elements }: Masses, grid: Levels): number {
  const { perLevel, cells, start, width } = cellsOf(grid);
  const mass = cellMasses(free, start, width, cells);
  const above = countAbove(all, start + cells * width);
  const below = all.total - countAbove(all, start);
  const scale = 1 / elements;
  const normal = 1 / (1 + cells * SMOOTHING);
  let sum = 0;
  for (let first = 0; first < cells; first += perLevel) {
    const end = first + perLevel;
    let total = 0;
    for (let i = first; i < end; i++) total += mass[i];
    // What lies outside counts for P only.
    if (first === 0) mass[0] += below;
    if (end === cells) mass[cells - 1] += above;
    let [entropy, covered, filled] = [0, 0, 0];
    // Cells of one bin have the same mass: one logarithm does for all.
    let [known, p, logP] = [0, 0, 0];
    for (let i = first; i < end; i++) {
      // Where P is empty it equals Q, and the cell adds nothing.
      if (mass[i] === 0) continue;
      if (mass[i] !== known) {
        known = mass[i];
        p = (known * scale + SMOOTHING) * normal;
        logP = quickLn(p);
      }
      entropy += p * logP;
      covered += p;
      filled++;
    }
    if (filled === 0) continue;
    const q = (total / filled * scale + SMOOTHING) * normal;
    sum += entropy - covered * quickLn(q);
  }
  // Not negative but for rounding.
  return Math.max(0, sum);
}

/**
 * Elements in each of the equal cells from `start` on. A bin that a border cuts is shared out by width, so that
 * neighbouring cells share nothing and lose nothing. One walk along the bins.
 */
function cellMasses(bins: ValueBins, start: number, width: number, cells: number): Float64Array {
  const { from, to, count, tailCount } = bins;
  const mass = new Float64Array(cells);
  let i = binIndex(bins, start);
  // The part of bin i above a border: slope · (to[i] − border), and all of it below from[i].
  let slope = i < count.length ? count[i] / (to[i] - from[i]) : 0;
  let above = countAbove(bins, start);
  for (let cell = 0; cell < cells && i < count.length; cell++) {
    const border = start + (cell + 1) * width;
    if (border < to[i] && border - width > from[i]) {
      mass[cell] = slope * width;
      above = tailCount[i + 1] + slope * (to[i] - border);
      continue;
    }
    if (to[i] <= border) {
      do i++; while (i < count.length && to[i] <= border);
      if (i < count.length) slope = count[i] / (to[i] - from[i]);
    }
    const next = i === count.length
      ? 0
      : border <= from[i]
      ? tailCount[i]
      : tailCount[i + 1] + slope * (to[i] - border);
    mass[cell] = above - next;
    above = next;
  }
  return mass;
}
