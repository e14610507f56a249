/**
 * Choices, times and losses as the problem that the solver solves, and its solution as overrides.
 *
 * A unit is a node of the problem, and so is "which codes a tensor has", for each tensor with a grid of its own, together
 * with those that share it. Borders say what can't be, and what changes between floats and codes take:
 *
 *     a unit that computes with codes    reads and makes tensors with codes, but for kernels that give floats
 *     floats made into codes             QuantizeLinear behind the unit, once
 *     codes read as floats               DequantizeLinear in front of each unit that reads so
 *
 * For two options each that is a minimum cut: no border wants its ends to differ.
 *
 * @module
 */
import type { GraphOutline } from "../../onnx/graph/outline.ts";
import { exactly } from "../../tpc/placement/overrides.ts";
import type { WeightStorage } from "../../core/types.ts";
import type { PlacedUnit, Placement } from "../../tpc/placement/types.ts";
import type { Override } from "../../tpc/targets/target.ts";
import { type Choices, type TensorChoice, type UnitChoice, weightsOfUnits } from "./choices.ts";
import type { PlanBorder, PlanBudget, PlanNode, PlanProblem } from "./solver/problem.ts";
import type { Times } from "./unit_times.ts";
import type { UnitWork } from "./unit_work.ts";

/** What a plan spends: error of the outputs, nanoseconds and bytes of weights for one sample, bits of all weights. */
export const DIMENSIONS = ["loss", "time", "size", "bits"] as const;
/** One of {@linkcode DIMENSIONS}. */
export type Dimension = (typeof DIMENSIONS)[number];
/** One number for each of {@linkcode DIMENSIONS}. */
export type Spent = Readonly<Record<Dimension, number>>;

/** What each quantizer costs the outputs, Σ(y′ − y)² / Σy². */
export interface Losses {
  /** Of the codes of a tensor, for all that read it. */
  readonly activation: (tensor: string, bits: number) => number;
  /** Of the weights of a layer, by its node. */
  readonly weights: (node: string, bits: number) => number;
}

/** What a problem is made of. */
export interface PlanInput {
  readonly outline: GraphOutline;
  /** Where nothing is float that the target can have on integers. */
  readonly placement: Placement;
  readonly choices: Choices;
  readonly work: readonly UnitWork[];
  readonly times: Times;
  readonly elements: (tensor: string) => number | undefined;
  /** Type of weight codes in the file. */
  readonly weightStorage: WeightStorage;
  /** None where only times count. */
  readonly losses?: Losses;
}

/** What is asked of a plan: the least of one dimension, with most of others. */
export interface PlanGoal {
  readonly least: Dimension;
  readonly most?: Partial<Spent>;
}

/** A problem with what its nodes stand for. */
export interface NamedProblem {
  readonly problem: PlanProblem;
  /** What was chosen, from the options that the solver has chosen. */
  readonly read: (choice: readonly number[]) => PlanChoice;
}

/** What was chosen for each unit and tensor. */
export interface PlanChoice {
  /** In the order of the placement's units. */
  readonly units: readonly UnitChoice[];
  /** By tensor with a grid of its own. */
  readonly tensors: ReadonlyMap<string, TensorChoice>;
}

/** Bytes of a float32. */
const FLOAT_BYTES = 4;

/** Bytes of a weight in the file: codes of few bits take no less than their type has. */
export function bytesOfWeight(bits: number | undefined, storage: WeightStorage): number {
  if (bits === undefined) return FLOAT_BYTES;
  return bits <= 4 && storage.endsWith("4") ? 0.5 : 1;
}

