/**
 * Vocabulary of the quantizer: the words that target, search, manifest and emission share.
 *
 * @module
 */

/** How thresholds are chosen. */
export const ERROR_METHODS = ["mse", "noclipping"] as const;
/** One of {@linkcode ERROR_METHODS}. */
export type ErrorMethod = (typeof ERROR_METHODS)[number];

/** Which thresholds are allowed. `pot`: powers of two. */
export const CONSTRAINTS = ["pot"] as const;
/** One of {@linkcode CONSTRAINTS}. */
export type Constraint = (typeof CONSTRAINTS)[number];

/** Whether the grid has negative values; `auto`: when a finite value below zero was seen. */
export const SIGNEDNESS = ["auto", "yes", "no"] as const;
/** One of {@linkcode SIGNEDNESS}. */
export type Signedness = (typeof SIGNEDNESS)[number];

/** What is asked of the quantizer of one activation tensor. */
export interface ActivationSpec {
  /** 2 to 8. */
  readonly bits: number;
  readonly constraint: Constraint;
  readonly signed: Signedness;
  readonly error: ErrorMethod;
}

/** What is asked of the quantizer of one weight tensor. */
export interface WeightSpec {
  /** 2 to 8. */
  readonly bits: number;
  readonly constraint: "symmetric";
  /** `channel`: one step for each output channel. */
  readonly granularity: "channel";
  readonly error: "mse";
  /** False: no weight may be clipped. */
  readonly clip: false;
}

/**
 * A uniform integer grid. Real value = `scale` · (code − `zeroPoint`), with
 * `code` from `quantizedMin` to `quantizedMax`, both included, as stored.
 */
export interface Grid {
  /** Real units per integer step; an exact float32. */
  readonly scale: number;
  readonly zeroPoint: number;
  readonly quantizedMin: number;
  readonly quantizedMax: number;
}
