/**
 * Search of weight steps, from the weights alone.
 *
 * @module
 */
import { decibels } from "../../../core/portable_math.ts";
import { type Levels, powerOfTwoAtLeast } from "../../../core/grid.ts";
import type { Constraint, WeightSpec } from "../../../core/types.ts";
import { stepGroups, type WeightTensor } from "./channel_weights.ts";
import { DEFAULT_P } from "../methods/lp.ts";
import { float32AtLeast, type WeightConstraint } from "./constraint.ts";
import { potWeights } from "./pot.ts";
import { symmetricWeights } from "./symmetric.ts";
import { uniformWeights } from "./uniform.ts";
import { type WeightErrors, weightErrors } from "./weight_errors.ts";

/** Weights of one layer as the search sees them. */
export interface WeightSearchInput extends WeightTensor {
  readonly spec: WeightSpec;
  /** For method `output`: what the squared error of each weight is multiplied by, as many as weights. */
  readonly importance?: Float32Array;
  /** Steps that the sums of each output channel need at least, see `leastSteps`; any will do where absent. */
  readonly floors?: ArrayLike<number>;
}

/** Steps of one layer's weights. */
export interface WeightSteps {
  /** One for each channel, or one in all. Steps are float32 numbers. */
  readonly levels: readonly Levels[];
  /** 10·log10(Σw² / Σ(Q(w) − w)²) in dB over the tensor; null when it isn't finite. */
  readonly sqnr: number | null;
  /** Steps that were widened so that sums with the bias fit into 32 bits. */
  readonly widened: number;
}

const CONSTRAINTS: Readonly<Record<Constraint, WeightConstraint>> = {
  pot: potWeights,
  symmetric: symmetricWeights,
  uniform: uniformWeights,
};

/** Elements that the search of one channel may look at, about; half a millisecond. */
const WORK_PER_CHANNEL = 2 ** 17;
/** The same for a block, of which a layer has thousands. */
const WORK_PER_BLOCK = 2 ** 13;
/** The same for a step that several channels share. */
const MAX_WORK = 2 ** 24;
/** Smallest step: with any input scale above 2^−62 the product is a normal float32. */
const MIN_STEP = 2 ** -64;

/**
 * For each step of the layer the grid of least error, over all grids that the constraint allows.
 * The weights are at hand, so errors are those of the elements, not of a histogram.
 */
export function searchWeightSteps(input: WeightSearchInput): WeightSteps {
  const { dims, axis, spec, floors = [], importance } = input;
  const isShared = spec.granularity === "tensor";
  // A scalar, as a constant operand may be, has no axes.
  const channels = dims[axis] ?? 1;
  const work = isShared
    ? Math.min(MAX_WORK, WORK_PER_CHANNEL * channels)
    : spec.granularity === "block"
    ? WORK_PER_BLOCK
    : WORK_PER_CHANNEL;
  const levels: Levels[] = [];
  let [signal, noise, widened] = [0, 0, 0];
  let channel = 0;
  const importances = importance && [...stepGroups({ ...input, data: importance }, spec)];
  let group = 0;
  for (const weights of stepGroups(input, spec)) {
    // Layers with blocks leave their bias float.
    const floor = isShared
      ? Array.from(floors).reduce((a, b) => Math.max(a, b), 0)
      : spec.granularity === "block"
      ? 0
      : floors[channel++] ?? 0;
    for (const w of weights) signal += w * w;
    const found = searchStep(weights, floor, spec, work, importances?.[group++]);
    levels.push(found.grid);
    noise += found.squaredError;
    if (found.isWidened) widened++;
  }
  const sqnr = decibels(signal / noise);
  return { levels, sqnr: Number.isFinite(sqnr) ? sqnr : null, widened };
}

function searchStep(
  weights: Float64Array,
  leastStep: number,
  spec: WeightSpec,
  work: number,
  importance?: Float64Array,
) {
  const { bits, constraint } = spec;
  const largest = weights.reduce((max, w) => Math.max(max, Math.abs(w)), 0);
  if (largest === 0) {
    // Any step is exact for zeros. One that gives the bias most of its 32 bits keeps it precise.
    const step = leastStep > 0 ? float32AtLeast(Math.max(leastStep, MIN_STEP)) : 1;
    const high = 2 ** (bits - 1) - 1;
    const grid = {
      step: constraint === "pot" ? powerOfTwoAtLeast(step) : step,
      low: constraint === "symmetric" ? -high : -high - 1,
      high,
    };
    return { grid, squaredError: 0, isWidened: false };
  }
  // In units of a power of two near the largest weight no power of an error over- or underflows.
  const unit = powerOfTwoAtLeast(Math.max(largest, leastStep, MIN_STEP));
  for (let i = 0; i < weights.length; i++) weights[i] /= unit;
  // Inputs that never vary leave nothing to choose by.
  const counts = importance?.some((x) => x > 0) ? importance : undefined;
  const errors = weightErrors(weights, powerOf(spec), 2 ** bits, counts);
  const free = choose(errors, MIN_STEP / unit, spec, work);
  const isWidened = free.step * unit < leastStep;
  const grid = isWidened ? choose(errors, leastStep / unit, spec, work) : free;
  return {
    grid: { ...grid, step: grid.step * unit },
    squaredError: errors.squared(grid) * unit * unit,
    isWidened,
  };
}

function choose(errors: WeightErrors, least: number, spec: WeightSpec, work: number): Levels {
  const { bits, constraint, error, clip } = spec;
  const floor = float32AtLeast(least);
  const { maxRange, search } = CONSTRAINTS[constraint];
  return (error === "noclipping" ? maxRange : search)({ errors, bits, floor, clip, work });
}

function powerOf({ error, lpP = DEFAULT_P }: WeightSpec): number {
  return error === "mae" ? 1 : error === "lp" ? lpP : 2;
}
