/**
 * Layers that are linear in their input: Conv, ConvTranspose, Gemm and MatMul with constant weights.
 * What folds into one folds into all of them.
 *
 * @module
 */
import { nonFiniteFrom } from "../../core/non_finite.ts";
import type { NodeProto, TensorProto } from "../file/onnx_pb.ts";
import { constantFloats, type FloatConstant } from "../graph/constant_value.ts";
import type { GraphIndex } from "../graph/graph_index.ts";
import type { Shapes } from "../operators/infer_shapes.ts";
import { withFields } from "../file/model.ts";
import { floatAttribute, intAttribute, withAttributes } from "../graph/node.ts";
import { viewNode } from "../graph/node_view.ts";
import { weightSlot } from "../operators/operators.ts";
import { elementCount, makeTensor } from "../file/tensor.ts";

/** A layer with its weights. */
export interface LinearLayer {
  readonly node: NodeProto;
  readonly weight: FloatConstant;
  /** Number of input and output channels. */
  readonly channels: { readonly input: number; readonly output: number };
  /** Channel axis of input and output, counted from the end: −3 for a 2-D Conv, −1 for a Gemm. */
  readonly axis: number;
  /** Rank of input and output where known. */
  readonly rank?: number;
  /** The output has at least this rank. */
  readonly minRank: number;
  /** Whether it has a place for a bias: a MatMul of matrices can become a Gemm, others have none. */
  readonly takesBias: boolean;
  /** Input channel that an element of the weights, by its position in memory, is multiplied with. */
  inputChannel(position: number): number;
  /** Output channel that an element of the weights adds to. */
  outputChannel(position: number): number;
}

/** Recognises a layer; undefined for other operators and weights that aren't constant. */
export function linearLayer(
  node: NodeProto,
  index: GraphIndex,
  shapes: Shapes,
): LinearLayer | undefined {
  const slot = weightSlot(viewNode(node));
  const weight = slot && constantFloats(index, node.input[slot.input]);
  if (weight === undefined || weight.dims.length < 2) return;
  const { dims } = weight;
  const rank = dims.length;
  const group = intAttribute(node, "group", 1);
  const output = channelsAlong(slot!.axis, dims, group);
  const input = channelsAlong(slot!.inputAxis, dims, group);
  // A stack of matrices has the rank of what it meets; a vector on its left loses an axis.
  const left = shapes.get(node.input[0])?.length;
  const isStack = slot!.bias === undefined;
  const known = !isStack ? rank : left === undefined || left < 2 ? undefined : Math.max(left, rank);
  return {
    node,
    weight,
    rank: known,
    minRank: known ?? rank - 1,
    takesBias: !isStack || left === 2 && rank === 2,
    axis: slot!.channels === 1 ? 1 - rank : -1,
    channels: { input: input.count, output: output.count },
    inputChannel: input.of,
    outputChannel: output.of,
  };
}

/**
 * Channels along an axis of the weights. Axis 1 holds those of one group only, since a group's rows meet its columns
 * alone: Conv has [output, input / group, …], ConvTranspose [input, output / group, …].
 */
function channelsAlong(axis: number, dims: readonly number[], group: number) {
  const at = axis < 0 ? axis + dims.length : axis;
  const size = dims[at];
  const stride = elementCount(dims.slice(at + 1));
  if (at !== 1 || group === 1) {
    return { count: size, of: (i: number) => Math.floor(i / stride) % size };
  }
  const perGroup = dims[0] / group * size * stride;
  return {
    count: size * group,
    of: (i: number) => Math.floor(i / perGroup) * size + Math.floor(i / stride) % size,
  };
}

/**
 * The bias of a layer per output channel, with Gemm's `beta` applied; zeros where it has none, and
 * undefined where it isn't constant or not per channel.
 */
