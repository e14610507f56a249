/** Weight grids by definition and brute force. */
import { type Levels, roundHalfEven } from "../../core/grid.ts";
import type { WeightSpec } from "../../core/types.ts";

/** Exponents of error methods; `lp` has its own. */
export const POWERS: Readonly<Record<string, number>> = { mse: 2, mae: 1 };

/** Σ |Q(w) − w|^p, one weight after the other; given up beyond `bound`. */
export function gridError(
  weights: Float32Array,
  { step, low, high }: Levels,
  power: number,
  bound = Infinity,
): number {
  let sum = 0;
  for (let i = 0; i < weights.length && sum <= bound; i++) {
    const code = Math.min(Math.max(roundHalfEven(weights[i] / step), low), high);
    sum += Math.abs(code * step - weights[i]) ** power;
  }
  return sum;
}

/** Whether no weight is clipped by more than half a step. */
export function clipsNothing(weights: Float32Array, { step, low, high }: Levels, slack = 1e-9) {
  return weights.every((w) => w <= (high + 0.5 + slack) * step && w >= (low - 0.5 - slack) * step);
}

/** Steps tried from an eighth (8 bits) or less of the one that clips nothing to twice that. */
const STEPS = 6000;

/** The best of a dense set of grids of a constraint. */
export function bestGrid(weights: Float32Array, spec: WeightSpec, power: number): Levels {
  const { bits, constraint, clip } = spec;
  const half = 2 ** (bits - 1);
  const [min, max] = [Math.min(0, ...weights), Math.max(0, ...weights)];
  const largest = Math.max(max, -min);
  let best: Levels = { step: 0, low: 0, high: 0 };
  let least = Infinity;
  const tryGrid = (grid: Levels) => {
    if (!clip && !clipsNothing(weights, grid, 0)) return;
    const error = gridError(weights, grid, power, least);
    if (error < least) [least, best] = [error, grid];
  };
  if (constraint === "pot") {
    const exponent = Math.ceil(Math.log2(largest / half)) + 3;
    for (let i = 0; i < 14; i++) tryGrid({ step: 2 ** (exponent - i), low: -half, high: half - 1 });
    return best;
  }
  const start = constraint === "symmetric" ? largest / (half - 1) : (max - min) / (2 * half - 1);
  // Without clipping the range of the weights fits between the first and the last level.
  const from = clip ? start / (bits > 4 ? 6 : 24) : start;
  for (let i = 0; i <= STEPS; i++) {
    const step = Math.fround(from * (2 * start / from) ** (i / STEPS));
    if (constraint === "symmetric") tryGrid({ step, low: 1 - half, high: half - 1 });
    else {
      const codes = 2 * half - 1;
      const first = Math.max(-codes, roundHalfEven(min / step));
      const last = Math.min(0, roundHalfEven(max / step) - codes);
      for (let low = Math.min(first, last); low <= Math.max(first, last); low++) {
        if (low < -codes || low > 0) continue;
        tryGrid({ step, low: low + 0, high: low + codes });
        if (first >= last) break;
      }
    }
  }
  return best;
}
