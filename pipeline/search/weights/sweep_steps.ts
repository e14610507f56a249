/**
 * The steps of least error among all, from one sweep over them.
 *
 * For weights of size a and codes k the error is the lower envelope of parabolas (or of broken lines),
 *
 *     E(s) = Σ c·(a − k·s)²,   k = round(a/s), at most the highest code,
 *
 * whose coefficients change only where a/s passes k + 1/2: for each weight at an arithmetic progression of 1/s. All changes
 * of all weights are added up in cells of 1/s, and running sums of the cells give E(s) at every border between two cells,
 * exactly but for float64 rounding, since E is continuous where a code changes. A weight costs as many additions as its
 * code changes, 16 on average for 8 bits and one octave of steps, instead of an evaluation for each step.
 *
 * @module
 */
import { ROUND } from "../../../core/grid.ts";

/** What is swept over. */
export interface Sweep {
  /** Any order, any sign. */
  readonly weights: Float64Array;
  /** What the error of each weight is multiplied by; absent: 1. */
  readonly counts?: Float64Array;
  /** Exponent of the error. */
  readonly power: 1 | 2;
  /** Least and greatest step, above 0; float32. */
  readonly from: number;
  readonly to: number;
  /** Greatest code, on either side of 0; infinite where no weight is clipped. */
  readonly high: number;
}

/** Changes of codes in a cell, of many weights: each of them hardly bends the error. */
const CHANGES = 8;
/** Cells to a change, of few. */
const CELLS = 4;
/** Cells, of few weights and of many at most. */
const FEW_CELLS = 1024;
const MOST_CELLS = 2048;
/** Rounds of least squares, each of which can only lower the error: the first has nearly all of it. */
const ROUNDS = 2;

/** A step near a minimum, with steps on either side of it. */
export interface NearMinimum {
  readonly step: number;
  readonly below: number;
  readonly above: number;
}

/** The steps of the least minima of the error, at most `count`: for power 2 to float32, for power 1 to a cell. */
export function sweepSteps(sweep: Sweep, count: number): NearMinimum[] {
  const { from, to, power } = sweep;
  const minima: Minimum[] = [];
  // Cells of equal width in 1/s would be too wide for large steps beside much smaller ones.
  for (let top = to; top > from; top /= 2) {
    const octave = { ...sweep, from: Math.max(from, top / 2), to: top };
    minima.push(...sweepOctave(octave, count));
  }
  minima.sort((a, b) => a.error - b.error || b.step - a.step);
  const clamped = (step: number) => Math.min(Math.max(Math.fround(step), from), to);
  return minima.slice(0, count).map(({ step, below, above }) => ({
    step: clamped(power === 2 ? leastSquares(sweep, step) : step),
    below: clamped(below),
    above: clamped(above),
  }));
}

interface Minimum extends NearMinimum {
  readonly error: number;
}

function sweepOctave(sweep: Sweep, count: number): Minimum[] {
  const cells = emptyCells(sweep);
  (sweep.power === 2 ? addSquaredChanges : addAbsoluteChanges)(sweep, cells);
  const { first, last, count: cellCount, constants, linears, squares } = cells;
  const width = (last - first) / cellCount;
  const least = new LeastMinima(count);
  let [constant, linear, square] = [0, 0, 0];
  for (let cell = 0; cell <= cellCount; cell++) {
    constant += constants[cell];
    linear += linears[cell];
    square += squares[cell];
    const place = first + cell * width;
    // An envelope of parabolas from below has its minima at vertices, or at the ends. That of the parabola here is at
    // 1/s = −2·square/linear, and an upper bound of the error there wherever it is. Broken lines are looked at everywhere.
    const isNear = Math.abs(2 * square + linear * place) <= -linear * width;
    const isEnd = cell === 0 || cell === cellCount;
    if (!isNear && !isEnd && sweep.power === 2) continue;
    const step = isNear && square > 0 ? -linear / (2 * square) : 1 / place;
    least.add(constant + (linear + square * step) * step, step, cell);
  }
  return least.all().map(({ error, step, cell }) => ({
    error,
    step,
    below: 1 / (first + (cell + 1) * width),
    above: 1 / (first + Math.max(0, cell - 1) * width),
  }));
}

/**
 * The least minima of those that are added by ascending cells, few enough to be kept in order. Half of all cells add one:
 * numbers in arrays are moved, and no object is made.
 */
class LeastMinima {
  readonly #most: number;
  readonly #errors: Float64Array;
  readonly #steps: Float64Array;
  readonly #cells: Int32Array;
  #size = 0;

  constructor(most: number) {
    this.#most = most;
    this.#errors = new Float64Array(most);
    this.#steps = new Float64Array(most);
    this.#cells = new Int32Array(most);
  }

