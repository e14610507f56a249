/**
 * Rounding by second-order information: the codes of a layer's weights with which its output errs least, not each
 * weight. The expected squared error of an output channel with weight errors e is e·H·eᵀ, H being the second moments
 * of the inputs that the weights meet. With H = (U + 1)·D·(U + 1)ᵀ, U strictly upper triangular,
 *
 *     e·H·eᵀ = Σ_k D_k·(e_k + Σ_{i<k} e_i·U_ik)²
 *
 * so rounding w_k + Σ_{i<k} e_i·U_ik, one weight after the other, makes up for the errors so far. That is LDLQ (Chee
 * et al. 2023, "QuIP", arXiv 2307.13304, section 4), which gives the codes of GPTQ (Frantar et al. 2022, arXiv
 * 2210.17323) without an inverse. Sweeps of coordinate descent over the same error follow, and for few weights the search
 * of the best codes of all (`best_codes.ts`).
 *
 * @module
 */
import { bestCodes, MOST_WEIGHTS } from "./best_codes.ts";

/** A symmetric matrix, row-major. */
export interface Moments {
  readonly size: number;
  readonly matrix: Float64Array;
}

/** Inputs in the order in which their weights are rounded, with what it takes to round them. */
export interface RoundingPlan {
  readonly size: number;
  /** Weights by their place in this order. */
  readonly order: Int32Array;
  /** Row k: U_ik for i < k, in this order. */
  readonly feedback: Float64Array;
  /** D_k, in this order. */
  readonly pivots: Float64Array;
  /** H with damping, in this order. */
  readonly moments: Float64Array;
}

/** Damping as in GPTQ: moments of few samples are singular. */
const DAMPING = 0.01;
/** Sweeps of coordinate descent; more change no code worth it (measured). */
const SWEEPS = 3;

/**
 * Prepares the rounding of weights that meet inputs of these moments. Cubic in their number.
 *
 * @param damping Part of the mean of the diagonal that is added to it.
 */
export function planRounding({ size, matrix }: Moments, damping = DAMPING): RoundingPlan {
  const diagonal = Float64Array.from({ length: size }, (_, i) => matrix[i * size + i]);
  const mean = diagonal.reduce((sum, x) => sum + x, 0) / size;
  // What counts most is rounded first, while all others can still make up for it.
  const order = Int32Array.from(diagonal.keys()).sort((a, b) => diagonal[b] - diagonal[a] || a - b);
  const moments = new Float64Array(size * size);
  for (let i = 0; i < size; i++) {
    for (let j = 0; j < size; j++) moments[i * size + j] = matrix[order[i] * size + order[j]];
    // Inputs that are always the same (dead channels) have no moments: any damping will do.
    moments[i * size + i] += damping * mean || 1;
  }
  return { size, order, moments, ...factorise(moments, size) };
}

/** Row k of `feedback`: U_ik for i < k, of H = (U + 1)·D·(U + 1)ᵀ; `pivots`: D. */
function factorise(moments: Float64Array, size: number) {
  const pivots = new Float64Array(size);
  // Only the lower triangle is kept: row i up to column i.
  const rest = moments.slice();
  const feedback = new Float64Array(size * size);
  for (let k = size - 1; k >= 0; k--) {
    const row = k * size;
    const pivot = rest[row + k];
    pivots[k] = pivot;
    for (let i = 0; i < k; i++) feedback[row + i] = rest[row + i] / pivot;
    for (let i = 0; i < k; i++) {
      const factor = feedback[row + i] * pivot;
      if (factor === 0) continue;
      const at = i * size;
      for (let j = 0; j <= i; j++) rest[at + j] -= factor * feedback[row + j];
    }
  }
  return { feedback, pivots };
}

/** The weights of one output channel, and the grid of each. */
export interface Row {
  readonly weights: Float64Array;
  readonly scales: Float64Array;
  /** First and last code. */
  readonly low: number;
  readonly high: number;
  /** Code of zero of each weight; 0 where absent. */
  readonly zeroPoints?: ArrayLike<number>;
}

