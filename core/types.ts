/**
 * Vocabulary of the quantizer: the words that target, search, manifest and emission share.
 *
 * @module
 */

/** How thresholds are chosen; see pipeline/search/methods, one file each. */
export const ERROR_METHODS = [
  "mse",
  "noclipping",
  "mae",
  "lp",
  "kl",
  "percentile",
  "octav",
] as const;
/** One of {@linkcode ERROR_METHODS}. */
export type ErrorMethod = (typeof ERROR_METHODS)[number];
/** What a target may ask for: a method, or `auto`, which decides for each tensor on held-out samples. */
export const METHOD_CHOICES = [...ERROR_METHODS, "auto"] as const;
/** One of {@linkcode METHOD_CHOICES}. */
export type MethodChoice = (typeof METHOD_CHOICES)[number];

/**
 * Which grids are allowed. `pot`: thresholds that are powers of two; `symmetric`: any threshold, zero
 * point 0; `uniform`: any range that holds zero (affine).
 */
export const CONSTRAINTS = ["pot", "symmetric", "uniform"] as const;
/** One of {@linkcode CONSTRAINTS}. */
export type Constraint = (typeof CONSTRAINTS)[number];

/** Whether the grid has negative values; `auto`: when a finite value below zero was seen. */
export const SIGNEDNESS = ["auto", "yes", "no"] as const;
/** One of {@linkcode SIGNEDNESS}. */
export type Signedness = (typeof SIGNEDNESS)[number];

/** What is asked of the quantizer of one activation tensor. */
export interface ActivationSpec {
  /** 2 to 16; the storage of the target may hold fewer. */
  readonly bits: number;
  readonly constraint: Constraint;
  readonly signed: Signedness;
  readonly error: MethodChoice;
  /** Exponent of method `lp`, at least 1; default 2, as in MCT. */
  readonly lpP?: number;
  /** Percent of the elements that method `percentile` keeps, above 0 to 100; default 99.999. */
  readonly percentile?: number;
  /**
   * Elements further than this many standard deviations from the mean are left out of the search;
   * default: none, as in MCT.
   */
  readonly zThreshold?: number;
  /** Range that the operator gives by definition and the target fixes: the data don't matter then. */
  readonly fixedRange?: { readonly op: string; readonly low: number; readonly high: number };
  /** Grid that the target fixes for the operator, as TFLite does for Softmax; nothing is searched then. */
  readonly fixedGrid?: {
    readonly op: string;
    readonly step: number;
    readonly low: number;
    readonly high: number;
  };
}

/** A spec whose method is decided; see `settleMethod`. */
export type SettledSpec = ActivationSpec & { readonly error: ErrorMethod };

/**
 * How weight steps are chosen; `noclipping` takes the smallest grid that holds all weights, `output` counts the squared
 * error of a weight by the variance of the input that it meets.
 */
export const WEIGHT_METHODS = ["mse", "mae", "lp", "noclipping", "output"] as const;
/** One of {@linkcode WEIGHT_METHODS}. */
export type WeightMethod = (typeof WEIGHT_METHODS)[number];

/** Which weights share a step: those of an output channel, all of the tensor, or blocks along the inputs. */
export const GRANULARITIES = ["channel", "tensor", "block"] as const;
/** One of {@linkcode GRANULARITIES}. */
export type Granularity = (typeof GRANULARITIES)[number];

/** What is asked of the quantizer of one weight tensor. */
export interface WeightSpec {
  /** 2 to 8. */
  readonly bits: number;
  /** As for activations; `symmetric` leaves out the code −2^(bits−1). */
  readonly constraint: Constraint;
  readonly granularity: Granularity;
  /** Weights in a block, of granularity `block`; default 32. */
  readonly blockSize?: number;
  readonly error: WeightMethod;
  /** Exponent of method `lp`, at least 1; default 2. */
  readonly lpP?: number;
  /** Whether a weight may be clipped by more than half a step. */
  readonly clip: boolean;
  /** Whether what rounding adds to the output on average is taken out of the bias; default true. */
  readonly biasCorrection?: boolean;
}

/** Types that activation codes are stored in. */
export const ACTIVATION_STORAGES = ["uint8", "int8", "uint16", "int16"] as const;
/** One of {@linkcode ACTIVATION_STORAGES}. */
export type ActivationStorage = (typeof ACTIVATION_STORAGES)[number];

/** Types that weight codes are stored in. */
export const WEIGHT_STORAGES = ["int8", "uint8", "int4", "uint4"] as const;
/** One of {@linkcode WEIGHT_STORAGES}. */
export type WeightStorage = (typeof WEIGHT_STORAGES)[number];

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

/** When activations in front of linear layers are quantized: by grids from data, or as the model runs. */
export const ACTIVATION_TIMES = ["static", "dynamic"] as const;
/** One of {@linkcode ACTIVATION_TIMES}. */
export type ActivationTime = (typeof ACTIVATION_TIMES)[number];

/** What weights are stored in where nothing else is quantized. */
export const WEIGHT_ONLY_TYPES = ["int8", "int4", "float16"] as const;
/** One of {@linkcode WEIGHT_ONLY_TYPES}. */
export type WeightOnlyType = (typeof WEIGHT_ONLY_TYPES)[number];