  add(error: number, step: number, cell: number): void {
    const [errors, steps, cells] = [this.#errors, this.#steps, this.#cells];
    let size = this.#size;
    if (size === this.#most && error >= errors[size - 1]) return;
    // Borders on either side of one vertex both see it: the better one stays.
    let gap = 0;
    while (gap < size && cell - cells[gap] > 1) gap++;
    if (gap < size && errors[gap] <= error) return;
    if (gap === size && size < this.#most) this.#size = ++size;
    // The one that goes, the twin or the worst, leaves a gap that moves to where the new one belongs.
    gap = Math.min(gap, size - 1);
    for (; gap > 0 && errors[gap - 1] > error; gap--) {
      errors[gap] = errors[gap - 1];
      steps[gap] = steps[gap - 1];
      cells[gap] = cells[gap - 1];
    }
    errors[gap] = error;
    steps[gap] = step;
    cells[gap] = cell;
  }

  /** All, the least first. */
  all(): { readonly error: number; readonly step: number; readonly cell: number }[] {
    return Array.from({ length: this.#size }, (_, i) => ({
      error: this.#errors[i],
      step: this.#steps[i],
      cell: this.#cells[i],
    }));
  }
}

/** Cells in proportion to the changes of codes. */
function countOfCells({ weights, power, from, to }: Sweep): number {
  let sum = 0;
  for (let i = 0; i < weights.length; i++) sum += Math.abs(weights[i]);
  const changes = sum * (1 / from - 1 / to) * (power === 1 ? 2 : 1);
  const cells = Math.max(changes / CHANGES, Math.min(CELLS * changes, FEW_CELLS));
  return Math.min(1 + Math.ceil(cells), MOST_CELLS);
}

/** Cells of 1/s, of equal width. */
interface Cells {
  readonly count: number;
  /** 1/s at the greatest and at the least step. */
  readonly first: number;
  readonly last: number;
  /**
   * How the coefficients of 1, s and s² change from one border of cells to the next, the first one with all that they are at
   * the greatest step.
   */
  readonly constants: Float64Array;
  readonly linears: Float64Array;
  readonly squares: Float64Array;
}

/** Of (a − k·s)². */
function addSquaredChanges({ weights, counts, high }: Sweep, cells: Cells): void {
  const { first, last, constants, linears, squares } = cells;
  const scale = cells.count / (last - first);
  for (let i = 0; i < weights.length; i++) {
    const a = Math.abs(weights[i]);
    if (a === 0) continue;
    const c = counts === undefined ? 1 : counts[i];
    const inverse = 1 / a;
    const twice = 2 * c * a;
    let code = Math.min(Math.round(a * first), high);
    constants[0] += c * a * a;
    linears[0] -= twice * code;
    squares[0] += c * code * code;
    for (; code < high; code++) {
      const place = (code + 0.5) * inverse;
      if (place >= last) break;
      const cell = 1 + ((place - first) * scale | 0);
      linears[cell] -= twice;
      squares[cell] += c * (2 * code + 1);
    }
  }
}

/** Of |a − k·s|, which also turns where it is 0, at 1/s = k/a. */
function addAbsoluteChanges({ weights, counts, to, high }: Sweep, cells: Cells): void {
  const { first, last, constants, linears } = cells;
  const scale = cells.count / (last - first);
  for (let i = 0; i < weights.length; i++) {
    const a = Math.abs(weights[i]);
    if (a === 0) continue;
    const c = counts === undefined ? 1 : counts[i];
    const inverse = 1 / a;
    let code = Math.min(Math.round(a * first), high);
    let isAbove = code * to > a;
    const sign = isAbove ? -1 : 1;
    constants[0] += sign * c * a;
    linears[0] -= sign * c * code;
    while (isAbove || code < high) {
      const place = (isAbove ? code : code + 0.5) * inverse;
      if (place >= last) break;
      const cell = 1 + ((place - first) * scale | 0);
      constants[cell] += isAbove ? 2 * c * a : -2 * c * a;
      linears[cell] += isAbove ? -2 * c * code : c * (2 * code + 1);
      if (!isAbove) code++;
      isAbove = !isAbove;
    }
  }
}

/** The cells of all sweeps, one after the other: making them anew took a third of the time. */
const SCRATCH = [0, 1, 2].map(() => new Float64Array(MOST_CELLS + 2));

function emptyCells(sweep: Sweep): Cells {
  const count = countOfCells(sweep);
  // One more for rounding at the end.
  const [constants, linears, squares] = SCRATCH.map((all) => all.subarray(0, count + 2).fill(0));
  return { count, first: 1 / sweep.to, last: 1 / sweep.from, constants, linears, squares };
}

/** The step that fits the codes best, again and again, as Lloyd does: the error can only fall. */
function leastSquares({ weights, counts, from, to, high }: Sweep, start: number): number {
  let step = start;
  for (let round = 0; round < ROUNDS; round++) {
    let [products, squares] = [0, 0];
    const inverse = 1 / step;
    for (let i = 0; i < weights.length; i++) {
      const a = Math.abs(weights[i]);
      const place = a * inverse + ROUND - ROUND;
      const code = place > high ? high : place;
      const c = counts === undefined ? code : counts[i] * code;
      products += c * a;
      squares += c * code;
    }
    const next = squares === 0 ? step : Math.min(Math.max(products / squares, from), to);
    if (Math.fround(next) === Math.fround(step)) break;
    step = next;
  }
  return step;
}