/** The problem of a goal. */
export function planProblem(input: PlanInput, { least, most = {} }: PlanGoal): NamedProblem {
  const { placement, choices, work, times, losses, elements, outline, weightStorage } = input;
  const { units, activations } = placement;
  const weightsOf = weightsOfUnits(placement);
  const costs = (spent: Partial<Spent>) => DIMENSIONS.map((dimension) => spent[dimension] ?? 0);
  const unitNodes = units.map((unit, i): PlanNode => ({
    name: unit.node,
    options: choices.units[i].map((choice) => ({
      costs: costs(spentBy(choice, unit, work[i], times.units[i])),
    })),
  }));
  const owners = [...choices.tensors.keys()];
  const tensorNodes = owners.map((tensor): PlanNode => ({
    name: tensor,
    options: choices.tensors.get(tensor)!.map((bits) => ({
      costs: costs({ loss: bits === 0 ? 0 : losses?.activation(tensor, bits) ?? 0 }),
    })),
  }));
  function spentBy(
    choice: UnitChoice,
    unit: PlacedUnit,
    { weights: count }: UnitWork,
    time: { readonly float: number; readonly integer: number },
  ): Partial<Spent> {
    const layer = weightsOf(unit)?.node;
    const bits = choice.kind === "float" ? undefined : choice.weightBits;
    return {
      time: choice.kind === "integer" ? time.integer : time.float,
      size: count * bytesOfWeight(bits, weightStorage),
      bits: bits === undefined ? count * FLOAT_BYTES * 8 : count * bits,
      loss: bits === undefined || layer === undefined ? 0 : losses?.weights(layer, bits) ?? 0,
    };
  }

  const nodeOf = new Map(owners.map((tensor, i) => [tensor, units.length + i]));
  const ownerOf = new Map(activations.map(({ tensor, sameAs }) => [tensor, sameAs ?? tensor]));
  const made = new Set(units.flatMap(({ outputs }) => outputs));
  const borders: PlanBorder[] = [];
  const time = DIMENSIONS.indexOf("time");
  /** `cost` of a unit's choice and a tensor's; in nanoseconds, infinite for what can't be. */
  const border = (
    unit: number,
    tensor: string,
    cost: (choice: UnitChoice, bits: TensorChoice) => number,
  ) => {
    const owner = ownerOf.get(tensor)!;
    const table = choices.units[unit].map((choice) =>
      choices.tensors.get(owner)!.map((bits) => cost(choice, bits))
    );
    if (table.every((row) => row.every((value) => value === 0))) return;
    borders.push({
      a: unit,
      b: nodeOf.get(owner)!,
      costs: DIMENSIONS.map((_, dimension) => dimension === time ? table : null),
    });
  };
  for (const [index, unit] of units.entries()) {
    if (unit.kind === "moving") continue;
    for (const tensor of new Set(unit.inputs)) {
      if (!ownerOf.has(tensor)) continue;
      const dequantizing = times.change + times.dequantize * (elements(tensor) ?? 0);
      border(index, tensor, ({ kind }, bits) => {
        if (kind === "integer") return bits === 0 ? Infinity : 0;
        return bits === 0 ? 0 : dequantizing;
      });
    }
    for (const tensor of unit.outputs) {
      if (!ownerOf.has(tensor)) continue;
      const quantizing = times.change + times.quantize * (elements(tensor) ?? 0);
      border(index, tensor, ({ kind }, bits) => {
        if (kind === "integer") return bits === 0 && !unit.givesFloat ? Infinity : 0;
        return bits === 0 ? 0 : quantizing;
      });
    }
  }
  const ends: (readonly [tensor: string, nanoseconds: number])[] = [
    ...activations.filter(({ tensor }) => !made.has(tensor))
      .map(({ tensor }) => [tensor, times.quantize] as const),
    ...outline.outputs.filter(({ name }) => ownerOf.has(name))
      .map(({ name }) => [name, times.dequantize] as const),
  ];
  const nodes = [...unitNodes, ...tensorNodes];
  for (const [tensor, nanoseconds] of ends) {
    const owner = ownerOf.get(tensor)!;
    const node = nodes[nodeOf.get(owner)!];
    nodes[nodeOf.get(owner)!] = {
      ...node,
      options: node.options.map(({ costs }, option) => ({
        costs: choices.tensors.get(owner)![option] === 0
          ? costs
          : costs.with(time, costs[time] + times.change + nanoseconds * (elements(tensor) ?? 0)),
      })),
    };
  }
  const budgets = DIMENSIONS.flatMap((dimension, index): PlanBudget[] => {
    const limit = most[dimension];
    return limit === undefined ? [] : [{ dimension: index, most: limit }];
  });
  return {
    problem: {
      dimensions: DIMENSIONS,
      nodes,
      borders,
      objective: DIMENSIONS.indexOf(least),
      budgets,
    },
    read: (choice) => ({
      units: units.map((_, i) => choices.units[i][choice[i]]),
      tensors: new Map(
        owners.map((tensor, i) =>
          [tensor, choices.tensors.get(tensor)![choice[units.length + i]]] as const
        ),
      ),
    }),
  };
}

/** Totals of a solution by name. */
export function namedTotals(totals: readonly number[]): Spent {
  return Object.fromEntries(DIMENSIONS.map((name, i) => [name, totals[i]])) as Spent;
}

/**
 * What turns the target's own placement into the chosen one.
 *
 * @param why Why a unit is what it is, by its place among the units.
 */
export function overridesOf(
  { placement }: Pick<PlanInput, "placement">,
  { units, tensors }: PlanChoice,
  why: (unit: number) => string,
): Override[] {
  const weightsOf = weightsOfUnits(placement);
  const planned = true as const;
  const specs = new Map(placement.activations.map(({ tensor, spec }) => [tensor, spec]));
  const ofUnits = placement.units.flatMap((unit, i): Override[] => {
    if (unit.kind !== "integer" || unit.isPinned) return [];
    const choice = units[i];
    const match = { node: exactly(unit.node) };
    const usual = weightsOf(unit)?.spec.bits;
    switch (choice.kind) {
      case "float":
        return leftFloat(unit).map((override) => ({ ...override, planned, reason: why(i) }));
      case "stored":
        return [
          { match, compute: "float", planned, reason: why(i) },
          ...leftFloat(unit).slice(1).map((rest) => ({ ...rest, planned, reason: why(i) })),
        ];
      case "integer":
        return [{
          match,
          compute: "integer",
          planned,
          ...(choice.weightBits === usual ? {} : { weight: { bits: choice.weightBits } }),
          reason: why(i),
        }];
    }
  });
  const ofTensors = [...tensors].flatMap(([tensor, bits]): Override[] =>
    bits === 0 || bits === specs.get(tensor)?.bits
      ? []
      : [{ match: { tensor: exactly(tensor) }, activation: { bits }, planned }]
  );
  return [...ofUnits, ...ofTensors];
}

/** What leaves a unit float, the node that it is named by first: what was fused into it doesn't compute with codes alone. */
export function leftFloat({ node, nodes }: PlacedUnit): Override[] {
  return [node, ...nodes.filter((name) => name !== node)].map((name) => ({
    match: { node: exactly(name) },
    quantize: false,
  }));
}
