/**
 * What every constraint is: which grids may be chosen, and how to find the best of them.
 *
 * @module
 */
import type { Levels } from "../../../core/grid.ts";
import type { Dyadic } from "../../statistics/dyadic.ts";
import type { Judge, Range } from "../methods/method.ts";
import type { TensorView } from "../../statistics/tensor_view.ts";

/** A grid that was tried, with what it was worth. */
export interface Trial {
  readonly levels: Levels;
  /** What people call this grid: the largest magnitude that it is made for. */
  readonly threshold: number;
  /** ERR, summed as the method says. */
  readonly error: number;
  /** The same without rounding, where it is known. */
  readonly exact?: Dyadic;
}

/** Result of a search. */
export interface Found {
  readonly best: Trial;
  /** Some of the trials, descending thresholds: the error curve. */
  readonly curve: readonly Trial[];
  /** Why this one. */
  readonly reason: string;
}

/** Size of a quantizer. */
export interface Size {
  /** 2 to 16. */
  readonly bits: number;
  readonly signed: boolean;
}

/** A constraint on grids. */
export interface ConstraintSearch {
  /** The grid of least error. `view` has an element other than zero. */
  minimise(view: TensorView, size: Size, judge: Judge): Found;
  /** The grid for a range that a method has set. */
  fit(view: TensorView, size: Size, range: Range): Pick<Trial, "levels" | "threshold">;
}

/**
 * Smallest threshold of any constraint. MCT's is 2^−16 (`constants.py`, MIN_THRESHOLD), which makes zeros of every
 * tensor below 2^−24, in silence; here only products of scales must stay clear of float32's subnormals.
 */
export const MIN_THRESHOLD = 2 ** -64;

/** Threshold of tensors without an element but zero, where every threshold is exact: MCT's smallest. */
export const ZERO_THRESHOLD = 2 ** -16;
