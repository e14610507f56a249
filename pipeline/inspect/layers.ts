/**
 * The layers of a float model with what becomes of each on a target.
 *
 * @module
 */
import { own } from "../../core/own.ts";
import type { ActivationSpec, WeightSpec } from "../../core/types.ts";
import { indexGraph, indexOutline } from "../../onnx/graph/graph_index.ts";
import { inferShapes } from "../../onnx/operators/infer_shapes.ts";
import type { Model } from "../../onnx/file/model.ts";
import { elementTypes } from "../../onnx/operators/infer_types.ts";
import { clampRange, operatorOf } from "../../onnx/operators/operators.ts";
import { type GraphOutline, outlineGraph, type OutlineNode } from "../../onnx/graph/outline.ts";
import { elementCount } from "../../onnx/file/tensor.ts";
import { resolve } from "../../tpc/placement/resolve.ts";
import type { Placement } from "../../tpc/placement/types.ts";
import type { Target } from "../../tpc/targets/target.ts";

/** What the target does with a layer. */
export type LayerFate =
  /** Its output gets a quantizer of its own, or stays float where the kernel can give that. */
  | "quantized"
  /** It vanishes into the quantizer of the layer before. */
  | "fused"
  /** It works on codes: the output has the grid of another tensor. */
  | "keeps grid"
  /** It stays float. */
  | "float"
  /** It computes no float32: shapes, indices. */
  | "no float32";

/** A constant that a layer reads. */
export interface LayerConstant {
  /** Its name. */
  readonly tensor: string;
  /** Its dimensions. */
  readonly shape: readonly number[];
  /** How its weights would be quantized; null for all other constants. */
  readonly quantizer: WeightSpec | null;
}

/** One node of the prepared model; plain JSON. */
export interface Layer {
  /** Its operator. */
  readonly op: string;
  /** Its name. */
  readonly node: string;
  /** Names of the tensors that it reads, without constants. */
  readonly inputs: readonly string[];
  /** Names of the tensors that it makes. */
  readonly outputs: readonly string[];
  /** Dimensions of the first output, null for those that vary; null in all where the rank isn't known. */
  readonly shape: readonly (number | null)[] | null;
  /** Numbers among the constants that it reads: weights and biases, bounds not. */
  readonly parameters: number;
  /** Constants that it reads. */
  readonly constants: readonly LayerConstant[];
  /** Bounds of Relu and Clip, null where open; null for other operators. */
  readonly clamp: { readonly low: number | null; readonly high: number | null } | null;
  /** What the target does with it. */
  readonly fate: LayerFate;
  /** The layer that it is fused into, or the tensor whose grid it keeps; null for other fates. */
  readonly of: string | null;
  /** Why. */
  readonly reason: string;
  /** What is asked of the quantizer of its output; null where it has none. */
  readonly quantizer: ActivationSpec | null;
}

/** A float model; plain JSON. */
export interface ModelLayers {
  /** Inputs of the model with what would be asked of their quantizers. */
  readonly inputs: readonly {
    readonly tensor: string;
    readonly shape: readonly (number | null)[] | null;
    readonly quantizer: ActivationSpec | null;
  }[];
  /** In topological order. */
  readonly layers: readonly Layer[];
}

/** Lists the layers of a prepared float model with what a target makes of them. */
export function listLayers(model: Model, target: Target): ModelLayers & {
  readonly outline: GraphOutline;
  readonly placement: Placement;
} {
  const outline = outlineGraph(model.graph);
  const index = indexOutline(outline);
  const placement = resolve(outline, target);
  const shapes = inferShapes(model.graph, indexGraph(model.graph));
  const shapeOf = (tensor: string) => shapes.get(tensor)?.map((size) => size ?? null) ?? null;
  const plans = new Map(placement.activations.map((plan) => [plan.tensor, plan]));
  const describe = fateFinder(outline, index.producers, placement);
  const weights = new Map(placement.weights.map((plan) => [`${plan.input} ${plan.node}`, plan]));
  const layers = outline.nodes.map((node): Layer => {
    const { op, name, inputs, outputs } = node;
    const constants = inputs.flatMap((tensor, input) => {
      const constant = own(outline.constants, tensor);
      const quantizer = weights.get(`${input} ${name}`)?.spec ?? null;
      return constant === undefined ? [] : [{ tensor, ...constant, quantizer }];
    });
    const isParameter = ({ type }: (typeof constants)[number]) =>
      type === "float" && !operatorOf(node)?.hasSettings;
    const range = clampRange(node, index);
    const bound = (value: number) => Number.isFinite(value) ? value : null;
    return {
      op,
      node: name,
      outputs,
      shape: shapeOf(outputs[0]),
      inputs: inputs.filter((tensor) => tensor !== "" && !Object.hasOwn(outline.constants, tensor)),
      parameters: constants.filter(isParameter)
        .reduce((sum, { shape }) => sum + elementCount(shape), 0),
      constants: constants.map(({ tensor, shape, quantizer }) => ({ tensor, shape, quantizer })),
      clamp: range === undefined ? null : { low: bound(range[0]), high: bound(range[1]) },
      ...describe(node),
      quantizer: plans.get(outputs[0])?.spec ?? null,
    };
  });
  const inputs = outline.inputs.map(({ name, shape }) => ({
    tensor: name,
    shape: shape ?? null,
    quantizer: plans.get(name)?.spec ?? null,
  }));
  return { inputs, layers, outline, placement };
}

function fateFinder(
  outline: GraphOutline,
  producers: ReadonlyMap<string, OutlineNode>,
  placement: Placement,
) {
  const types = elementTypes(outline);
  const fused = new Map(
    placement.activations.flatMap((plan) => plan.fused.map((node) => [node, plan] as const)),
  );
  const islands = new Map(placement.float.map(({ node, reason }) => [node, reason]));
  const alone = new Map(
    [...placement.weights.filter(({ compute }) => compute === "dynamic"), ...placement.recurrent]
      .map(({ node, reason }) => [node, reason]),
  );
  const quantized = new Map(placement.activations.map((plan) => [plan.tensor, plan]));
  /** The first node of the chain that a fused one is the end of. */
  const head = (node: OutlineNode): string => {
    const before = producers.get(node.inputs[0]);
    return before === undefined ? node.name : fused.has(before.name) ? head(before) : before.name;
  };
  return (node: OutlineNode): Pick<Layer, "fate" | "of" | "reason"> => {
    const { name, outputs } = node;
    const chain = fused.get(name);
    if (chain !== undefined) return { fate: "fused", of: head(node), reason: chain.reason };
    const island = islands.get(name);
    if (island !== undefined) return { fate: "float", of: null, reason: island };
    const plan = quantized.get(outputs[0]);
    if (plan?.sameAs !== undefined) {
      return { fate: "keeps grid", of: plan.sameAs, reason: plan.reason };
    }
    if (plan === undefined && types.get(outputs[0]) !== "float") {
      return { fate: "no float32", of: null, reason: "computes no float32 numbers" };
    }
    // Without a plan it is inside a fused chain, or its kernel gives float.
    return { fate: "quantized", of: null, reason: plan?.reason ?? alone.get(name) ?? "" };
  };
}
