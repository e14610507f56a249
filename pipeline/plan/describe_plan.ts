/**
 * What a plan says of each unit and tensor.
 *
 * @module
 */
import type { Plan, PlannedUnit } from "./plan.ts";
import { lossText } from "./goal.ts";
import { bytesOfWeight, type PlanChoice, type PlanInput } from "./plan_problem.ts";

/** Every unit that could be on integers, with what it is, what that costs and why. */
export function describeUnits(
  input: PlanInput,
  choice: PlanChoice,
  isTimed: boolean,
): PlannedUnit[] {
  const { placement, times, work, losses } = input;
  return placement.units.flatMap((unit, i): PlannedUnit[] => {
    if (unit.kind !== "integer") return [];
    const { kind } = choice.units[i];
    const { bits, layer } = weightsOf(input, choice, i);
    const { float, integer } = times.units[i];
    const isInteger = kind === "integer";
    return [{
      node: unit.node,
      op: unit.op,
      choice: kind,
      weightBits: bits ?? null,
      loss: bits === undefined || layer === undefined ? 0 : finite(losses!.weights(layer, bits)),
      time: isTimed ? isInteger ? integer : float : null,
      otherTime: isTimed ? isInteger ? float : integer : null,
      size: work[i].weights * bytesOfWeight(bits, input.weightStorage),
      reason: reasonOf(input, choice, i),
    }];
  });
}

/** Every tensor with codes, the most expensive first. */
export function describeTensors({ losses }: PlanInput, { tensors }: PlanChoice): Plan["tensors"] {
  return [...tensors].filter(([, bits]) => bits > 0)
    .map(([tensor, bits]) => ({ tensor, bits, loss: finite(losses!.activation(tensor, bits)) }))
    .sort((a, b) => (b.loss ?? Infinity) - (a.loss ?? Infinity));
}

/** Why a unit is what it is. */
export function reasonOf(input: PlanInput, choice: PlanChoice, unit: number): string {
  const { float, integer } = input.times.units[unit];
  const { kind } = choice.units[unit];
  const { bits, layer } = weightsOf(input, choice, unit);
  const what = kind === "integer"
    ? bits === undefined ? "planned: codes" : `planned: codes, weights of ${bits} bits`
    : kind === "stored"
    ? `planned: floats, weights stored in ${bits} bits`
    : "planned: floats";
  const times = float > 0 || integer > 0
    ? [`${micro(integer)} with codes, ${micro(float)} with floats`]
    : [];
  const loss = bits === undefined || layer === undefined
    ? []
    : [`its weights alone cost the outputs ${lossText(input.losses!.weights(layer, bits))}`];
  return [what, ...times, ...loss].join("; ");
}

/** Bits of a unit's weights where they are quantized, and the node that reads them. */
function weightsOf({ placement }: PlanInput, { units }: PlanChoice, unit: number) {
  const choice = units[unit];
  const layers = new Set(placement.weights.map(({ node }) => node));
  return {
    bits: choice.kind === "float" ? undefined : choice.weightBits,
    layer: placement.units[unit].nodes.find((node) => layers.has(node)),
  };
}

function micro(nanoseconds: number): string {
  return `${Number((nanoseconds / 1000).toPrecision(3))} µs`;
}

function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}