export function layerBias(layer: LinearLayer, index: GraphIndex): Float64Array | undefined {
  const { node, channels: { output } } = layer;
  const name = node.input[2] ?? "";
  if (name === "" || node.opType === "MatMul") return new Float64Array(output);
  const bias = constantFloats(index, name);
  // Gemm's C may be anything that broadcasts to [M, N].
  if (bias === undefined || bias.data.length !== 1 && bias.data.length !== output) return;
  if (bias.data.length !== 1 && bias.dims.at(-1) !== output) return;
  const beta = node.opType === "Gemm" ? floatAttribute(node, "beta", 1) : 1;
  const isScalar = bias.data.length === 1;
  return Float64Array.from({ length: output }, (_, o) => beta * bias.data[isScalar ? 0 : o]);
}

/** Σ W·t of each output channel, with Gemm's `alpha`: what an offset of each input channel adds to the output. */
export function outputOffset(layer: LinearLayer, offset: Float64Array): Float64Array {
  const { node, weight, channels } = layer;
  const alpha = node.opType === "Gemm" ? floatAttribute(node, "alpha", 1) : 1;
  const sums = new Float64Array(channels.output);
  weight.data.forEach((w, i) => {
    sums[layer.outputChannel(i)] += w * offset[layer.inputChannel(i)];
  });
  return sums.map((sum) => alpha * sum);
}

/** What {@linkcode changeLayer} changes. */
export interface LayerChange {
  /** Factor of each input channel. */
  readonly inputFactor?: Float64Array;
  /** Factor of each output channel, for the weights; `bias` has it already. */
  readonly outputFactor?: Float64Array;
  /** The new bias per output channel. */
  readonly bias: Float64Array;
  /** The new input and output, where they change. */
  readonly input?: string;
  readonly output?: string;
}

/**
 * A layer with other weights, rounded once from float64. Constants that something else reads, too,
 * are left as they are, and the layer gets new ones called after `suffix`. Undefined when a new number
 * would be beyond float32.
 */
export function changeLayer(
  layer: LinearLayer,
  change: LayerChange,
  { index, suffix, newName }: {
    readonly index: GraphIndex;
    readonly suffix: string;
    readonly newName: (wish: string) => string;
  },
): { node: NodeProto; initializers: TensorProto[] } | undefined {
  const { node, weight } = layer;
  const { inputFactor, outputFactor } = change;
  const nameFor = (name: string, role: string) =>
    isPrivate(name, node, index) ? name : newName(`${suffix}/folded_${role}`);
  const initializers: TensorProto[] = [];
  let [, weightName] = node.input;
  if (!isOne(inputFactor) || !isOne(outputFactor)) {
    const scaled = new Float32Array(weight.data.length);
    for (let i = 0; i < scaled.length; i++) {
      const out = outputFactor === undefined ? 1 : outputFactor[layer.outputChannel(i)];
      const into = inputFactor === undefined ? 1 : inputFactor[layer.inputChannel(i)];
      scaled[i] = weight.data[i] * out * into;
    }
    if (nonFiniteFrom(scaled, 0) >= 0) return;
    weightName = nameFor(weightName, "weight");
    initializers.push(makeTensor(weightName, weight.dims, scaled));
  }
  const old = node.opType === "MatMul" ? "" : node.input[2] ?? "";
  const input = [change.input ?? node.input[0], weightName];
  const hasBias = old !== "" || change.bias.some((value) => value !== 0);
  if (hasBias) {
    const rounded = Float32Array.from(change.bias);
    if (!rounded.every(Number.isFinite)) return;
    const biasName = nameFor(old, "bias");
    initializers.push(makeTensor(biasName, [rounded.length], rounded));
    input.push(biasName);
  }
  // layerBias() has applied beta.
  const plain = node.opType === "Gemm" ? withAttributes(node, { beta: undefined }) : node;
  const opType = node.opType === "MatMul" && hasBias ? "Gemm" : node.opType;
  const output = [change.output ?? node.output[0]];
  return { node: withFields(plain, { opType, input, output }), initializers };
}

function isOne(factors: Float64Array | undefined): boolean {
  return factors === undefined || factors.every((factor) => factor === 1);
}

/** Whether a constant is read by this node alone, once. */
function isPrivate(name: string, node: NodeProto, index: GraphIndex): boolean {
  const isReadOnce = node.input.indexOf(name) === node.input.lastIndexOf(name);
  return name !== "" && isReadOnce && index.consumers.get(name)?.length === 1 &&
    !index.outputs.has(name);
}
