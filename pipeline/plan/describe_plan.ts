/**
 * What a plan says of each unit and tensor.
 *
 * @module
 */
import { weightsOfUnits } from "./choices.ts";
import type { Plan, PlannedUnit } from "./plan.ts";
import { lossText } from "./goal.ts";
import { bytesOfWeight, type PlanChoice, type PlanInput } from "./plan_problem.ts";
import { microseconds } from "./unit_times.ts";

/** Every unit that could be on integers, with what it is, what that costs and why. */
export function describeUnits(
  input: PlanInput,
  choice: PlanChoice,
  isTimed: boolean,
): PlannedUnit[] {
  const { placement, times, work } = input;
  const weightsOf = roundedWeights(input, choice);
  const reasonOf = reasonsOf(input, choice);
  return placement.units.flatMap((unit, i): PlannedUnit[] => {
    if (unit.kind !== "integer") return [];
    const { kind } = choice.units[i];
    const { bits, loss = 0 } = weightsOf(i);
    const { float, integer } = times.units[i];
    const isInteger = kind === "integer";
    return [{
      node: unit.node,
      op: unit.op,
      choice: kind,
      weightBits: bits ?? null,
      loss: finite(loss),
      time: isTimed ? isInteger ? integer : float : null,
      otherTime: isTimed ? isInteger ? float : integer : null,
      size: work[i].weights * bytesOfWeight(bits, input.weightStorage),
      reason: reasonOf(i),
    }];
  });
}

/** Every tensor with codes, the most expensive first. */
export function describeTensors({ losses }: PlanInput, { tensors }: PlanChoice): Plan["tensors"] {
  return [...tensors].filter(([, bits]) => bits > 0)
    .map(([tensor, bits]) => ({ tensor, bits, loss: finite(losses!.activation(tensor, bits)) }))
    .sort((a, b) => (b.loss ?? Infinity) - (a.loss ?? Infinity));
}

/** Why a unit is what it is, by its place among the units. */
export function reasonsOf(
  input: PlanInput,
  { units }: Pick<PlanChoice, "units">,
): (unit: number) => string {
  const weightsOf = roundedWeights(input, { units });
  return (unit) => {
    const { float, integer } = input.times.units[unit];
    const { kind } = units[unit];
    const { bits, loss } = weightsOf(unit);
    const what = kind === "integer"
      ? bits === undefined ? "planned: codes" : `planned: codes, weights of ${bits} bits`
      : kind === "stored"
      ? `planned: floats, weights stored in ${bits} bits`
      : "planned: floats";
    const times = float > 0 || integer > 0
      ? [`${microseconds(integer)} with codes, ${microseconds(float)} with floats`]
      : [];
    const lost = loss === undefined ? [] : [`its weights alone cost the outputs ${lossText(loss)}`];
    return [what, ...times, ...lost].join("; ");
  };
}

/** What finds the bits of a unit's weights where they are quantized, and what rounding them costs the outputs. */
function roundedWeights(
  { placement, losses }: PlanInput,
  { units }: Pick<PlanChoice, "units">,
): (unit: number) => { readonly bits?: number; readonly loss?: number } {
  const layerOf = weightsOfUnits(placement);
  return (unit) => {
    const choice = units[unit];
    if (choice.kind === "float") return {};
    const bits = choice.weightBits;
    const layer = layerOf(placement.units[unit])?.node;
    return bits === undefined || layer === undefined
      ? { bits }
      : { bits, loss: losses!.weights(layer, bits) };
  };
}

function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}
