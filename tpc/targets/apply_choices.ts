/**
 * What a user asks for over what a target says.
 *
 * @module
 */
import type {
  Constraint,
  Granularity,
  MethodChoice,
  Signedness,
  WeightMethod,
} from "../../core/types.ts";
import { checkAllowed } from "./read_target.ts";
import type { Target } from "./target.ts";

/** Settings that take the place of the target's, by the names of the command line's options. */
export interface TargetChoices {
  /** How thresholds are chosen. */
  readonly error?: MethodChoice;
  /** Bits of activations, 2 to 16. */
  readonly bits?: number;
  /** Which thresholds are allowed. */
  readonly constraint?: Constraint;
  /** When codes are signed. */
  readonly signed?: Signedness;
  /** Exponent of error `lp`. */
  readonly lpP?: number;
  /** Percent of the elements that error `percentile` keeps. */
  readonly percentile?: number;
  /** Elements beyond that many standard deviations are left out of the search. */
  readonly zThreshold?: number;
  /** Bits of weights, 2 to 8. */
  readonly weightBits?: number;
  /** Which grids of weights are allowed. */
  readonly weightConstraint?: Constraint;
  /** Weights that share a step. */
  readonly weightGranularity?: Granularity;
  /** How weight steps are chosen. */
  readonly weightError?: WeightMethod;
  /** Exponent of weight error `lp`. */
  readonly weightLpP?: number;
  /** Weights in a block. */
  readonly weightBlock?: number;
  /** Whether a weight may be clipped by more than half a step. */
  readonly weightClip?: "yes" | "no";
  /** Whether the mean error of rounding weights is taken out of the bias. */
  readonly biasCorrection?: "yes" | "no";
  /** Whether bounds of ReLU6 move to powers of two. */
  readonly reluBounds?: "yes" | "no";
  /** Whether neighbouring layers share the range of their weights. */
  readonly equalize?: "yes" | "no";
  /** Whether activations with a small negative side are shifted to start at zero. */
  readonly shiftNegative?: "yes" | "no";
}

/**
 * A target with choices in place of its own settings.
 *
 * @param source What messages call the place where the choices come from.
 * @throws {PlimsollError} kind `target` when the target doesn't allow one of them.
 *
 * @example Fewer bits than the preset
 * ```ts
 * import { applyChoices } from "./apply_choices.ts";
 * import { presetTarget } from "./read_target.ts";
 * import assert from "node:assert/strict";
 *
 * const target = applyChoices(presetTarget("default")!, { bits: 6 }, "my settings");
 * assert.equal(target.activation.bits, 6);
 * ```
 */
export function applyChoices(preset: Target, choices: TargetChoices, source: string): Target {
  const defined = <T extends object>(values: T) =>
    Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
  const isYes = (wanted?: "yes" | "no") => wanted && wanted === "yes";
  const weight = defined({
    bits: choices.weightBits,
    constraint: choices.weightConstraint,
    granularity: choices.weightGranularity,
    blockSize: choices.weightBlock,
    error: choices.weightError,
    lpP: choices.weightLpP,
    clip: isYes(choices.weightClip),
    biasCorrection: isYes(choices.biasCorrection),
  });
  const rewrites = defined({
    reluBounds: isYes(choices.reluBounds),
    equalization: isYes(choices.equalize),
    shiftNegative: isYes(choices.shiftNegative),
  });
  const { error, bits, constraint, signed, lpP, percentile, zThreshold } = choices;
  const activation = defined({ error, bits, constraint, signed, lpP, percentile, zThreshold });
  checkAllowed(preset, "activation", activation, source);
  checkAllowed(preset, "weight", weight, source);
  return {
    ...preset,
    activation: { ...preset.activation, ...activation },
    weight: { ...preset.weight, ...weight },
    ...(Object.keys(rewrites).length === 0 ? {} : {
      rewrites: { ...preset.rewrites, ...rewrites },
    }),
    // What is chosen holds for all tensors: sets may not say otherwise.
    operatorSets: preset.operatorSets.map((set) => ({
      ...set,
      ...(set.output && { output: without(set.output, activation) }),
      ...(set.weight && { weight: without(set.weight, weight) }),
    })),
  };
}

function without<T extends object>(values: T, keys: object): T {
  const rest = Object.entries(values).filter(([key]) => !(key in keys));
  return Object.fromEntries(rest) as T;
}
