/**
 * Folding of BatchNormalization, and of Mul, Div, Add and Sub with constants, into the layer behind
 * them.
 *
 * @module
 */
import type { NodeProto } from "../file/onnx_pb.ts";
import {
  type Affine,
  channelAffine,
  composeAffine,
  hasNoOffset,
  identityAffine,
  mappedInput,
} from "../layers/channel_affine.ts";
import { type Fold, foldLayers, type RewriteInProgress } from "../layers/fold_layers.ts";
import type { GraphIndex } from "../graph/graph_index.ts";
import type { Shapes } from "../operators/infer_shapes.ts";
import { changeLayer, layerBias, type LinearLayer, outputOffset } from "../layers/linear_layer.ts";
import type { Model } from "../file/model.ts";
import { intAttribute, intsAttribute, nodeName, stringAttribute } from "../graph/node.ts";

/** Affine nodes before a layer. */
interface Chain {
  readonly nodes: readonly NodeProto[];
  /** The tensor before them. */
  readonly input: string;
  /** What they do together. */
  readonly total: Affine;
}

/**
 * Folds the affine nodes before a layer, each read by the next one only:
 *
 *     W·(s·x + t) + b  =  (W·s)·x + (b + Σ W·t)
 *
 * Exact where every output sums over all of W: in Gemm, MatMul and a Conv without padding. Padding is
 * zero behind the affine nodes and would be zero before them, which is the same only for t = 0; then Conv with
 * padding and ConvTranspose fold, too.
 */
export function foldAffineBefore(model: Model): Model {
  return foldLayers(model, foldChain);
}

function foldChain(
  layer: LinearLayer,
  { index, shapes, newName }: RewriteInProgress,
): Fold | undefined {
  const { node } = layer;
  const bias = layerBias(layer, index);
  const chain = chainBefore(layer, index, shapes);
  if (bias === undefined || chain === undefined) return;
  const shift = outputOffset(layer, chain.total.offset);
  const change = {
    inputFactor: chain.total.factor,
    bias: bias.map((b, o) => b + shift[o]),
    input: chain.input,
  };
  const changed = changeLayer(layer, change, { index, suffix: nodeName(node), newName });
  return changed && {
    remove: new Set(chain.nodes),
    replace: new Map([[node, changed.node]]),
    initializers: changed.initializers,
  };
}

/** The longest chain that folds exactly; undefined when none does. */
function chainBefore(layer: LinearLayer, index: GraphIndex, shapes: Shapes): Chain | undefined {
  const { node: behind, axis, rank, channels: { input: channels } } = layer;
  if (intAttribute(behind, "transA", 0) !== 0) return;
  const takesOffset = layer.takesBias && sumsOverAll(behind);
  const nodes: NodeProto[] = [];
  let best: Chain | undefined;
  let total = identityAffine(channels);
  let [tensor] = behind.input;
  // As its input only, not as its bias.
  if (behind.input.lastIndexOf(tensor) !== 0) return;
  for (;;) {
    const node = index.producers.get(tensor);
    const input = node && mappedInput(node, index);
    const readers = index.consumers.get(tensor) ?? [];
    if (node === undefined || input === undefined) return best;
    if (readers.length !== 1 || index.outputs.has(tensor)) return best;
    const shape = shapes.get(input);
    const affine = channelAffine(node, {
      channels,
      axis,
      rank,
      minRank: shape?.length ?? 0,
      hasChannels: shape?.at(axis) === channels,
    }, index);
    if (affine === undefined) return best;
    total = composeAffine(affine, total);
    nodes.push(node);
    if (takesOffset || hasNoOffset(total)) best = { nodes: [...nodes], input, total };
    tensor = input;
  }
}

/** Whether every output element sums over all weights of its channel. */
function sumsOverAll(node: NodeProto): boolean {
  if (node.opType !== "Conv") return node.opType !== "ConvTranspose";
  const autoPad = stringAttribute(node, "auto_pad", "NOTSET");
  if (autoPad !== "NOTSET") return autoPad === "VALID";
  return (intsAttribute(node, "pads") ?? []).every((size) => size === 0);
}
