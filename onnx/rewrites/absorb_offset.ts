/**
 * Layers that make up for an offset of their input, so that their output stays the same.
 *
 * @module
 */
import type { NodeProto, TensorProto } from "../file/onnx_pb.ts";
import { channelAffine, mappedInput } from "../layers/channel_affine.ts";
import { convPadding } from "../layers/conv_padding.ts";
import type { GraphChanges } from "../graph/edit_graph.ts";
import type { RewriteInProgress } from "../layers/fold_layers.ts";
import { changeLayer, layerBias, type LinearLayer, outputOffset } from "../layers/linear_layer.ts";
import { withFields } from "../file/model.ts";
import { makeNode, nodeName, withAttributes } from "../graph/node.ts";
import { makeTensor } from "../file/tensor.ts";

/** What changes in a graph. */
export type Absorbed = Required<Omit<GraphChanges, "remove">>;

/** An offset of all elements of a layer's input, and the name that this input has now. */
export interface InputOffset {
  readonly input: string;
  readonly offset: number;
}

/**
 * Changes a layer whose input is now x + t into one that gives what it gave for x:
 *
 *     W·x + b  =  W·(x + t) + (b − Σ W·t)
 *
 * Where a Conv pads with 0, that has to be t, so the padding moves to a Pad before it. A MatMul without place
 * for a bias gets it in the Add that follows, or in a new one. Undefined where some outputs sum over
 * fewer weights than others (ConvTranspose, a MatMul with several matrices of weights), and where the padding
 * or the bias isn't known.
 */
export function absorbOffset(
  layer: LinearLayer,
  { input, offset }: InputOffset,
  workshop: RewriteInProgress,
): Absorbed | undefined {
  const { node, weight, channels, takesBias } = layer;
  if (node.opType === "ConvTranspose") return;
  if (node.opType === "MatMul" && weight.dims.length > 2) return;
  const total = outputOffset(layer, new Float64Array(channels.input).fill(offset));
  if (!takesBias) return absorbBehind(layer, { input, total }, workshop);
  const padded = padBefore(layer, { input, offset }, workshop);
  const bias = layerBias(layer, workshop.index);
  if (padded === undefined || bias === undefined) return;
  const change = { input: padded.input, bias: bias.map((b, o) => b - total[o]) };
  const changed = changeLayer(layer, change, { ...workshop, suffix: nodeName(node) });
  return changed && {
    replace: new Map([[node, padded.withoutPads(changed.node)]]),
    add: padded.add,
    initializers: [...padded.initializers, ...changed.initializers],
  };
}

/** The padding of a Conv as a node of its own. */
interface Padded {
  /** What the Conv reads. */
  readonly input: string;
  readonly add: NodeProto[];
  readonly initializers: TensorProto[];
  /** The Conv with its padding taken out. */
  withoutPads(conv: NodeProto): NodeProto;
}

function padBefore(
  layer: LinearLayer,
  { input, offset }: InputOffset,
  { newName }: RewriteInProgress,
): Padded | undefined {
  const pads = layer.node.opType === "Conv" ? convPadding(layer) : [];
  if (pads === undefined) return;
  if (pads.every((size) => size === 0)) {
    return { input, add: [], initializers: [], withoutPads: (node) => node };
  }
  const name = nodeName(layer.node);
  const padded = newName(`${name}/padded`);
  const [padsName, valueName] = [newName(`${name}/pads`), newName(`${name}/padding`)];
  const half = pads.length / 2;
  // Neither the batch nor the channels.
  const all = [0, 0, ...pads.slice(0, half), 0, 0, ...pads.slice(half)];
  return {
    input: padded,
    add: [makeNode("Pad", newName(`${name}/Pad`), [input, padsName, valueName], [padded])],
    initializers: [
      makeTensor(padsName, [all.length], BigInt64Array.from(all, BigInt)),
      makeTensor(valueName, [], Float32Array.of(offset)),
    ],
    withoutPads: (conv) => withAttributes(conv, { pads: pads.map(() => 0), auto_pad: undefined }),
  };
}

/** Takes the offset out behind a MatMul: in the bias that is an Add there, else in an Add of its own. */
function absorbBehind(
  layer: LinearLayer,
  { input, total }: { readonly input: string; readonly total: Float64Array },
  workshop: RewriteInProgress,
): Absorbed | undefined {
  const { node } = layer;
  const { newName } = workshop;
  const old = biasBehind(layer, workshop);
  const rounded = Float32Array.from(total, (offset, o) => (old?.bias[o] ?? 0) - offset);
  if (!rounded.every(Number.isFinite)) return;
  const constant = newName(`${nodeName(node)}/shifted_bias`);
  const [output] = node.output;
  const sum = old === undefined ? newName(`${output}/unbiased`) : output;
  const add = old === undefined
    ? makeNode("Add", newName(`${nodeName(node)}/Add`), [sum, constant], [output])
    : makeNode("Add", old.node.name, [sum, constant], old.node.output);
  const reads = withFields(node, { input: [input, node.input[1]], output: [sum] });
  return {
    replace: new Map(old === undefined ? [[node, reads]] : [[node, reads], [old.node, add]]),
    add: old === undefined ? [add] : [],
    initializers: [makeTensor(constant, [rounded.length], rounded)],
  };
}

/** The node behind a layer that adds a constant to each channel, when nothing else reads the layer. */
function biasBehind(
  layer: LinearLayer,
  { index }: RewriteInProgress,
): { node: NodeProto; bias: Float64Array } | undefined {
  const { axis, rank, minRank, channels: { output: channels } } = layer;
  const [tensor] = layer.node.output;
  const readers = index.consumers.get(tensor) ?? [];
  if (readers.length !== 1 || index.outputs.has(tensor)) return;
  const [node] = readers;
  if (mappedInput(node, index) !== tensor) return;
  const affine = channelAffine(node, { channels, axis, rank, minRank, hasChannels: true }, index);
  const addsOnly = affine?.factor.every((factor) => factor === 1) ?? false;
  return affine !== undefined && addsOnly ? { node, bias: affine.offset } : undefined;
}
