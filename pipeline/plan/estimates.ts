/**
 * What a choice is expected to cost: the sums of its parts, moved by how far earlier estimates were off.
 *
 * @module
 */
import { overridesFor } from "../../tpc/placement/overrides.ts";
import type { Placement } from "../../tpc/placement/types.ts";
import type { Override, Target } from "../../tpc/targets/target.ts";
import type { Statistics } from "../statistics/statistics.ts";
import { choicesOf, type UnitChoice } from "./choices.ts";
import type { CostsFile } from "./costs_file.ts";
import type { PlanFigures } from "./plan.ts";
import { namedTotals, type PlanChoice, type PlanInput, planProblem } from "./plan_problem.ts";
import { lossesOfSensitivity, type Sensitivity } from "./sensitivity_file.ts";
import { totalsOf } from "./solver/solve.ts";
import type { Times } from "./unit_times.ts";
import { elementsIn, workOfUnits } from "./unit_work.ts";

/** Everything on integers that can be: what calibrations for plans watch, and what plans begin with. */
export const ALL_INTEGER: Override = { match: { node: "*" }, compute: "integer", optional: true };

/** How far estimates were off: measured / predicted. */
export interface Corrections {
  readonly loss: number;
  readonly latency: number;
}

/** What is known of a model's costs. */
export interface Estimates {
  readonly input: PlanInput;
  /** Measured times; undefined where nobody knows any. */
  readonly costs: CostsFile | undefined;
  /** Nanoseconds of what computes with floats in any case. */
  readonly rest: number;
  /** Bytes of the file beside weights that can be quantized. */
  readonly overhead: number;
  readonly corrections: Corrections;
}

/** What estimates follow from. */
export interface EstimateSource {
  readonly statistics: Pick<Statistics, "outline" | "tensors" | "channels" | "data">;
  /** From {@linkcode placementFor} a target with {@linkcode ALL_INTEGER}. */
  readonly placement: Placement;
  readonly target: Target;
  readonly sensitivity: Sensitivity;
  readonly costs: CostsFile | undefined;
}

/** Estimates before anything was made. */
export function firstEstimates(
  { statistics, placement, target, sensitivity, costs }: EstimateSource,
): Estimates {
  const elements = elementsIn(statistics, placement);
  const { predicted, measured } = sensitivity.joint;
  return {
    input: {
      outline: statistics.outline,
      placement,
      choices: choicesOf(placement, target),
      work: workOfUnits(statistics.outline, placement.units, elements),
      times: timesOf(placement, costs),
      elements,
      weightStorage: target.storage.weight,
      losses: lossesOfSensitivity(sensitivity),
    },
    costs,
    rest: costs === undefined
      ? 0
      : costs.float - costs.units.reduce((sum, unit) => sum + unit.float, 0),
    overhead: 0,
    // Where losses don't add up, all of them together say by how much.
    corrections: { loss: ratio(measured, predicted), latency: 1 },
  };
}

/** Units that the user pinned stay so; the others were only pinned to be looked at. */
export function asUsersWant(placement: Placement, { overrides = [] }: Target): Placement {
  const own = {
    overrides: overrides.filter(({ match, compute }) =>
      compute === "integer" && match.node !== ALL_INTEGER.match.node
    ),
  };
  const units = placement.units.map(({ isPinned: _, ...unit }) => {
    const isOwn = unit.nodes.some((node) => overridesFor(own, [{ node }]).length > 0);
    return isOwn ? { ...unit, isPinned: true as const } : unit;
  });
  return { ...placement, units };
}

/** Times of the units as they were measured. */
function timesOf(placement: Placement, costs: CostsFile | undefined): Times {
  const known = new Map(costs?.units.map((unit) => [unit.node, unit]));
  return {
    quantize: costs?.quantize ?? 0,
    dequantize: costs?.dequantize ?? 0,
    change: costs?.change ?? 0,
    units: placement.units.map(({ node, kind }) => {
      const unit = kind === "integer" ? known.get(node) : undefined;
      return { float: unit?.float ?? 0, integer: unit?.integer ?? 0 };
    }),
  };
}

/** What a choice is expected to cost. */
export function estimate(
  { input, costs, rest, overhead, corrections }: Estimates,
  choice: PlanChoice,
): PlanFigures {
  const { problem } = planProblem(input, { least: "loss" });
  const { choices } = input;
  const indices = [
    ...choices.units.map((options, i) =>
      options.findIndex((option) => JSON.stringify(option) === JSON.stringify(choice.units[i]))
    ),
    ...[...choices.tensors].map(([tensor, bits]) => bits.indexOf(choice.tensors.get(tensor)!)),
  ];
  const spent = namedTotals(totalsOf(problem, indices));
  const loss = spent.loss * corrections.loss;
  return {
    loss: Number.isFinite(loss) ? loss : null,
    latency: costs === undefined ? null : (rest + spent.time) / costs.float * corrections.latency,
    size: spent.size + overhead,
    bits: averageBits(input, choice),
  };
}

/** Estimates moved by what a made model was off; its size is told by one model for all. */
export function correct(
  estimates: Estimates,
  predicted: PlanFigures,
  measured: PlanFigures,
): Estimates {
  const { corrections, overhead } = estimates;
  return {
    ...estimates,
    overhead: overhead + measured.size - predicted.size,
    corrections: {
      loss: corrections.loss * ratio(measured.loss, predicted.loss),
      latency: corrections.latency * ratio(measured.latency, predicted.latency),
    },
  };
}

/**
 * Estimates moved by the model of {@linkcode usualChoice}, by its size and time alone.
 *
 * Its loss tells little of plans with fewer bits: 1.2 dB better than expected on EfficientNet-Lite0, whose plan of 5 bits
 * then was 0.2 dB worse (imx500). All quantizers together were measured on the samples of the single ones, and that counts
 * ({@linkcode firstEstimates}).
 *
 * @returns The estimates, and what was to be expected of that model with the file's overhead, which it tells itself.
 */
export function correctByUsual(
  estimates: Estimates,
  predicted: PlanFigures,
  measured: PlanFigures,
): { readonly estimates: Estimates; readonly predicted: PlanFigures } {
  return {
    estimates: correct(estimates, predicted, { ...measured, loss: predicted.loss }),
    predicted: { ...predicted, size: measured.size },
  };
}

function ratio(a: number | null, b: number | null): number {
  return a === null || b === null || !(a > 0) || !(b > 0) ? 1 : a / b;
}

/** Bits of a weight on average, over all that can be quantized; 0 without any. */
export function averageBits({ placement, work }: PlanInput, { units }: PlanChoice): number {
  let [bits, weights] = [0, 0];
  for (const [i, choice] of units.entries()) {
    if (placement.units[i].kind !== "integer") continue;
    weights += work[i].weights;
    bits += work[i].weights * (choice.kind === "float" ? 32 : choice.weightBits ?? 32);
  }
  return weights === 0 ? 0 : bits / weights;
}

/** Everything on integers, with the usual bits. */
export function usualChoice({ choices }: PlanInput): PlanChoice {
  return {
    units: choices.units.map(([first]) => first),
    tensors: new Map([...choices.tensors].map(([name, [first]]) => [name, first])),
  };
}

/** Floats wherever they may be, with weights in codes. */
export function storedChoice({ choices }: PlanInput): PlanChoice {
  const isFloat = ({ kind }: UnitChoice) => kind !== "integer";
  return {
    units: choices.units.map((options) => options.find(isFloat) ?? options[0]),
    tensors: new Map(
      [...choices.tensors].map(([name, bits]) => [name, bits.includes(0) ? 0 : bits[0]]),
    ),
  };
}
