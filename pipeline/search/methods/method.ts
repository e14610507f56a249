/**
 * What every error method is.
 *
 * @module
 */
import type { Levels } from "../../../core/grid.ts";
import type { ActivationSpec } from "../../../core/types.ts";
import type { TensorView } from "../../statistics/tensor_view.ts";

/** Real range that a grid should hold. */
export interface Range {
  readonly low: number;
  readonly high: number;
}

/** A method that judges grids: the search looks for the one of least error. */
export interface Judge {
  readonly kind: "judge";
  /** What ERR measures, as a formula for people. */
  readonly formula: string;
  /** ERR of a grid, summed over all finite elements unless `formula` says otherwise; at least 0. */
  error(view: TensorView, levels: Levels): number;
  /** What ERR of a grid is not below, when that is much quicker to tell than ERR itself. */
  floor?(view: TensorView, levels: Levels): number;
  /** p, when ERR is Σ |Q(x) − x|^p: then it has certain bounds, and may be exact. */
  readonly power?: number;
}

/** A method that sets the range of the grid without judging candidates. */
export interface RangeSetter {
  readonly kind: "range";
  /** Whether the range holds even for a tensor of zeros. */
  readonly isFixed?: boolean;
  /** How the range is found, for people. */
  readonly formula: string;
  /** The range. */
  range(view: TensorView, signed: boolean): Range;
}

/** An error method, with the options of its quantizer filled in. */
export type Method = Judge | RangeSetter;

/** What `methods.ts` has of each method. */
export interface MethodRecord {
  /** Makes it for what is asked of one quantizer. */
  readonly make: (spec: ActivationSpec) => Method;
  /** Whether it is another method unless its options say otherwise: AUTO, which gives none, doesn't try it. */
  readonly isUsuallyAnother?: true;
  /** Whether reports draw it at first, beside the chosen ones. */
  readonly isShown?: true;
}