/** What {@linkcode roundRow} found. */
export interface RoundedRow {
  /** Codes without zero point. */
  readonly codes: Int16Array;
  /** e·H·eᵀ with the damped moments. */
  readonly error: number;
}

/** The x with H·x = b, H being the damped moments. */
export function solve({ size, order, feedback, pivots }: RoundingPlan, b: Float64Array) {
  const v = Float64Array.from(order, (k) => b[k]);
  for (let k = size - 1; k >= 0; k--) {
    for (let i = 0, at = k * size; i < k; i++) v[i] -= feedback[at + i] * v[k];
  }
  for (let k = 0; k < size; k++) {
    let sum = v[k] / pivots[k];
    for (let i = 0, at = k * size; i < k; i++) sum -= feedback[at + i] * v[i];
    v[k] = sum;
  }
  const x = new Float64Array(size);
  order.forEach((k, i) => x[k] = v[i]);
  return x;
}

/** Codes of one output channel, and errors of its weights, in the order of the plan: one pass from front to back. */
interface Pass extends RoundedRow {
  readonly errors: Float64Array;
}

/** What rounding one weight after the other leaves of the error: quick, and near what {@linkcode roundRow} finds. */
export function quickError(plan: RoundingPlan, row: Row): number {
  return roundInOrder(plan, row).error;
}

function roundInOrder({ size, order, feedback, pivots }: RoundingPlan, row: Row): Pass {
  const { weights, scales } = row;
  const codes = new Int16Array(size);
  const errors = new Float64Array(size);
  let error = 0;
  for (let k = 0; k < size; k++) {
    const place = order[k];
    let wanted = weights[place];
    for (let i = 0, at = k * size; i < k; i++) wanted += errors[i] * feedback[at + i];
    codes[k] = nearestCode(wanted, place, row);
    const step = codes[k] * scales[place];
    errors[k] = weights[place] - step;
    error += pivots[k] * (wanted - step) ** 2;
  }
  return { codes, errors, error };
}

function nearestCode(w: number, place: number, { scales, zeroPoints, low, high }: Row): number {
  const code = Math.round(w / scales[place]);
  const zero = zeroPoints?.[place] ?? 0;
  return code < low - zero ? low - zero : code > high - zero ? high - zero : code;
}

/** Codes of one output channel. */
export function roundRow(plan: RoundingPlan, row: Row): RoundedRow {
  const { size, order, moments } = plan;
  const { weights, scales } = row;
  const { codes, errors } = roundInOrder(plan, row);
  const error = descend();
  const best = size <= MOST_WEIGHTS ? bestCodes(plan, row, error) : undefined;
  const result = new Int16Array(size);
  for (let k = 0; k < size; k++) result[order[k]] = (best?.codes ?? codes)[k];
  return { codes: result, error: best?.error ?? error };

  /** Moves one code at a time to where the error is least while all others stay; returns e·H·eᵀ. */
  function descend(): number {
    const slope = new Float64Array(size);
    for (let i = 0; i < size; i++) {
      if (errors[i] === 0) continue;
      for (let j = 0, at = i * size; j < size; j++) slope[j] += errors[i] * moments[at + j];
    }
    for (let sweep = 0; sweep < SWEEPS; sweep++) {
      let isChanged = false;
      for (let k = 0; k < size; k++) {
        const at = k * size;
        const wanted = weights[order[k]] - errors[k] + slope[k] / moments[at + k];
        const code = nearestCode(wanted, order[k], row);
        if (code === codes[k]) continue;
        const error = weights[order[k]] - code * scales[order[k]];
        const change = error - errors[k];
        for (let j = 0; j < size; j++) slope[j] += change * moments[at + j];
        errors[k] = error;
        codes[k] = code;
        isChanged = true;
      }
      if (!isChanged) break;
    }
    return errors.reduce((sum, e, k) => sum + e * slope[k], 0);
  }
}
