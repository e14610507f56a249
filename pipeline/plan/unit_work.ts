/**
 * How much work a unit does for one sample: what its time is estimated from.
 *
 * @module
 */
import type { GraphOutline, OutlineNode } from "../../onnx/graph/outline.ts";
import { attributeOf, weightSlot } from "../../onnx/operators/operators.ts";
import type { PlacedUnit, Placement } from "../../tpc/placement/types.ts";
import type { Statistics } from "../statistics/statistics.ts";

/** Kinds of convolutions that have kernels of their own. */
export type KernelKind = "depthwise" | "pointwise";

/** The work of a unit for one sample. */
export interface UnitWork {
  /** Elements that it makes; 0 where nobody has seen them. */
  readonly outputs: number;
  /** Multiplications of all outputs together; 0 without weights. */
  readonly multiplications: number;
  /** Elements of its weights. */
  readonly weights: number;
  readonly kernel?: KernelKind;
}

/**
 * Elements of a tensor for one sample, on average over those that a calibration saw. Tensors that it didn't watch have
 * those of the tensor whose grid they share.
 *
 * @returns Undefined for a tensor that nobody has seen.
 */
export function elementsIn(
  { tensors, channels, data }: Pick<Statistics, "tensors" | "channels" | "data">,
  { activations }: Pick<Placement, "activations">,
): (tensor: string) => number | undefined {
  const samples = Math.max(1, data.samples);
  const seen = new Map<string, number>();
  for (const { tensor, count, sums } of channels) {
    if (sums !== null) seen.set(tensor, count * sums.length / samples);
  }
  for (const { tensor, histogram } of tensors) seen.set(tensor, histogram.finite / samples);
  const origin = new Map(activations.map(({ tensor, sameAs }) => [tensor, sameAs]));
  return (tensor) => seen.get(tensor) ?? seen.get(origin.get(tensor) ?? "");
}

/** The work of each unit, in the order of the placement. */
export function workOfUnits(
  outline: GraphOutline,
  units: readonly PlacedUnit[],
  elements: (tensor: string) => number | undefined,
): UnitWork[] {
  const nodes = new Map(outline.nodes.map((node) => [node.name, node]));
  return units.map((unit) => {
    const layer = unit.nodes.map((name) => nodes.get(name)!).find((node) =>
      weightsOf(node, outline) !== undefined
    );
    const input = elements(unit.inputs[0] ?? "") ?? 0;
    const seen = unit.outputs.reduce((sum, name) => sum + (elements(name) ?? 0), 0);
    if (layer === undefined) return { outputs: seen || input, multiplications: 0, weights: 0 };
    const shape = weightsOf(layer, outline)!;
    const weights = size(shape);
    if (layer.op === "Conv" || layer.op === "ConvTranspose") {
      const each = size(shape.slice(1));
      const outputs = seen || input;
      // Each input of a ConvTranspose meets all that Conv's outputs meet.
      const multiplications = (layer.op === "Conv" ? outputs : input) * each;
      const kernel = kernelOf(layer, shape);
      return { outputs, multiplications, weights, ...(kernel && { kernel }) };
    }
    // Rows times columns; whichever axis is which, a row of inputs meets all weights.
    const inner = layer.op === "Gemm" && attributeOf(layer, "transB") === 1
      ? shape.at(-1)!
      : shape.at(-2) ?? shape[0];
    const rows = input / Math.max(1, inner);
    return {
      outputs: seen || rows * weights / Math.max(1, inner),
      multiplications: rows * weights,
      weights,
    };
  });
}

/** Shape of the constant weights of a layer. */
function weightsOf(node: OutlineNode, { constants }: GraphOutline): readonly number[] | undefined {
  const slot = weightSlot(node);
  const name = slot === undefined ? undefined : node.inputs[slot.input];
  if (name === undefined || !Object.hasOwn(constants, name)) return undefined;
  const { type, shape } = constants[name];
  return type === "float" && shape.length >= 2 ? shape : undefined;
}

function kernelOf(layer: OutlineNode, shape: readonly number[]): KernelKind | undefined {
  if (layer.op !== "Conv") return undefined;
  if (Number(attributeOf(layer, "group")) > 1 && shape[1] === 1) return "depthwise";
  return size(shape.slice(2)) === 1 ? "pointwise" : undefined;
}

function size(shape: readonly number[]): number {
  return shape.reduce((product, length) => product * length, 1);
}
